using System.CommandLine;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror promote</c>: a planned switchover when there is a primary, an appointment when there is none.</summary>
internal static class PromoteCommand
{
    public static Command Create()
    {
        var to = new Argument<string?>("node") { Description = "The node that becomes primary. Default: the best replica.", Arity = ArgumentArity.ZeroOrOne };
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var dryRun = new Option<bool>("--dry-run") { Description = "Only print node × rule × value × limit." };
        var command = new Command(
            "promote",
            "Move a site to another node. With a living primary nothing is lost and no request fails: they wait at the proxies meanwhile.\n\nExamples: mirror promote beta; mirror promote --site wiki --dry-run")
        {
            to, config, member, site, dryRun,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member));
            var request = new PromoteRequest
            {
                Site = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site)),
                To = parsed.GetValue(to) ?? "",
                DryRun = parsed.GetValue(dryRun),
            };
            PromoteProgress? last = null;
            IReadOnlyList<RuleCheck> checks = [];
            using var call = asking.Client.Promote(request, cancellationToken: cancellation);
            await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
            {
                last = progress;
                if (progress.Checks.Count > 0)
                {
                    // The same rules are asked again when the hand-over begins; they are shown again only when one of them changed.
                    if (!checks.SequenceEqual(progress.Checks))
                    {
                        Write(shown, progress.Checks);
                    }

                    checks = progress.Checks;
                }
                else if (!progress.Done)
                {
                    shown.Say(progress.Step);
                }
            }

            var ok = last is { Done: true, Ok: true };
            shown.Result(
                new Fields
                {
                    ["ok"] = ok, ["primary"] = last?.Primary, ["epoch"] = last?.Epoch, ["outcome"] = last?.Step,
                    ["checks"] = checks.Select(check => new Fields { ["node"] = check.Node, ["rule"] = check.Rule, ["value"] = check.Value, ["limit"] = check.Limit, ["ok"] = check.Ok }),
                },
                output => output.WriteLine(last?.Step ?? "the outcome is unknown; look at `mirror status`"));
            return ok ? ExitCode.Ok : ExitCode.Failed;
        });
        return command;
    }

    private static void Write(Shown shown, IReadOnlyList<RuleCheck> checks)
    {
        if (shown.Json)
        {
            return;
        }

        var table = Tables.New("node", "rule", "value", "limit", "met");
        foreach (var check in checks)
        {
            Tables.Row(table, check.Node, check.Rule, check.Value, check.Limit, check.Ok ? "yes" : "NO");
        }

        Tables.On(Console.Error).Write(table);
    }
}
