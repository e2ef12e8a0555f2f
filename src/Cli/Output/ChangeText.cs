using System.Globalization;
using Google.Protobuf;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;

namespace Mirror.Cli.Output;

/// <summary>What became of paths, for people and for scripts.</summary>
internal static class ChangeText
{
    public static string Path(ByteString bytes) => bytes.IsEmpty ? "." : EntryPath.Display(bytes.Span);

    public static Fields ToJson(ChangeLine line) => new Fields
    {
        ["version"] = line.Version is null ? null : VersionText.Name(line.Version),
        ["time"] = line.Version is null ? null : Time(line).ToString("O", CultureInfo.InvariantCulture),
        ["change"] = line.Kind,
        ["path"] = Path(line.Path),
        ["path_base64"] = line.Path.ToBase64(),
        ["from"] = line.Kind == "moved" ? Path(line.Before.Path) : null,
        ["before"] = line.Before is { } before ? Facts(before) : null,
        ["after"] = line.After is { } after ? Facts(after) : null,
    };

    public static void WriteDiff(IEnumerable<ChangeLine> lines, TextWriter output)
    {
        foreach (var line in lines)
        {
            output.WriteLine(Line(line));
        }
    }

    public static string Line(ChangeLine line) => $"{line.Kind,-8} {Sizes(line),24} {Path(line.Path)}{(line.Kind == "moved" ? $" (was {Path(line.Before.Path)})" : "")}";

    /// <summary>One line for each version that changed a path; the path is named when there is more than one.</summary>
    public static void WriteHistory(IReadOnlyList<ChangeLine> lines, TextWriter output)
    {
        var many = lines.Select(line => line.Path).Distinct().Count() > 1;
        foreach (var line in lines)
        {
            var hash = (line.After ?? line.Before) is { Sha256.IsEmpty: false } entry && line.After is not null ? Convert.ToHexStringLower(entry.Sha256.Span)[..12] : "";
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{VersionText.Name(line.Version),-8} {Time(line).UtcDateTime:yyyy-MM-dd HH:mm:ss} {line.Kind,-8} {Sizes(line),24} {hash,-12}{(many ? $" {Path(line.Path)}" : "")}").TrimEnd());
        }
    }

    private static DateTimeOffset Time(ChangeLine line) => DateTimeOffset.UnixEpoch.AddTicks(line.TimeUnixNs / 100);

    private static string Sizes(ChangeLine line) => (line.Before, line.After) switch
    {
        ({ Type: "file" or "hardlink" } before, { Type: "file" or "hardlink" } after) when before.Size != after.Size => $"{before.Size} -> {after.Size}",
        (_, { Type: "file" or "hardlink" } after) => after.Size.ToString(CultureInfo.InvariantCulture),
        ({ Type: "file" or "hardlink" } before, null) => before.Size.ToString(CultureInfo.InvariantCulture),
        (_, { } after) => after.Type,
        ({ } before, _) => before.Type,
        _ => "",
    };

    private static Fields Facts(EntryLine entry) => new Fields
    {
        ["type"] = entry.Type,
        ["mode"] = Convert.ToString(entry.Mode, 8),
        ["owner"] = entry.Owner,
        ["group"] = entry.Group,
        ["size"] = entry.Size,
        ["mtime_unix_ns"] = entry.MtimeUnixNs,
        ["sha256"] = entry.Sha256.IsEmpty ? null : Convert.ToHexStringLower(entry.Sha256.Span),
        ["target"] = entry.Target.IsEmpty ? null : Path(entry.Target),
    };
}
