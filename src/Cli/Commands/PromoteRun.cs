using System.Globalization;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary>One promotion as it is shown: the rules and what is at stake, once; each step; and how it ended.</summary>
internal sealed class PromoteRun
{
    private IReadOnlyList<RuleCheck> checks = [];
    private PromoteStake? stake;

    public string Target { get; private set; } = "";

    /// <returns>The last word; null when there was none.</returns>
    public async Task<PromoteProgress?> AskAsync(Asking asking, PromoteRequest request, Shown shown, CancellationToken cancellation)
    {
        PromoteProgress? last = null;
        using var call = asking.Client.Promote(request, cancellationToken: cancellation);
        try
        {
            await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
            {
                last = progress;
                if (progress.Checks.Count > 0)
                {
                    Hear(progress, shown);
                }
                else if (!progress.Done)
                {
                    shown.Say(progress.Step);
                }
            }
        }
        catch (Exception lost) when (!request.DryRun && last is not { Done: true } && IsLost(lost))
        {
            // It may have begun, and whoever does it says no more: it may come to its end all the same.
            var why = cancellation.IsCancellationRequested ? "interrupted" : $"{asking.Member} went away before it said how it ended";
            return new PromoteProgress { Step = $"{Unknown} ({why})", Done = true, Ok = false };
        }

        return last;
    }

    // Where there was no connection nothing was asked; and what a server refuses for a reason it refuses before anything is begun.
    private static bool IsLost(Exception failure) => failure is OperationCanceledException || (failure is RpcException
    {
        StatusCode: StatusCode.Unavailable or StatusCode.Cancelled or StatusCode.Internal or StatusCode.Unknown or StatusCode.DeadlineExceeded,
    } call && call.Status.DebugException is not HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError });

    /// <summary>Which machine, which role it has, which epoch, and what would be lost.</summary>
    public string Question(string site, PromoteProgress plan, MirrorConfig config)
    {
        var address = config.Members.TryGetValue(Target, out var member) ? $" at {member.Address}" : "";
        var former = plan.Primary.Length > 0 ? $"after {plan.Primary}" : "which has no primary";
        return string.Create(CultureInfo.InvariantCulture, $"Promote {Target}{address}, a replica, to primary of {site} (epoch {plan.Epoch}, {former})? {StakeText() ?? "Nothing that is known of would be lost."}");
    }

    public int Show(PromoteProgress? last, Shown shown)
    {
        var ok = last is { Done: true, Ok: true };
        shown.Result(
            new Fields
            {
                ["ok"] = ok, ["primary"] = last?.Primary, ["epoch"] = last?.Epoch, ["outcome"] = last is { Done: true } ? last.Step : Unknown,
                ["checks"] = checks.Select(check => new Fields
                {
                    ["node"] = check.Node, ["rule"] = check.Rule, ["value"] = check.Value, ["limit"] = check.Limit, ["ok"] = check.Ok, ["overruled_by"] = check.OverruledBy.Length == 0 ? null : check.OverruledBy,
                }),
                ["at_stake"] = stake is null ? null : new Fields
                {
                    ["versions"] = stake.Versions, ["seconds"] = stake.Seconds, ["bytes"] = null, ["holds"] = VersionText.Name(stake.Holds), ["newest"] = VersionText.Name(stake.Newest), ["only_on"] = stake.OnlyOn,
                },
            },
            output => output.WriteLine(last is { Done: true } ? last.Step : Unknown));
        return ok ? ExitCode.Ok : ExitCode.Failed;
    }

    private const string Unknown = "the outcome is unknown; look at `mirror status`";

    // The same rules are asked again when the hand-over begins; they are shown again only when one of them changed.
    private void Hear(PromoteProgress progress, Shown shown)
    {
        var isNew = !checks.SequenceEqual(progress.Checks);
        (checks, stake, Target) = (progress.Checks, progress.Stake, progress.Primary);
        if (isNew && !shown.Json)
        {
            var table = Tables.New("node", "rule", "value", "limit", "met");
            foreach (var check in checks)
            {
                Tables.Row(table, check.Node, check.Rule, check.Value, check.Limit, check.Ok ? "yes" : check.OverruledBy.Length > 0 ? $"NO ({check.OverruledBy})" : "NO");
            }

            Tables.On(Console.Error).Write(table);
            if (StakeText() is { } text)
            {
                shown.Say(text);
            }
        }
    }

    // How many bytes they are, only those know who cannot be asked.
    private string? StakeText() => stake is null ? null : string.Create(
        CultureInfo.InvariantCulture,
        $"At stake: {stake.Versions} version(s), {VersionText.Name(stake.Holds)} to {VersionText.Name(stake.Newest)}, {stake.Seconds:0.#} s of work, of a size that only {string.Join(" and ", stake.OnlyOn)} could tell, and what was never captured there.");
}
