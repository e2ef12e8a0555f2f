using System.CommandLine;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Retention;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror forget</c>: versions go, by a policy or by name; or the newest one, as if it had never been saved.</summary>
internal static class ForgetCommand
{
    public static Command Create()
    {
        var versions = new Argument<string[]>("version") { Description = "The versions that go, such as 3.127. Without any, a policy decides.", Arity = ArgumentArity.ZeroOrMore };
        var config = ClusterOptions.Config();
        var member = ClusterOptions.Member();
        var site = ClusterOptions.Site();
        var store = EmbeddedStore.Option();
        var newest = new Option<bool>("--newest") { Description = "Undo the last save: the newest version goes, and the store is as it was before. Only with --store: what a node holds, others count on." };
        var policy = new PolicyOptions();
        var dryRun = new Option<bool>("--dry-run") { Description = "Only print version × kept or dropped × reason." };
        var yes = Confirmation.Option();
        var command = new Command(
            "forget",
            $"""
            Drop versions of a history, so that it takes less room. What is kept stays exactly as it is: packs that led over dropped versions are joined. The newest and the current version, protected ones, what diverged, and the last two key frames stay in any case.

            The rules are restic's: each keeps the newest version of its period, by when a version came here (UTC), and what any rule keeps is kept. A node takes them from its configuration (`retention`), a store from the command line. Exit code {ExitCode.Findings} when something could not be dropped.

            Examples: mirror forget --store /backup/wiki --keep-last 10 --keep-daily 30 --keep-monthly 24 --dry-run; mirror forget 1.7 1.8 --store /backup/wiki; mirror forget --newest --store /backup/wiki; mirror forget --node beta --dry-run
            """)
        {
            versions, config, member, site, store, newest, policy.Last, policy.Within, policy.Hourly, policy.Daily, policy.Weekly, policy.Monthly, policy.Yearly, policy.Budget, dryRun, yes,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            List<VersionId> named = [.. (parsed.GetValue(versions) ?? []).Select(Asking.ParseVersion)];
            var rules = policy.Read(parsed);
            if ((named.Count > 0 ? 1 : 0) + (parsed.GetValue(newest) ? 1 : 0) + (rules.IsEmpty ? 0 : 1) > 1)
            {
                throw new CommandException("versions by name, --newest and a policy are three different things; say one of them.", ExitCode.Usage);
            }

            if (parsed.GetValue(newest))
            {
                return await UndoAsync(parsed, parsed.GetValue(store), parsed.GetValue(dryRun), parsed.GetValue(yes), shown, cancellation);
            }

            if (parsed.GetValue(store) is not { } directory)
            {
                if (!rules.IsEmpty)
                {
                    throw new CommandException("a node thins by its own configuration (`retention` in mirror.yaml), not by a command's options. Change it there, or name the versions that go.", ExitCode.Usage);
                }

                using var asking = Asking.Open(parsed.GetValue(config), parsed.GetValue(member), suits: found => found.Kind == Node.Configuration.MemberKind.Node);
                var name = ClusterOptions.SiteOf(asking.Config, parsed.GetValue(site));
                return await RunAsync((dry, token) => AskAsync(asking, name, named, dry, shown, token), asking.Member, parsed.GetValue(dryRun), parsed.GetValue(yes), shown, cancellation);
            }

            if (named.Count == 0 && rules.IsEmpty)
            {
                throw new CommandException("nothing says what to keep, and an empty policy would drop every version. Give rules, such as --keep-last 10 --keep-daily 30, or name versions.", ExitCode.Usage);
            }

            await using var opened = await OpenAsync(parsed, shown, directory, parsed.GetValue(dryRun), cancellation);
            return await RunAsync(
                (dry, token) => named.Count > 0
                    ? opened.ForgetAsync(named, dry, new ShownProgress(shown), token)
                    : opened.ApplyRetentionAsync(rules, recent: 0, dry, new ShownProgress(shown), token),
                directory, parsed.GetValue(dryRun), parsed.GetValue(yes), shown, cancellation);
        });
        return command;
    }

    private static Task<VersionStore> OpenAsync(ParseResult parsed, Shown shown, string directory, bool dryRun, CancellationToken cancellation) =>
        dryRun ? EmbeddedStore.OpenToReadAsync(parsed, directory, cancellation) : EmbeddedStore.OpenAsync(parsed, shown, directory, create: false, cancellation);

    private static async Task<int> RunAsync(Func<bool, CancellationToken, Task<RetentionReport>> forget, string where, bool dryRun, bool yes, Shown shown, CancellationToken cancellation)
    {
        var report = await forget(true, cancellation);
        shown.EndProgress();
        if (!dryRun && report.Dropped > 0)
        {
            if (!yes && !shown.Json)
            {
                Write(report, Console.Error);
            }

            Confirmation.Require(yes, shown, $"Drop {report.Dropped} of {report.Lines.Count} versions in {where} for good?");
            report = await forget(false, cancellation);
            shown.EndProgress();
        }

        shown.Result(
            new Fields
            {
                ["ok"] = dryRun || report.Notices.Count == 0, ["dry_run"] = dryRun, ["dropped"] = report.Dropped, ["kept"] = report.Lines.Count - report.Dropped,
                ["bytes_before"] = report.BytesBefore, ["bytes_after"] = dryRun ? (long?)null : report.BytesAfter, ["notices"] = report.Notices,
                ["versions"] = report.Lines.Select(line => new Fields { ["id"] = line.Id.ToString(), ["received"] = line.Received.UtcDateTime.ToString("O"), ["kept"] = line.Kept, ["reason"] = line.Reason }),
            },
            output =>
            {
                Write(report, output);
                foreach (var notice in report.Notices)
                {
                    output.WriteLine(notice);
                }

                output.WriteLine(
                    $"{report.Dropped} version(s) {(dryRun ? "would go" : "dropped")}, {report.Lines.Count - report.Dropped} kept; the history {(dryRun ? $"takes {VersionText.Size(report.BytesBefore)} now; nothing was changed" : $"took {VersionText.Size(report.BytesBefore)} and takes {VersionText.Size(report.BytesAfter)}")}");
            });
        return dryRun || report.Notices.Count == 0 ? ExitCode.Ok : ExitCode.Findings;
    }

    private static async Task<int> UndoAsync(ParseResult parsed, string? directory, bool dryRun, bool yes, Shown shown, CancellationToken cancellation)
    {
        if (directory is null)
        {
            throw new CommandException(
                "a node's newest version is never taken back: the cluster was told that it is there, and counts on it. Restore an older one beside the site (`mirror restore`), and copy back what is wanted.", ExitCode.Usage);
        }

        await using var opened = await OpenAsync(parsed, shown, directory, dryRun, cancellation);
        var newest = opened.Head?.Id ?? default;
        var older = opened.CheckForgetNewest();
        if (!dryRun)
        {
            Confirmation.Require(yes, shown, $"Drop {newest}, the newest version in {directory}, for good, and go back to {older}?");
            await opened.ForgetNewestAsync(new ShownProgress(shown), cancellation);
            shown.EndProgress();
        }

        shown.Result(
            new Fields { ["ok"] = true, ["dry_run"] = dryRun, ["dropped"] = newest.ToString(), ["newest"] = older.ToString() },
            output => output.WriteLine(dryRun ? $"{newest} would go, and {older} be the newest; nothing was changed" : $"{newest} is gone; {older} is the newest version and current. The next save has the number {newest} again"));
        return ExitCode.Ok;
    }

    private static async Task<RetentionReport> AskAsync(Asking asking, string site, IEnumerable<VersionId> versions, bool dryRun, Shown shown, CancellationToken cancellation)
    {
        var request = new ForgetRequest { Site = site, DryRun = dryRun };
        request.Versions.AddRange(versions.Select(Asking.ToWire));
        using var call = asking.Client.Forget(request, cancellationToken: cancellation);
        ForgetOutcome? outcome = null;
        await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
        {
            outcome = progress.Outcome ?? outcome;
            if (progress.Outcome is null)
            {
                shown.Progress($"{progress.Step} {progress.Done}/{progress.Total}");
            }
        }

        return outcome is null
            ? throw new CommandException($"{asking.Member} ended the call without saying what it did; `mirror versions --node {asking.Member}` shows what it keeps.")
            : new RetentionReport(
                [.. outcome.Lines.Select(line => new RetentionLine(Asking.ToId(line.Id), DateTimeOffset.FromUnixTimeMilliseconds(line.ReceivedUnixMs), line.Kept, line.Reason))],
                (long)outcome.BytesBefore, (long)outcome.BytesAfter, [.. outcome.Notices]);
    }

    private static void Write(RetentionReport report, TextWriter output)
    {
        var table = Tables.New("version", "came (UTC)", "", "reason");
        foreach (var line in report.Lines)
        {
            Tables.Row(table, line.Id.ToString(), line.Received.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture), line.Kept ? "kept" : "dropped", line.Reason);
        }

        Tables.On(output).Write(table);
    }
}
