using System.CommandLine;
using Mirror.Cli.Output;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror diff V1 V2 --store DIR</c>: what changed between two versions of a store.</summary>
internal static class DiffCommand
{
    public static Command Create()
    {
        var from = new Argument<string>("from") { Description = "The older version, such as 1.2." };
        var to = new Argument<string?>("to") { Description = "The newer one. Default: the newest.", Arity = ArgumentArity.ZeroOrOne };
        var store = new Option<string>("--store") { Description = "The store directory.", Required = true };
        var command = new Command("diff", $"List what differs between two versions. Exit code {ExitCode.Findings} when something does.\n\nExample: mirror diff 1.1 1.2 --store /backup/wiki") { from, to, store };
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var opened = await EmbeddedStore.OpenAsync(parsed.GetValue(store)!, create: false, cancellation);
            var older = Asking.ParseVersion(parsed.GetValue(from)!);
            var newer = parsed.GetValue(to) is { } text ? Asking.ParseVersion(text) : opened.Head?.Id ?? throw new CommandException("the store is empty.");
            var before = opened.ManifestOf(older);
            var delta = Manifest.Diff(before, opened.ManifestOf(newer));
            var lines = delta.Put.Select(entry => (Kind: Kind(before.Find(entry.Path), entry), entry.Path))
                .Concat(delta.Removed.Select(path => (Kind: "removed", Path: path)))
                .OrderBy(line => line.Path).ToList();
            shown.Result(
                new { from = older.ToString(), to = newer.ToString(), changes = lines.Select(line => new { change = line.Kind, path = line.Path.ToString() }) },
                output =>
                {
                    foreach (var (kind, path) in lines)
                    {
                        output.WriteLine($"{kind,-8} {(path.IsRoot ? "." : path.ToString())}");
                    }
                });
            return lines.Count == 0 ? ExitCode.Ok : ExitCode.Findings;
        });
        return command;
    }

    private static string Kind(Entry? before, Entry after) => before switch
    {
        null => "added",
        _ when before.Type != after.Type => "type",
        _ when before.Hash != after.Hash || !before.LinkTarget.AsSpan().SequenceEqual(after.LinkTarget) => "content",
        _ => "metadata",
    };
}
