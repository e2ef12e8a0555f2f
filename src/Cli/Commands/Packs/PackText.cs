using System.Globalization;
using Mirror.Cli.Output;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;

namespace Mirror.Cli.Commands.Packs;

/// <summary>What the commands about packs say alike.</summary>
internal static class PackText
{
    public static Fields Header(PackReader pack) => new Fields
    {
        ["file"] = pack.Path,
        ["bytes"] = pack.Length,
        ["key"] = pack.KeyId,
        ["site"] = pack.Header.Site,
        ["from"] = pack.Header.From.IsNone ? null : pack.Header.From.ToString(),
        ["from_root"] = OrNull(pack.Header.FromRoot),
        ["to"] = pack.Header.To.ToString(),
        ["partial"] = pack.Header.Partial,
        ["version"] = new Fields
        {
            ["id"] = pack.Version.Id.ToString(),
            ["parent"] = pack.Version.Parent.IsNone ? null : pack.Version.Parent.ToString(),
            ["time"] = pack.Version.Time.ToString("O", CultureInfo.InvariantCulture),
            ["origin"] = pack.Version.Origin,
            ["root"] = pack.Version.Root.ToString(),
            ["chain"] = pack.Version.Chain.ToString(),
            ["entries"] = pack.Version.Entries,
            ["bytes"] = pack.Version.Bytes,
            ["dumps"] = pack.Version.Dumps,
        },
    };

    public static void WriteHeader(PackReader pack, TextWriter output)
    {
        var header = pack.Header;
        output.WriteLine($"pack     {pack.Path}, {pack.Length} bytes, {(pack.KeyId is { } key ? $"encrypted for the key {key}" : "not encrypted")}");
        output.WriteLine($"site     {header.Site}");
        output.WriteLine(header.From.IsNone ? "from     nothing" : $"from     {header.From}, root {header.FromRoot}");
        output.WriteLine($"to       {header.To}{(header.Partial ? ", partial: it takes a tree that has the contents it lacks" : "")}");
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"version  {pack.Version.Id} of {pack.Version.Time.UtcDateTime:yyyy-MM-dd HH:mm:ss.fff} UTC by {pack.Version.Origin}, {pack.Version.Entries} entries, {pack.Version.Bytes} bytes, root {pack.Version.Root}"));
    }

    public static string? OrNull(ContentHash hash) => hash.IsNone ? null : hash.ToString();

    public static string PathOf(EntryPath path) => path.IsRoot ? "." : path.ToString();

    /// <summary>Where an entry's content is: in the pack (whole, delta), in the version before (kept), or none needed.</summary>
    public static string? ContentOf(PackReader pack, Entry entry) => entry switch
    {
        not { Type: EntryType.File } => null,
        { Size: 0 } => "empty",
        _ => pack.Find(entry.Hash) switch
        {
            null => "kept",
            { Basis.IsNone: true } => "whole",
            _ => "delta",
        },
    };
}
