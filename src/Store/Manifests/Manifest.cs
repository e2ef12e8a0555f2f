namespace Mirror.Store.Manifests;

/// <summary>
/// The sorted entries of a version. Immutable. The root directory is an entry too (the empty path). What <see cref="Apply"/> makes shares with what it was made from
/// all that did not change, entries, hashes and tables, and <see cref="Diff"/> passes over what is shared: both cost what the change is, however large the tree.
/// </summary>
public sealed partial class Manifest
{
    private readonly EntryList entries;
    private readonly ContentTable contents;
    private readonly LinkGroups links;
    private readonly Lock gate = new();

    /// <summary>Paths whose hashes are missing; null when any may be. Of no meaning once hashed.</summary>
    private List<EntryPath>? unhashed;
    private bool hashed;

    private Manifest(EntryList entries, ContentTable contents, LinkGroups links, long bytes, List<EntryPath>? unhashed)
    {
        this.entries = entries;
        this.contents = contents;
        this.links = links;
        this.unhashed = unhashed;
        TotalBytes = bytes;
    }

    public static Manifest Empty { get; } = Whole(new EntryRows([], [], []));

    /// <param name="sorted">In manifest order, each path once, each parent present and a directory; members of a hard-link group repeat their leader's data.</param>
    /// <exception cref="InvalidDataException">Order, duplicates or a missing parent; a hard link whose leader is absent or differs; an entry that is wrong by itself.</exception>
    public static Manifest FromSorted(IReadOnlyList<Entry> sorted)
    {
        if (sorted.Count == 0)
        {
            return Empty;
        }

        foreach (var entry in sorted)
        {
            EntryRules.Check(entry);
        }

        return Whole(new EntryRows([.. sorted], new ContentHash[sorted.Count], []));
    }

    public IReadOnlyList<Entry> Entries => entries;

    public Entry? Find(EntryPath path) => entries.IndexOf(path) is >= 0 and var at ? entries[at] : null;

    /// <summary>Where in <see cref="Entries"/> a path and all that lies below it are; an empty range when it is not there.</summary>
    public (int Start, int End) RangeOf(EntryPath path) => entries.IndexOf(path) is >= 0 and var at ? (at, entries.EndOfSubtree(at)) : default;

    /// <summary>Index of the first entry after this one that does not lie below it.</summary>
    internal int EndOfSubtree(int index) => entries.EndOfSubtree(index);

    /// <summary>The entries after a path, which need not be there itself.</summary>
    public IEnumerable<Entry> After(EntryPath path)
    {
        var at = entries.IndexOf(path);
        for (at = at < 0 ? ~at : at + 1; at < entries.Count; at++)
        {
            yield return entries[at];
        }
    }

    /// <summary>What lies in a directory itself, in order; nothing when it is not there.</summary>
    public IEnumerable<Entry> ChildrenOf(EntryPath directory)
    {
        var (start, end) = RangeOf(directory);
        for (var at = start + 1; at < end; at = entries.EndOfSubtree(at))
        {
            yield return entries[at];
        }
    }

    /// <summary>A path that holds this content, if any: the first in manifest order.</summary>
    public Entry? FindContent(ContentHash hash) => contents.Find(hash);

    /// <summary>Those of the hashes that some file has: without a table of all contents where there is none yet.</summary>
    internal HashSet<ContentHash> PresentOf(IReadOnlyCollection<ContentHash> asked)
    {
        if (asked.Count == 0)
        {
            return [];
        }

        if (contents.IsAtHand)
        {
            return [.. asked.Where(hash => contents.Find(hash) is not null)];
        }

        var wanted = asked as IReadOnlySet<ContentHash> ?? asked.ToHashSet();
        return [.. entries.Where(entry => entry.Type == EntryType.File && wanted.Contains(entry.Hash)).Select(entry => entry.Hash)];
    }

    /// <summary>The other paths of the file whose first path this is.</summary>
    internal IReadOnlyCollection<EntryPath> MembersOf(EntryPath path) => links.MembersOf(path);

    /// <summary>How many paths the file has that stands at this one: more than one for the first path of a hard-link group.</summary>
    internal int NamesOf(EntryPath path) => 1 + links.MembersOf(path).Count;

    /// <summary>Goes to entries one after the other without making objects of all.</summary>
    internal EntryList.Walk Walk(Span<byte> path) => new(entries, path);

    /// <summary>Bytes of all files, hard-link groups counted once.</summary>
    public long TotalBytes { get; }

    /// <summary>Root of the Merkle tree by directory (docs/format.md); cached. None for the empty manifest.</summary>
    public ContentHash Root
    {
        get
        {
            if (entries.Count == 0)
            {
                return default;
            }

            lock (gate)
            {
                if (!hashed)
                {
                    ComputeHashes();
                    hashed = true;
                    unhashed = null;
                }

                return entries.HashAt(0);
            }
        }
    }

    public static ManifestDelta Diff(Manifest from, Manifest to)
    {
        var put = new List<Entry>();
        var removed = new List<EntryPath>();
        EntryList.Compare(from.entries, to.entries, (left, right) =>
        {
            if (right is not null)
            {
                put.Add(right);
            }
            else
            {
                removed.Add(left!.Path);
            }
        });
        return new ManifestDelta(put, removed);
    }

    private static Manifest Whole(in EntryRows rows)
    {
        var bytes = ManifestRules.Check(rows.Entries);
        var list = EntryList.From(rows);
        return new Manifest(list, new ContentTable(list), LinkGroups.Of(rows.Entries), bytes, unhashed: null);
    }

    private void ComputeHashes()
    {
        if (unhashed is null)
        {
            EntryHash.FillIn(entries);
            return;
        }

        EntryHash.FillIn(entries, [.. unhashed.Select(entries.IndexOf).Where(at => at >= 0)]);
    }
}
