using System.Collections.Concurrent;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>
/// The packs in <c>history</c>, and what was learnt about them: indexes are read once, and a pack or a blob found damaged stays out of every plan until the store is opened again.
/// </summary>
internal sealed class PackCatalogue(string historyDirectory, IStoreDisk? reads = null)
{
    private readonly ConcurrentDictionary<string, IReadOnlyList<BlobInfo>> blobs = new();
    private readonly ConcurrentDictionary<string, string> damaged = new();
    private readonly ConcurrentDictionary<(string File, ContentHash Hash), string> damagedBlobs = new();
    private int damageCount;

    public string Directory { get; } = historyDirectory;

    /// <summary>Told of reading; null where nobody listens.</summary>
    public IStoreDisk? Reads { get; } = reads;

    /// <summary>Changes whenever damage is found: what was derived before is to be derived again.</summary>
    public int DamageCount => Volatile.Read(ref damageCount);

    /// <summary>What is known to be wrong, by file name.</summary>
    public IReadOnlyDictionary<string, string> Damaged => damaged;

    public static string FileName(VersionId from, VersionId to) => $"{from}-{to}.pack";

    public string PathOf(PackRow row) => Path.Combine(Directory, row.File);

    public bool IsDamaged(PackRow row) => damaged.ContainsKey(row.File);

    public bool IsDamaged(PackRow row, ContentHash blob) => IsDamaged(row) || damagedBlobs.ContainsKey((row.File, blob));

    /// <summary>Null when it cannot be opened: it is remembered as damaged then.</summary>
    public PackReader? TryOpen(PackRow row)
    {
        try
        {
            var pack = PackReader.Open(PathOf(row));
            if (pack.Header.From == row.From && pack.Header.To == row.To)
            {
                return pack;
            }

            var found = pack.Header;
            pack.Dispose();
            Report(row, $"it leads from {found.From} to {found.To}, not from {row.From} to {row.To}");
            return null;
        }
        catch (Exception error) when (error is PackFormatException or IOException or UnauthorizedAccessException)
        {
            Report(row, error.Message);
            return null;
        }
    }

    public IReadOnlyList<BlobInfo> BlobsOf(PackRow row)
    {
        if (IsDamaged(row))
        {
            return [];
        }

        if (blobs.TryGetValue(row.File, out var known))
        {
            return known;
        }

        using var pack = TryOpen(row);
        return pack is null ? [] : blobs.GetOrAdd(row.File, [.. pack.Blobs]);
    }

    /// <summary>Null when they cannot be read: the pack is remembered as damaged then.</summary>
    public PackChanges? ChangesOf(PackRow row) => ReadChanges(row)?.Changes;

    /// <summary>The same, with the version the pack says it leads to.</summary>
    public (PackChanges Changes, VersionRecord To)? ReadChanges(PackRow row)
    {
        using var pack = TryOpen(row);
        try
        {
            return pack is null ? null : (pack.ReadChanges(), pack.Version);
        }
        catch (Exception error) when (error is PackFormatException or IOException)
        {
            Report(row, error.Message);
            return null;
        }
    }

    public void Report(PackRow row, string reason)
    {
        if (damaged.TryAdd(row.File, reason))
        {
            Interlocked.Increment(ref damageCount);
        }
    }

    public void Report(PackRow row, ContentHash blob, string reason)
    {
        if (damagedBlobs.TryAdd((row.File, blob), reason))
        {
            Interlocked.Increment(ref damageCount);
        }
    }

    /// <summary>A file was replaced or removed: nothing known about it holds.</summary>
    public void Forget(string file)
    {
        blobs.TryRemove(file, out _);
        var forgiven = damaged.TryRemove(file, out _);
        foreach (var key in damagedBlobs.Keys.Where(key => key.File == file))
        {
            forgiven |= damagedBlobs.TryRemove(key, out _);
        }

        if (forgiven)
        {
            Interlocked.Increment(ref damageCount);
        }
    }

    /// <summary>What is known to be wrong with a blob, or with the pack it is in.</summary>
    public string FaultOf(PackRow row, ContentHash blob) =>
        $"{row.File}: {damaged.GetValueOrDefault(row.File) ?? damagedBlobs.GetValueOrDefault((row.File, blob)) ?? $"the content {blob} cannot be read"}";

    /// <summary>Of these packs all that is known to be damaged, a line for each pack or blob. One that was exchanged for another is not there, and not damaged.</summary>
    public IReadOnlyList<string> DamageLines(IReadOnlyList<PackRow> among)
    {
        var files = among.Select(static row => row.File).ToHashSet();
        return [.. DamageLines().Where(line => files.Contains(line[..line.IndexOf(':', StringComparison.Ordinal)]))];
    }

    /// <summary>All that is known to be damaged, a line for each pack or blob.</summary>
    public IReadOnlyList<string> DamageLines() =>
        [.. damaged.Select(pair => $"{pair.Key}: {pair.Value}").Concat(damagedBlobs.Select(pair => $"{pair.Key.File}: {pair.Value}")).Order(StringComparer.Ordinal)];

    /// <summary>One sentence for an error, or nothing.</summary>
    public string DescribeDamage()
    {
        var packs = DamageLines();
        return packs.Count == 0 ? "" : $" Damaged packs: {string.Join("; ", packs.Take(5).Select(pack => pack.TrimEnd('.')))}{(packs.Count > 5 ? $"; and {packs.Count - 5} more" : "")}.";
    }
}
