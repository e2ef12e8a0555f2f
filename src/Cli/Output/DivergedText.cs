using System.Globalization;
using Mirror.Cli.Commands;
using Mirror.Node.Apps;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;

namespace Mirror.Cli.Output;

/// <summary>Branches that diverged, for people and for scripts.</summary>
internal static class DivergedText
{
    private static readonly EntryPath dumps = EntryPath.Parse(SlotDatabases.Dumps);

    public static Fields ToJson(string site, DivergedBranch branch) => new()
    {
        ["site"] = site,
        ["node"] = branch.Node,
        ["label"] = VersionText.Name(branch.Label),
        ["written_by"] = OriginOf(branch),
        ["epochs"] = branch.Versions.Select(version => version.Id.Epoch).Distinct(),
        ["left"] = LeftOf(branch),
        ["versions"] = branch.Versions.Select(VersionText.ToJson),
        ["kept_since"] = KeptOf(branch).ToString("O", CultureInfo.InvariantCulture),
        ["changes"] = branch.Changes is not { } changes ? null : new Fields
        {
            ["added"] = changes.Added, ["removed"] = changes.Removed, ["moved"] = changes.Moved, ["changed"] = changes.Changed, ["metadata"] = changes.Metadata,
        },
        ["paths_differing"] = branch.Changes is { } counted ? Total(counted) : null,
        ["paths_only_here"] = branch.Changes is null ? null : branch.OnlyHere,
        ["bytes_differing"] = branch.Changes is null ? null : branch.Bytes,
        ["pack_bytes"] = branch.PackBytes,
        ["note"] = branch.Note,
        ["given_up"] = branch.GivenUp,
        ["fault"] = branch.Fault.Length == 0 ? null : branch.Fault,
    };

    public static Fields ToJson(string site, DivergedBranch branch, VersionPosition? present, IEnumerable<DivergedPathLine> paths) => new()
    {
        ["branch"] = ToJson(site, branch),
        ["present"] = VersionText.Name(present) is "-" ? null : VersionText.Name(present),
        ["databases"] = paths.Select(DumpOf).OfType<string>().Distinct(),
        ["paths"] = paths.Select(path => new Fields { ["change"] = ChangeText.ToJson(path.Change), ["now"] = path.Now.Length == 0 ? null : path.Now, ["database"] = DumpOf(path) }),
    };

    public static void Write(IReadOnlyList<(string Site, DivergedBranch Branch)> found, TextWriter output)
    {
        if (found.Count == 0)
        {
            output.WriteLine("nothing diverged");
            return;
        }

        var table = Tables.New("site", "on", "branch", "written by", "left", "versions", "last capture (UTC)", "paths", "not in the line", "bytes", "note");
        foreach (var (site, branch) in found)
        {
            Tables.Row(
                table, site, branch.Node, VersionText.Name(branch.Label), OriginOf(branch), LeftOf(branch) ?? "-", branch.Versions.Count.ToString(CultureInfo.InvariantCulture), Time(VersionText.TimeOf(branch.Versions[^1])),
                branch.Changes is { } changes ? Total(changes).ToString(CultureInfo.InvariantCulture) : "?", branch.Changes is null ? "?" : branch.OnlyHere.ToString(CultureInfo.InvariantCulture),
                branch.Changes is null ? "?" : VersionText.Size((long)branch.Bytes), branch.Fault.Length > 0 ? branch.Fault : branch.GivenUp ? branch.Note : "");
        }

        Tables.On(output).Write(table);
        output.WriteLine("`mirror diverged show BRANCH` says what is in one, `export` writes it into a directory, `drop` gives it up");
    }

    public static void Write(string site, DivergedBranch branch, VersionPosition? present, IReadOnlyCollection<DivergedPathLine> paths, TextWriter output)
    {
        WriteHead(site, branch, output);
        var against = VersionText.Name(present);
        output.WriteLine(against == "-" ? "nothing to compare with yet: the newest version on this node is the branch itself" : $"the last column says what {against}, the newest version here, has of it");
        foreach (var path in paths)
        {
            var of = DumpOf(path) is { } database ? $"  (database {database})" : "";
            output.WriteLine($"{ChangeText.Line(path.Change)}  {(path.Now.Length == 0 ? "" : $"[{path.Now}]")}{of}");
        }
    }

    public static void WriteLoss(string site, DropDivergedReply reply, TextWriter output)
    {
        WriteHead(site, reply.Branch, output);
        output.WriteLine($"lost for good: versions {string.Join(", ", reply.Branch.Versions.Select(version => VersionText.Name(version.Id)))}; no other node has any of them");
        foreach (var line in reply.Stay)
        {
            output.WriteLine($"{VersionText.Name(line.Id)} goes later: {line.Reason}");
        }
    }

    private static void WriteHead(string site, DivergedBranch branch, TextWriter output)
    {
        output.WriteLine($"{VersionText.Name(branch.Label)} of {site} on {branch.Node}: {branch.Versions.Count} version(s) by {OriginOf(branch)}, {Time(VersionText.TimeOf(branch.Versions[0]))} to {Time(VersionText.TimeOf(branch.Versions[^1]))} UTC; {branch.Note}");
        output.WriteLine(branch.Changes is not { } changes ? branch.Fault
            : $"since {LeftOf(branch) ?? "nothing"}: {changes.Added} added, {changes.Removed} removed, {changes.Moved} moved, {changes.Changed} changed, {changes.Metadata} only in metadata; {VersionText.Size((long)branch.Bytes)} in files; {branch.OnlyHere} of these {Total(changes)} paths are not in the line to this day");
    }

    private static string OriginOf(DivergedBranch branch) => string.Join(", ", branch.Versions.Select(version => version.Origin).Distinct());

    private static string? LeftOf(DivergedBranch branch) => VersionText.Name(branch.Left) is var name and not "-" ? name : null;

    private static DateTimeOffset KeptOf(DivergedBranch branch) => DateTimeOffset.FromUnixTimeMilliseconds(branch.KeptUnixMs);

    private static ulong Total(ChangeCounts changes) => changes.Added + changes.Removed + changes.Moved + changes.Changed + changes.Metadata;

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>The database whose dump a path is, or a part of; null for the site's own files.</summary>
    private static string? DumpOf(DivergedPathLine line)
    {
        var path = EntryPath.Parse(line.Change.Path.Span);
        if (!path.IsWithin(dumps) || path == dumps)
        {
            return null;
        }

        var name = path.ToString()[(dumps.ToString().Length + 1)..].Split('/')[0];
        return name.Split('.')[0];
    }
}
