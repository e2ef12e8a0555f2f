namespace Mirror.Store.Manifests;

/// <summary>The stats that files were captured with: beside the entries, and no part of what the manifest is.</summary>
public sealed partial class Manifest
{
    /// <summary>The stats that files were captured with are beside their entries; what <see cref="Apply(ManifestDelta)"/> makes keeps those of entries it keeps.</summary>
    internal bool KnowsStats { get; private set; }

    /// <summary>The stat a file was captured with; null when that is not known.</summary>
    /// <param name="index">In <see cref="Entries"/>.</param>
    internal StatKey? StatAt(int index) => StatAt(index, entries[index]);

    /// <param name="entry">The one at that place.</param>
    internal StatKey? StatAt(int index, Entry entry) =>
        entries.StatAt(index) is { IsKnown: true } seen ? new StatKey(seen.Device, seen.Inode, entry.Size, seen.MtimeNs, seen.CtimeNs) : null;

    internal SeenStat SeenAt(int index) => entries.StatAt(index);

    internal StatKey? StatOf(EntryPath path) => entries.IndexOf(path) is >= 0 and var at ? StatAt(at) : null;

    /// <summary>Places of the entries whose stat satisfies.</summary>
    internal IEnumerable<int> WhereStat(Func<SeenStat, bool> satisfies) => entries.WhereStat(satisfies);

    /// <summary>Notes stats. One of a path that is not here, or of another size than its entry, is none.</summary>
    internal void Note(IEnumerable<KeyValuePair<EntryPath, StatKey>> stats)
    {
        KnowsStats = true;
        foreach (var (path, key) in stats)
        {
            if (entries.IndexOf(path) is >= 0 and var at)
            {
                var entry = entries[at];
                entries.SetStat(at, key.Size == entry.Size ? new SeenStat(key.Device, key.Inode, key.MtimeNs, key.CtimeNs) : default);
            }
        }
    }

    internal void ForgetStats()
    {
        KnowsStats = false;
        entries.ForgetStats();
    }
}
