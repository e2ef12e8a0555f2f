using System.CommandLine;
using Google.Protobuf;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror diff V1 V2 [PATH]</c>: what changed between two versions, and of texts how.</summary>
internal static class DiffCommand
{
    public static Command Create()
    {
        var from = new Argument<string>("from") { Description = "The older version, such as 1.2." };
        var to = new Argument<string?>("to") { Description = "The newer one. Default: the newest.", Arity = ArgumentArity.ZeroOrOne };
        var path = new Argument<string?>("path") { Description = "Only this path and what is below it, or a pattern such as pages/**.", Arity = ArgumentArity.ZeroOrOne };
        var contents = new Option<bool>("--contents", "--text") { Description = $"Also how texts differ, line by line (UTF-8, up to {TextDiff.MostBytes >> 20} MiB)." };
        var source = new HistoryOptions();
        var command = source.AddTo(new Command(
            "diff",
            "List what differs between two versions: added, removed, moved, content, type or only metadata, with sizes in bytes. "
            + $"Exit code {ExitCode.Findings} when something does.\n\nExamples: mirror diff 3.126 3.127; mirror diff 1.1 1.2 pages --contents --store /backup/wiki")
        {
            from, to, path, contents,
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            await using var history = await source.OpenAsync(parsed, cancellation);
            var older = Asking.ParseVersion(parsed.GetValue(from)!);
            var newer = parsed.GetValue(to) is { } text ? Asking.ParseVersion(text) : await history.NewestAsync(cancellation);
            var lines = await history.DiffAsync(older, newer, cancellation);
            if (parsed.GetValue(path) is { } only)
            {
                var pattern = PathPattern.Parse(PathPattern.Bytes(only));
                lines = [.. lines.Where(line => pattern.Matches(EntryPath.Parse(line.Path.Span)) || (line.Before is { } before && pattern.Matches(EntryPath.Parse(before.Path.Span))))];
            }

            var texts = new List<(ChangeLine Line, string? Diff)>();
            if (parsed.GetValue(contents))
            {
                foreach (var line in lines.Where(HasContents))
                {
                    texts.Add((line, await CompareAsync(history, older, newer, line, cancellation)));
                }
            }

            shown.Result(
                new Fields
                {
                    ["from"] = older.ToString(), ["to"] = newer.ToString(), ["changes"] = lines.Select(ChangeText.ToJson),
                    ["contents"] = parsed.GetValue(contents) ? texts.Select(found => new Fields { ["path"] = ChangeText.Path(found.Line.Path), ["unified"] = found.Diff }) : null,
                },
                output =>
                {
                    ChangeText.WriteDiff(lines, output);
                    foreach (var (line, diff) in texts)
                    {
                        output.WriteLine();
                        output.Write(diff ?? $"{ChangeText.Path(line.Path)}: no text, or too long to compare line by line\n");
                    }
                });
            return lines.Count == 0 ? ExitCode.Ok : ExitCode.Findings;
        });
        return command;
    }

    private static bool HasContents(ChangeLine line) => line.Kind is "added" or "removed" or "content" or "type" && (IsFile(line.Before) || IsFile(line.After));

    private static bool IsFile(EntryLine? entry) => entry?.Type is "file" or "hardlink";

    /// <summary>Null for what is no text, or too long.</summary>
    private static async Task<string?> CompareAsync(HistorySource history, VersionId older, VersionId newer, ChangeLine line, CancellationToken cancellation)
    {
        var before = await TextOfAsync(history, older, line.Before, cancellation);
        var after = await TextOfAsync(history, newer, line.After, cancellation);
        return before is null || after is null ? null : TextDiff.Of(
            before, after, IsFile(line.Before) ? $"{older}/{ChangeText.Path(line.Before.Path)}" : "/dev/null", IsFile(line.After) ? $"{newer}/{ChangeText.Path(line.After.Path)}" : "/dev/null");
    }

    private static async Task<string?> TextOfAsync(HistorySource history, VersionId version, EntryLine? entry, CancellationToken cancellation)
    {
        if (!IsFile(entry))
        {
            return "";
        }

        if (entry!.Size > (ulong)TextDiff.MostBytes)
        {
            return null;
        }

        using var content = new MemoryStream();
        await history.ReadAsync(version, entry.Path.ToByteArray(), content, cancellation);
        return TextDiff.TryDecode(content.ToArray(), out var text) ? text : null;
    }
}
