using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.Rebuilding;

/// <summary>A pack as it describes itself.</summary>
/// <param name="Row">Its file as a full path: packs of several directories are looked at together.</param>
/// <param name="Written">When the file was last written.</param>
internal sealed record FoundPack(PackRow Row, ContentHash FromRoot, VersionRecord Version, DateTimeOffset Written)
{
    /// <summary>The newer of its two ends: the pack came to be when that version came.</summary>
    public VersionId Newer => Row.From > Row.To ? Row.From : Row.To;
}

/// <summary>Goes by what packs say of themselves, and not by their names: what was renamed is what it is.</summary>
internal static class PackCensus
{
    /// <param name="remark">Takes what is wrong with those that are left out.</param>
    public static List<FoundPack> Take(string directory, string site, Action<string> remark, CancellationToken cancellation)
    {
        var found = new Dictionary<(VersionId, VersionId), FoundPack>();
        if (!Directory.Exists(directory))
        {
            return [];
        }

        foreach (var path in Directory.EnumerateFiles(directory, "*.pack").Order(StringComparer.Ordinal))
        {
            cancellation.ThrowIfCancellationRequested();
            if (TryLook(path, site, remark) is not { } pack)
            {
                continue;
            }

            var ends = (pack.Row.From, pack.Row.To);
            if (!found.TryAdd(ends, pack) && Path.GetFileName(path) == PackCatalogue.FileName(pack.Row.From, pack.Row.To))
            {
                found[ends] = pack;
            }
        }

        return [.. found.Values];
    }

    private static FoundPack? TryLook(string path, string site, Action<string> remark)
    {
        try
        {
            using var pack = PackReader.Open(path);
            if (pack.Header.Site != site)
            {
                remark($"{path} is of the site \"{pack.Header.Site}\" and was left out.");
                return null;
            }

            var row = new PackRow(pack.Header.From, pack.Header.To, path, pack.Header.Partial, pack.Length);
            return new FoundPack(row, pack.Header.FromRoot, pack.Version, File.GetLastWriteTimeUtc(path));
        }
        catch (Exception error) when (error is PackFormatException or IOException or UnauthorizedAccessException)
        {
            remark($"{path} cannot be read and was left out: {error.Message}");
            return null;
        }
    }
}
