namespace Mirror.Store.Manifests;

/// <summary>
/// The sorted entries of a version. Immutable. The root directory is an entry too (the empty path). Lookup is a binary search; applying and comparing are
/// one pass over both sides, and a manifest made by <see cref="Apply"/> knows already the hashes of all that did not change.
/// </summary>
public sealed class Manifest
{
    private readonly Entry[] entries;

    /// <summary>Hash of each entry (of a directory: with all below it), none where not computed yet. Filled at most once, then never changed.</summary>
    private readonly ContentHash[] hashes;

    private readonly Lock gate = new();
    private bool hashed;
    private Dictionary<ContentHash, Entry>? contents;

    private Manifest(Entry[] entries, ContentHash[] hashes)
    {
        this.entries = entries;
        this.hashes = hashes;
        TotalBytes = ManifestRules.Check(entries);
    }

    public static Manifest Empty { get; } = new([], []);

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

        return new Manifest([.. sorted], new ContentHash[sorted.Count]);
    }

    public IReadOnlyList<Entry> Entries => entries;

    public Entry? Find(EntryPath path)
    {
        var at = IndexOf(path);
        return at < 0 ? null : entries[at];
    }

    /// <summary>A path that holds this content, if any: the first in manifest order.</summary>
    public Entry? FindContent(ContentHash hash)
    {
        lock (gate)
        {
            if (contents is null)
            {
                contents = [];
                foreach (var entry in entries)
                {
                    if (entry.Type == EntryType.File)
                    {
                        contents.TryAdd(entry.Hash, entry);
                    }
                }
            }

            return contents.GetValueOrDefault(hash);
        }
    }

    /// <summary>Bytes of all files, hard-link groups counted once.</summary>
    public long TotalBytes { get; }

    /// <summary>Root of the Merkle tree by directory (docs/format.md); cached. None for the empty manifest.</summary>
    public ContentHash Root
    {
        get
        {
            if (entries.Length == 0)
            {
                return default;
            }

            lock (gate)
            {
                if (!hashed)
                {
                    EntryHash.FillIn(entries, hashes);
                    hashed = true;
                }

                return hashes[0];
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
        var merged = new List<Entry>(entries.Length + delta.Put.Count);
        var kept = new List<ContentHash>(entries.Length + delta.Put.Count);
        int old = 0, put = 0, removed = 0;
        lock (gate)
        {
            while (old < entries.Length || put < delta.Put.Count)
            {
                var order = old == entries.Length ? 1 : put == delta.Put.Count ? -1 : entries[old].Path.CompareTo(delta.Put[put].Path);
                if (order >= 0)
                {
                    EntryRules.Check(delta.Put[put]);
                    merged.Add(delta.Put[put++]);
                    kept.Add(default);
                    old += order == 0 ? 1 : 0;
                    continue;
                }

                while (removed < delta.Removed.Count && delta.Removed[removed] < entries[old].Path)
                {
                    removed++;
                }

                if (removed == delta.Removed.Count || delta.Removed[removed] != entries[old].Path)
                {
                    merged.Add(entries[old]);
                    kept.Add(hashes[old]);
                }

                old++;
            }
        }

        if (merged.Count == 0)
        {
            return Empty;
        }

        var next = new Manifest([.. merged], [.. kept]);
        foreach (var entry in delta.Put)
        {
            next.ForgetAbove(entry.Path);
        }

        foreach (var path in delta.Removed)
        {
            next.ForgetAbove(path);
        }

        return next;
    }

    public static ManifestDelta Diff(Manifest from, Manifest to)
    {
        var put = new List<Entry>();
        var removed = new List<EntryPath>();
        int left = 0, right = 0;
        while (left < from.entries.Length || right < to.entries.Length)
        {
            var order = left == from.entries.Length ? 1
                : right == to.entries.Length ? -1
                : from.entries[left].Path.CompareTo(to.entries[right].Path);
            if (order < 0)
            {
                removed.Add(from.entries[left++].Path);
                continue;
            }

            if (order > 0 || !ReferenceEquals(from.entries[left], to.entries[right]))
            {
                if (order > 0 || !from.entries[left].Equals(to.entries[right]))
                {
                    put.Add(to.entries[right]);
                }
            }

            left += order == 0 ? 1 : 0;
            right++;
        }

        return new ManifestDelta(put, removed);
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

    private int IndexOf(EntryPath path)
    {
        int low = 0, high = entries.Length - 1;
        while (low <= high)
        {
            var middle = low + ((high - low) / 2);
            var order = entries[middle].Path.CompareTo(path);
            if (order == 0)
            {
                return middle;
            }

            if (order < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return -1;
    }

    /// <summary>The directories above a changed path must be hashed anew.</summary>
    private void ForgetAbove(EntryPath path)
    {
        while (!path.IsRoot)
        {
            path = path.Parent;
            var at = IndexOf(path);
            if (at >= 0)
            {
                hashes[at] = default;
            }
        }
    }
}
