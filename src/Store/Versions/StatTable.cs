using Mirror.Store.Manifests;

namespace Mirror.Store.Versions;

/// <summary>The stats with which the files of the last version were captured, by path and by inode. For one capture: what it finds is in the next one's.</summary>
public sealed class StatTable(Manifest head)
{
    /// <summary>So many times all inodes are gone through; who asks for more gets a table.</summary>
    private const int Searches = 8;

    private SortedPlaces? byInode;
    private int searches;

    public static StatTable Empty { get; } = new(Manifest.Empty);

    public IEnumerable<EntryPath> Paths => head.WhereStat(static seen => seen.IsKnown).Select(place => head.Entries[place].Path);

    /// <exception cref="KeyNotFoundException"/>
    public StatKey this[EntryPath path] => head.StatOf(path) ?? throw new KeyNotFoundException($"No stat of \"{path}\" is known.");

    public bool TryGetValue(EntryPath path, out StatKey value)
    {
        var known = head.StatOf(path);
        value = known.GetValueOrDefault();
        return known is not null;
    }

    /// <summary>Where an inode was seen last: one path of a file with several names. Numbers of inodes are used again, so this may be about another file.</summary>
    public EntryPath? PathOf(ulong device, ulong inode)
    {
        var place = Interlocked.Increment(ref searches) <= Searches
            ? head.WhereStat(seen => seen.Inode == inode && seen.Device == device && seen.IsKnown).Cast<int?>().FirstOrDefault()
            : PlaceOf(device, inode);
        return place is { } found ? head.Entries[found].Path : null;
    }

    private int? PlaceOf(ulong device, ulong inode)
    {
        byInode ??= SortedPlaces.Of(head.WhereStat(static seen => seen.IsKnown).Select(place => (head.SeenAt(place).Inode, place)));
        foreach (var place in byInode.Of(inode))
        {
            if (head.SeenAt(place).Device == device)
            {
                return place;
            }
        }

        return null;
    }
}
