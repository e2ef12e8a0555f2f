using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror save SRC --store DIR</c>: one version of a directory into a store; for cron, for people who begin with just a mirror.</summary>
internal static class SaveCommand
{
    private static readonly TimeSpan logsKept = TimeSpan.FromDays(30);

    public static Command Create()
    {
        var source = new Argument<string>("source") { Description = "The directory to save." };
        var store = new Option<string>("--store") { Description = "Where versions are kept. Made when absent.", Required = true };
        var exclude = IgnoreCommand.Exclude();
        var logs = new Option<string[]>("--logs")
        {
            Description = "Glob of files that are only appended to (logs/*.log*); may be given often, and with every save. What is new in them is saved as it comes, and `mirror logs cat` shows it, also of what was rotated since.",
            AllowMultipleArgumentsPerToken = false,
        };
        var massDelete = new Option<bool>("--allow-mass-delete") { Description = "More than half of the source is gone, and that is meant." };
        var command = new Command(
            "save",
            "Save a directory as a new version in a store: the newest as a plain tree, older ones as reverse diffs. No daemon, no cluster.\n\n"
            + "Examples: mirror save /srv/wiki --store /backup/wiki; mirror save /srv/wiki --store /backup/wiki --exclude 'cache/**' --logs 'logs/*.log*'")
        {
            source, store, exclude, logs, massDelete,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var tree = Path.TrimEndingDirectorySeparator(Path.GetFullPath(parsed.GetValue(source)!));
            if (!Directory.Exists(tree))
            {
                throw new CommandException($"the source {tree} {(Path.Exists(tree) ? "is no directory; name the one it lies in" : "does not exist, or may not be seen")}.");
            }

            var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(parsed.GetValue(store)!));
            if (Within(Real(target), Real(tree)))
            {
                throw new CommandException($"the store {target} lies inside the source {tree}: it would save itself. Choose a place outside.");
            }

            var patterns = parsed.GetValue(exclude) ?? [];
            var filter = new PathFilter([], patterns);
            foreach (var useless in filter.MatchNothing)
            {
                Shown.Complain($"--exclude \"{patterns[useless]}\" matches nothing; `mirror ignore explain` says why.");
            }

            var logPatterns = parsed.GetValue(logs) ?? [];
            using var siteLogs = logPatterns.Length == 0 ? null : SiteLogs.In(target, logPatterns, logsKept, TimeProvider.System);
            if (siteLogs is null && await UnchangedTree.FindAsync(target, EmbeddedStore.SiteName, tree, filter, cancellation) is { } held)
            {
                RemarkReserved(tree, shown);
                ShowUnchanged(shown, new KeptVersion(held, Restorable: true, Note: ""), filesRead: 0, unstable: []);
                return ExitCode.Ok;
            }

            // Logs are collected with the store at hand.
            var begun = siteLogs is null ? BegunScan.Of(tree, filter, TimeProvider.System, cancellation) : null;
            await using var opened = await EmbeddedStore.OpenAsync(parsed, shown, target, create: true, cancellation);
            var request = new CaptureRequest(
                tree, null, filter, Environment.MachineName, opened.Head?.Id.Epoch ?? 1, [], parsed.GetValue(massDelete)) { Logs = siteLogs };
            shown.Progress($"comparing {tree} with {opened.Head?.Id.ToString() ?? "nothing"}");
            CaptureResult captured;
            long? packBytes = null;
            try
            {
                // A save that was killed between staging its version and making it current: finished first, so that `current` is the newest also when nothing changed since.
                if (opened.Head is not null && !opened.IsHeadCurrent)
                {
                    await opened.FlipAsync(cancellation);
                }

                captured = await SiteCapture.CaptureAsync(opened, request, opened.InboxDirectory, TimeProvider.System, cancellation, begun);
                if (captured.Version is not null)
                {
                    packBytes = new FileInfo(captured.Pack!).Length;
                    await opened.StageAsync(captured.Pack!, captured.Signatures, new ShownProgress(shown), cancellation);
                    await opened.FlipAsync(cancellation);
                }

                if (captured.Version is not null || captured.FilesRead > 0)
                {
                    // Also what was touched, read, and is as before: once is enough.
                    await opened.RememberSourceAsync(captured.StatKeys, captured.Signatures, cancellation);
                }

                await opened.RememberTreeAsync(captured.See(UnchangedTree.NameOf(opened.Head!, tree, filter)), cancellation);
            }
            catch (IOException error)
            {
                throw new CommandException($"{tree} could not be saved in {target}: {error.Message.TrimEnd('.')}. The versions kept are as they were; mend that and save again.");
            }

            shown.EndProgress();
            RemarkReserved(tree, shown);
            Remark(captured, shown);
            var head = opened.Head!;
            var kept = opened.Versions.First(version => version.Record.Id == head.Id);
            if (captured.Version is null)
            {
                ShowUnchanged(shown, kept, captured.FilesRead, captured.Unstable);
                return ExitCode.Ok;
            }

            shown.Result(
                new Fields
                {
                    ["ok"] = true, ["changed"] = true, ["put"] = captured.Delta.Put.Count, ["removed"] = captured.Delta.Removed.Count,
                    ["files_read"] = captured.FilesRead, ["pack_bytes"] = packBytes, ["unstable"] = captured.Unstable.Select(path => path.ToString()),
                    ["twins"] = captured.Twins.Select(group => group.Select(path => path.ToString())), ["mount_points"] = captured.MountPoints.Select(path => path.ToString()), ["version"] = VersionText.ToJson(VersionText.Summary(kept)),
                },
                output => output.WriteLine(
                    $"saved {head.Id}: {head.Entries} entries, {VersionText.Size(head.Bytes)}; {captured.Delta.Put.Count} new or changed, {captured.Delta.Removed.Count} gone"));
            return ExitCode.Ok;
        });
        return command;
    }

    private static void ShowUnchanged(Shown shown, KeptVersion newest, int filesRead, IReadOnlyList<EntryPath> unstable) => shown.Result(
        new Fields
        {
            ["ok"] = true, ["changed"] = false, ["put"] = 0, ["removed"] = 0,
            ["files_read"] = filesRead, ["pack_bytes"] = (long?)null, ["unstable"] = unstable.Select(path => path.ToString()), ["version"] = VersionText.ToJson(VersionText.Summary(newest)),
        },
        output => output.WriteLine($"nothing changed since {newest.Record.Id}"));

    private static void RemarkReserved(string tree, Shown shown)
    {
        if (Path.Exists(Path.Combine(tree, ".mirror")))
        {
            shown.Say($"left out: {Path.Combine(tree, ".mirror")}, a name that Mirror keeps for database dumps. Rename it if it is yours.");
        }
    }

    private static void Remark(CaptureResult captured, Shown shown)
    {
        foreach (var mount in captured.MountPoints)
        {
            shown.Say($"left out: {mount}, where another file system is mounted. Save it by itself, or exclude it to hear no more of it.");
        }

        if (captured.Twins.Count > 0)
        {
            shown.Say($"{captured.Twins.Count} group(s) of names differ in case or Unicode form only, and would fall together where a file system does not tell them apart: {captured.TwinsText}");
        }
    }

    private static bool Within(string path, string directory) => (path + "/").StartsWith(directory.TrimEnd('/') + "/", StringComparison.Ordinal);

    /// <summary>The path with every link in it followed: a store must not lie in its source by a detour, either.</summary>
    private static string Real(string path)
    {
        if (Path.GetDirectoryName(path) is not { } parent)
        {
            return path;
        }

        var here = Path.Combine(Real(parent), Path.GetFileName(path));
        var info = new DirectoryInfo(here);
        return info.LinkTarget is not null && info.ResolveLinkTarget(returnFinalTarget: true)?.FullName is { } target ? Real(target) : here;
    }
}
