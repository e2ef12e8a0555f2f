using System.CommandLine;
using System.Globalization;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Commands;

/// <summary><c>mirror show VERSION</c>: its record, what it changed, and its entries.</summary>
internal static class ShowCommand
{
    public static Command Create()
    {
        var version = new Argument<string>("version") { Description = "Such as 3.127." };
        var summary = new Option<bool>("--summary") { Description = "Only the record, counts and changes, not entry by entry." };
        var source = new HistoryOptions();
        var command = source.AddTo(new Command(
            "show",
            "Show what a version is, what it changed against the one before, and what it holds, entry by entry.\n\n"
            + "Examples: mirror show 3.127 --summary; mirror show 1.2 --store /backup/wiki --json")
        {
            version, summary,
        });
        command.SetRun(async (parsed, shown, cancellation) =>
        {
            var id = Asking.ParseVersion(parsed.GetValue(version)!);
            await using var history = await source.OpenAsync(parsed, cancellation);
            var (record, changes, entries) = await history.ShowAsync(id, cancellation);
            var counts = entries.GroupBy(entry => entry.Type).OrderBy(group => group.Key, StringComparer.Ordinal).ToDictionary(group => group.Key, group => group.Count());
            var listed = parsed.GetValue(summary) ? null : entries;
            shown.Result(
                new Fields
                {
                    ["version"] = VersionText.ToJson(record),
                    ["counts"] = counts,
                    ["changes"] = changes is null ? null : new Fields
                    {
                        ["since"] = VersionText.Name(changes.Since) is "-" ? null : VersionText.Name(changes.Since),
                        ["added"] = changes.Added, ["removed"] = changes.Removed, ["moved"] = changes.Moved, ["changed"] = changes.Changed, ["metadata"] = changes.Metadata,
                    },
                    ["entries"] = listed?.Select(ToJson),
                },
                output => Write(record, counts, changes, listed, output));
            return ExitCode.Ok;
        });
        return command;
    }

    private static void Write(VersionSummary record, Dictionary<string, int> counts, ChangeCounts? changes, IReadOnlyList<EntryLine>? entries, TextWriter output)
    {
        output.WriteLine($"{VersionText.Name(record.Id)} of {VersionText.TimeOf(record).UtcDateTime:yyyy-MM-dd HH:mm:ss.fff} UTC by {record.Origin}, root {Convert.ToHexStringLower(record.Root.Span)}");
        output.WriteLine($"{string.Join(", ", counts.Select(pair => $"{pair.Value} {pair.Key}"))}; {VersionText.Size((long)record.Bytes)}{(record.Note.Length > 0 ? $"; {record.Note}" : "")}");
        if (record.Dumps.Count > 0)
        {
            output.WriteLine($"databases: {string.Join(", ", record.Dumps)}");
        }

        if (changes is not null)
        {
            output.WriteLine(
                $"since {(VersionText.Name(changes.Since) is "-" ? "nothing" : VersionText.Name(changes.Since))}: {changes.Added} added, {changes.Removed} removed, {changes.Moved} moved, {changes.Changed} changed, {changes.Metadata} only in metadata");
        }

        foreach (var entry in entries ?? [])
        {
            var target = entry.Target.IsEmpty ? "" : $" -> {ChangeText.Path(entry.Target)}";
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{entry.Type,-10} {Convert.ToString(entry.Mode, 8),4} {entry.Owner,-8} {entry.Group,-8} {entry.Size,12} {DateTimeOffset.UnixEpoch.AddTicks(entry.MtimeUnixNs / 100).UtcDateTime:yyyy-MM-dd HH:mm:ss} {ChangeText.Path(entry.Path)}{target}"));
        }
    }

    private static Fields ToJson(EntryLine entry) => new Fields
    {
        ["path"] = ChangeText.Path(entry.Path),
        ["path_base64"] = entry.Path.ToBase64(),
        ["type"] = entry.Type,
        ["mode"] = Convert.ToString(entry.Mode, 8),
        ["owner"] = entry.Owner,
        ["group"] = entry.Group,
        ["size"] = entry.Size,
        ["mtime_unix_ns"] = entry.MtimeUnixNs,
        ["sha256"] = entry.Sha256.IsEmpty ? null : Convert.ToHexStringLower(entry.Sha256.Span),
        ["target"] = entry.Target.IsEmpty ? null : ChangeText.Path(entry.Target),
    };
}
