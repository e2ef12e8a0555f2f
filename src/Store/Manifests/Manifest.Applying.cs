namespace Mirror.Store.Manifests;

/// <summary>How a manifest becomes the next one: page by page where little changes, else by going through all of it.</summary>
public sealed partial class Manifest
{
    /// <summary>When more than one entry in so many changes, it is simpler to go through all of them.</summary>
    private const int FewOf = 8;

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
