namespace Mirror.Store.Manifests;

/// <summary>
/// The sorted entries of a version. Immutable. The root directory is an entry too (the empty path). What <see cref="Apply"/> makes shares with what it was made from
/// all that did not change, entries, hashes and tables, and <see cref="Diff"/> passes over what is shared: both cost what the change is, however large the tree.
/// </summary>
public sealed class Manifest
{
    /// <summary>When more than one entry in so many changes, it is simpler to go through all of them.</summary>
    private const int FewOf = 8;

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

    /// <summary>A path to remove that is not there is fine; to put one that is there replaces it.</summary>
    /// <exception cref="InvalidDataException">The delta is not sorted, or the outcome would not be a manifest.</exception>
    public Manifest Apply(ManifestDelta delta)
    {
        if (delta.IsEmpty)
        {
            return this;
        }

        CheckSorted(delta);
        foreach (var entry in delta.Put)
        {
            EntryRules.Check(entry);
        }

        // Pages can be shared when nobody will write hashes into them any more.
        return (delta.Put.Count + delta.Removed.Count) * FewOf < entries.Count && !Root.IsNone && ApplyFew(delta) is { } next ? next : ApplyToAll(delta);
    }

    /// <summary>The manifest of these entries, and how it differs from this one: whatever is equal is shared, and neither checked nor hashed again.</summary>
    /// <param name="sorted">As for <see cref="FromSorted"/>.</param>
    /// <exception cref="InvalidDataException">As for <see cref="FromSorted"/>.</exception>
    public (Manifest Manifest, ManifestDelta Changes) Become(IReadOnlyList<Entry> sorted) => Become(sorted, entries);

    /// <summary>The same where only some entries are told anew, and all others stay.</summary>
    /// <param name="sorted">In manifest order, each path once.</param>
    /// <param name="instead">The entries of this manifest that they take the place of, in manifest order.</param>
    public (Manifest Manifest, ManifestDelta Changes) Become(IReadOnlyList<Entry> sorted, IEnumerable<Entry> instead)
    {
        var put = new List<Entry>();
        var removed = new List<EntryPath>();
        var at = 0;
        using var old = instead.GetEnumerator();
        var more = old.MoveNext();
        for (; at < sorted.Count; at++)
        {
            var entry = sorted[at];
            if (at > 0 && sorted[at - 1].Path >= entry.Path)
            {
                throw new InvalidDataException($"The entries are refused: \"{entry.Path}\" is out of order or there twice.");
            }

            var order = -1;
            while (more && (order = old.Current.Path.CompareTo(entry.Path)) < 0)
            {
                removed.Add(old.Current.Path);
                more = old.MoveNext();
            }

            if (!more || order != 0 || !old.Current.Equals(entry))
            {
                put.Add(entry);
            }

            more = more && (order != 0 || old.MoveNext());
        }

        for (; more; more = old.MoveNext())
        {
            removed.Add(old.Current.Path);
        }

        var changes = new ManifestDelta(put, removed);
        return (Apply(changes), changes);
    }

    /// <inheritdoc cref="Apply(ManifestDelta)"/>
    public Manifest Apply(PackChanges changes) => Apply(changes.Over(this));

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

    /// <summary>Null when the outcome is no manifest, or when so little is left of some pages that all are better written anew.</summary>
    private Manifest? ApplyFew(ManifestDelta delta)
    {
        var put = delta.Put.Select(entry => entry.Path).ToHashSet();
        var removed = delta.Removed.Where(path => !put.Contains(path)).ToHashSet();
        var gone = put.Concat(removed).Select(Find).OfType<Entry>().ToList();

        // Whatever lies above a change must be hashed anew.
        var above = new HashSet<EntryPath>();
        foreach (var path in put.Concat(removed))
        {
            for (var parent = path; !parent.IsRoot;)
            {
                parent = parent.Parent;
                if (!above.Add(parent))
                {
                    break;
                }
            }
        }

        var edits = delta.Put.Select(entry => new EntryEdit(entry.Path, entry, KeepsEntry: false))
            .Concat(removed.Select(path => new EntryEdit(path, null, KeepsEntry: false)))
            .Concat(above.Where(path => !put.Contains(path) && !removed.Contains(path)).Select(path => new EntryEdit(path, null, KeepsEntry: true)))
            .ToList();
        edits.Sort(static (left, right) => left.Path.CompareTo(right.Path));

        var list = entries.With(edits);
        var groups = links.With(gone, delta.Put);
        var bytes = TotalBytes - gone.Aggregate(Int128.Zero, static (sum, entry) => sum + Counted(entry)) + delta.Put.Aggregate(Int128.Zero, static (sum, entry) => sum + Counted(entry));
        return list.IsFragmented || !ManifestRules.StillHold(list, delta, groups, bytes)
            ? null
            : new Manifest(list, new ContentTable(list, contents, gone, delta.Put), groups, (long)bytes, [.. edits.Where(edit => edit.Put is not null || edit.KeepsEntry).Select(edit => edit.Path)]) { KnowsStats = KnowsStats };
    }

    private static Int128 Counted(Entry entry) => entry.HardlinkOf is null && entry.Type != EntryType.Directory ? entry.Size : 0;

    private Manifest ApplyToAll(ManifestDelta delta)
    {
        EntryRows old;
        lock (gate)
        {
            old = entries.ToRows();
        }

        var merged = new List<Entry>(old.Entries.Length + delta.Put.Count);
        var kept = new List<ContentHash>(old.Entries.Length + delta.Put.Count);
        var stats = new List<SeenStat>(old.Stats.Length);
        int at = 0, put = 0, removed = 0;
        while (at < old.Entries.Length || put < delta.Put.Count)
        {
            var order = at == old.Entries.Length ? 1 : put == delta.Put.Count ? -1 : old.Entries[at].Path.CompareTo(delta.Put[put].Path);
            if (order >= 0)
            {
                Add(delta.Put[put++], default, default);
                at += order == 0 ? 1 : 0;
                continue;
            }

            while (removed < delta.Removed.Count && delta.Removed[removed] < old.Entries[at].Path)
            {
                removed++;
            }

            if (removed == delta.Removed.Count || delta.Removed[removed] != old.Entries[at].Path)
            {
                Add(old.Entries[at], old.Hashes[at], old.Stats.Length == 0 ? default : old.Stats[at]);
            }

            at++;
        }

        if (merged.Count == 0)
        {
            return Empty;
        }

        var next = Whole(new EntryRows([.. merged], [.. kept], [.. stats]));
        next.KnowsStats = KnowsStats;
        if (old.Entries.Length > 0)
        {
            next.ForgetAbove(delta.Put.Select(entry => entry.Path).Concat(delta.Removed));
        }

        return next;

        void Add(Entry entry, ContentHash hash, SeenStat stat)
        {
            merged.Add(entry);
            kept.Add(hash);
            if (old.Stats.Length > 0)
            {
                stats.Add(stat);
            }
        }
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

    private static void CheckSorted(ManifestDelta delta)
    {
        for (var at = 1; at < delta.Put.Count; at++)
        {
            if (delta.Put[at - 1].Path >= delta.Put[at].Path)
            {
                throw new InvalidDataException($"The changes are refused: \"{delta.Put[at].Path}\" is out of order or there twice.");
            }
        }

        for (var at = 1; at < delta.Removed.Count; at++)
        {
            if (delta.Removed[at - 1] >= delta.Removed[at])
            {
                throw new InvalidDataException($"The removals are refused: \"{delta.Removed[at]}\" is out of order or there twice.");
            }
        }
    }

    /// <summary>
    /// The directories above changed paths must be hashed anew. One that has no hash is put or was met before: those above it have none either, or will have none when its own turn comes.
    /// </summary>
    private void ForgetAbove(IEnumerable<EntryPath> paths)
    {
        EntryPath? last = null;
        foreach (var path in paths)
        {
            if (last is { } done && path.IsChildOf(done))
            {
                continue;
            }

            last = path.Parent;
            for (var above = path; !above.IsRoot;)
            {
                above = above.Parent;
                if (entries.IndexOf(above) is not (>= 0 and var at))
                {
                    continue;
                }

                if (entries.HashAt(at).IsNone)
                {
                    break;
                }

                entries.SetHash(at, default);
            }
        }
    }
}
