using System.Globalization;
using Mirror.Node.Wire;
using Mirror.Primary.Publish;
using Mirror.Store.Versions;

namespace Mirror.Cli.Output;

/// <summary>Versions as people and scripts read them.</summary>
internal static class VersionText
{
    private static readonly string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];

    public static string Name(VersionPosition? id) => id is null || (id.Epoch == 0 && id.Sequence == 0) ? "-" : $"{id.Epoch}.{id.Sequence}";

    public static DateTimeOffset TimeOf(VersionSummary version) => DateTimeOffset.UnixEpoch.AddTicks(version.TimeUnixNs / 100);

    public static Fields ToJson(VersionSummary version) => new Fields
    {
        ["id"] = Name(version.Id),
        ["parent"] = Name(version.Parent) is "-" ? null : Name(version.Parent),
        ["time"] = TimeOf(version).ToString("O", CultureInfo.InvariantCulture),
        ["origin"] = version.Origin,
        ["root"] = Convert.ToHexStringLower(version.Root.Span),
        ["entries"] = version.Entries,
        ["bytes"] = version.Bytes,
        ["dumps"] = version.Dumps,
        ["restorable"] = version.Restorable,
        ["note"] = version.Note,
        ["chain"] = Convert.ToHexStringLower(version.Chain.Span),
    };

    public static void Write(IEnumerable<VersionSummary> versions, VersionPosition? current, TextWriter output, string elsewhere = "on other nodes")
    {
        var table = Tables.New("version", "time (UTC)", "origin", "entries", "size", "root", "here", "note");
        foreach (var version in versions)
        {
            var here = Equals(version.Id, current) ? "current" : version.Restorable ? "restorable" : elsewhere;
            Tables.Row(
                table, Name(version.Id), TimeOf(version).UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture), version.Origin,
                version.Entries.ToString(CultureInfo.InvariantCulture), Size((long)version.Bytes), Convert.ToHexStringLower(version.Root.Span)[..12], here, version.Note);
        }

        Tables.On(output).Write(table);
    }

    public static VersionSummary Summary(KeptVersion kept) => VersionSummaries.Of(kept);

    public static string Size(long bytes)
    {
        var unit = 0;
        double value = bytes;
        for (; value >= 1024 && unit < units.Length - 1; unit++)
        {
            value /= 1024;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#} {units[unit]}");
    }
}
