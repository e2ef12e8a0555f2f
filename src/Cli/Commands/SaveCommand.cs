using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Primary.Capture;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror save SRC --store DIR</c>: one version of a directory into a store; for cron, for people who begin with just a mirror.</summary>
internal static class SaveCommand
{
    public static Command Create()
    {
        var source = new Argument<string>("source") { Description = "The directory to save." };
        var store = new Option<string>("--store") { Description = "Where versions are kept. Made when absent.", Required = true };
        var exclude = new Option<string[]>("--exclude") { Description = "Glob relative to the source (cache/**); may be given often.", AllowMultipleArgumentsPerToken = false };
        var massDelete = new Option<bool>("--allow-mass-delete") { Description = "More than half of the source is gone, and that is meant." };
        var command = new Command(
            "save",
            "Save a directory as a new version in a store: the newest as a plain tree, older ones as reverse diffs. No daemon, no cluster.\n\nExample: mirror save /srv/wiki --store /backup/wiki")
        {
            source, store, exclude, massDelete,
        };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var tree = Path.GetFullPath(parsed.GetValue(source)!);
            if (!Directory.Exists(tree))
            {
                throw new CommandException($"the source {tree} is not a directory that can be read.");
            }

            var target = Path.GetFullPath(parsed.GetValue(store)!);
            if ((target + "/").StartsWith(tree + "/", StringComparison.Ordinal))
            {
                throw new CommandException($"the store {target} lies inside the source {tree}: it would save itself. Choose a place outside.");
            }

            await using var opened = await EmbeddedStore.OpenAsync(target, create: true, cancellation);
            var request = new CaptureRequest(
                tree, null, new PathFilter([], parsed.GetValue(exclude) ?? []), Environment.MachineName, opened.Head?.Id.Epoch ?? 1, [], parsed.GetValue(massDelete));
            shown.Progress($"comparing {tree} with {opened.Head?.Id.ToString() ?? "nothing"}");
            var captured = await SiteCapture.CaptureAsync(opened, request, opened.InboxDirectory, TimeProvider.System, cancellation);
            if (captured.Version is { } version)
            {
                await opened.StageAsync(captured.Pack!, new ShownProgress(shown), cancellation);
                await opened.FlipAsync(cancellation);
                await opened.RememberSourceAsync(captured.StatKeys, captured.Signatures, cancellation);
            }
            else if (captured.FilesRead > 0)
            {
                // Touched, read, and as before: once is enough.
                await opened.RememberSourceAsync(captured.StatKeys, captured.Signatures, cancellation);
            }

            shown.EndProgress();
            var head = opened.Head!;
            var summary = VersionText.Summary(opened.Versions.First(kept => kept.Record.Id == head.Id));
            shown.Result(
                new
                {
                    ok = true, changed = captured.Version is not null, put = captured.Delta.Put.Count, removed = captured.Delta.Removed.Count,
                    files_read = captured.FilesRead, unstable = captured.Unstable.Select(path => path.ToString()), version = VersionText.ToJson(summary),
                },
                output => output.WriteLine(captured.Version is null
                    ? $"nothing changed since {head.Id}"
                    : $"saved {head.Id}: {head.Entries} entries, {VersionText.Size(head.Bytes)}; {captured.Delta.Put.Count} new or changed, {captured.Delta.Removed.Count} gone"));
            return ExitCode.Ok;
        });
        return command;
    }
}
