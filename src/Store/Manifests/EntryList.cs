using System.Collections;

namespace Mirror.Store.Manifests;

/// <summary>
/// Entries in manifest order, in pages that manifests share: a version that changes a few paths copies the pages those are in, and no more. Beside each entry is its hash,
/// none where not computed yet; a page is written to by the manifest that made it only, and by nobody once its hashes are complete.
/// </summary>
internal sealed class EntryList : IReadOnlyList<Entry>
{
    private const int PageSize = 512;

    private readonly Page[] pages;

    /// <summary>Where each page begins, counted in entries.</summary>
    private readonly int[] starts;

    private EntryList(Page[] pages)
    {
        this.pages = pages;
        starts = new int[pages.Length];
        for (var page = 0; page < pages.Length; page++)
        {
            starts[page] = Count;
            Count += pages[page].Entries.Length;
        }
    }

    private sealed record Page(Entry[] Entries, ContentHash[] Hashes);

    public int Count { get; }

    /// <summary>So many removals left it in so many small pages that it is worth being written anew.</summary>
    public bool IsFragmented => pages.Length > 16 + (Count / PageSize * 4);

    public Entry this[int index]
    {
        get
        {
            var (page, at) = Place(index);
            return page.Entries[at];
        }
    }

    public static EntryList From(ReadOnlySpan<Entry> entries, ReadOnlySpan<ContentHash> hashes)
    {
        var pages = new List<Page>();
        AddPages(pages, entries, hashes);
        return new EntryList([.. pages]);
    }

    public ContentHash HashAt(int index)
    {
        var (page, at) = Place(index);
        return page.Hashes[at];
    }

    public void SetHash(int index, ContentHash hash)
    {
        var (page, at) = Place(index);
        page.Hashes[at] = hash;
    }

    public (Entry[] Entries, ContentHash[] Hashes) ToArrays()
    {
        var entries = new Entry[Count];
        var hashes = new ContentHash[Count];
        for (var page = 0; page < pages.Length; page++)
        {
            pages[page].Entries.CopyTo(entries, starts[page]);
            pages[page].Hashes.CopyTo(hashes, starts[page]);
        }

        return (entries, hashes);
    }

    public void SetHashes(ContentHash[] hashes)
    {
        for (var page = 0; page < pages.Length; page++)
        {
            hashes.AsSpan(starts[page], pages[page].Hashes.Length).CopyTo(pages[page].Hashes);
        }
    }

    /// <summary>Where a path is; when it is not there the complement of where it would be.</summary>
    public int IndexOf(EntryPath path)
    {
        if (pages.Length == 0)
        {
            return ~0;
        }

        var page = PageOf(path);
        var entries = pages[page].Entries;
        int low = 0, high = entries.Length - 1;
        while (low <= high)
        {
            var middle = low + ((high - low) / 2);
            var order = entries[middle].Path.CompareTo(path);
            if (order == 0)
            {
                return starts[page] + middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return ~(starts[page] + low);
    }

    /// <summary>Index of the first entry after this one that does not lie below it.</summary>
    public int EndOfSubtree(int index)
    {
        var path = this[index].Path;

        // Most directories are small: steps that double, then halves.
        var inside = index;
        var step = 1;
        while (inside + step < Count && this[inside + step].Path.IsWithin(path))
        {
            inside += step;
            step *= 2;
        }

        var outside = Math.Min(inside + step, Count);
        while (outside - inside > 1)
        {
            var middle = inside + ((outside - inside) / 2);
            (inside, outside) = this[middle].Path.IsWithin(path) ? (middle, outside) : (inside, middle);
        }

        return outside;
    }

    /// <summary>With these edits made.</summary>
    /// <param name="edits">In manifest order, each path once.</param>
    public EntryList With(List<EntryEdit> edits)
    {
        var next = new List<Page>(pages.Length + 1);
        var at = 0;
        for (var page = 0; page < pages.Length; page++)
        {
            var from = at;
            while (at < edits.Count && (page + 1 == pages.Length || edits[at].Path < pages[page + 1].Entries[0].Path))
            {
                at++;
            }

            if (from == at)
            {
                next.Add(pages[page]);
            }
            else
            {
                var (entries, hashes) = Edited(pages[page], edits, from, at);
                AddPages(next, entries, hashes);
            }
        }

        return new EntryList([.. next]);
    }

    /// <summary>What differs between two lists, path by path; pages that both share are passed over.</summary>
    public static void Compare(EntryList left, EntryList right, Action<Entry?, Entry?> differs)
    {
        var (leftAt, rightAt) = (new Cursor(left), new Cursor(right));
        while (!leftAt.AtEnd || !rightAt.AtEnd)
        {
            if (leftAt.PageStart is { } shared && ReferenceEquals(shared, rightAt.PageStart))
            {
                leftAt.SkipPage();
                rightAt.SkipPage();
                continue;
            }

            var order = leftAt.AtEnd ? 1 : rightAt.AtEnd ? -1 : leftAt.Entry.Path.CompareTo(rightAt.Entry.Path);
            if (order < 0)
            {
                differs(leftAt.Entry, null);
            }
            else if (order > 0)
            {
                differs(null, rightAt.Entry);
            }
            else if (!ReferenceEquals(leftAt.Entry, rightAt.Entry) && !leftAt.Entry.Equals(rightAt.Entry))
            {
                differs(leftAt.Entry, rightAt.Entry);
            }

            if (order <= 0)
            {
                leftAt.Next();
            }

            if (order >= 0)
            {
                rightAt.Next();
            }
        }
    }

    public IEnumerator<Entry> GetEnumerator()
    {
        foreach (var page in pages)
        {
            foreach (var entry in page.Entries)
            {
                yield return entry;
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private (Page Page, int At) Place(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        var page = Array.BinarySearch(starts, index);
        page = page < 0 ? ~page - 1 : page;
        return (pages[page], index - starts[page]);
    }

    /// <summary>The page a path is in, or would be.</summary>
    private int PageOf(EntryPath path)
    {
        int low = 0, high = pages.Length - 1;
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            (low, high) = pages[middle].Entries[0].Path <= path ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    private static (Entry[] Entries, ContentHash[] Hashes) Edited(Page page, List<EntryEdit> edits, int from, int to)
    {
        var entries = new List<Entry>(page.Entries.Length + to - from);
        var hashes = new List<ContentHash>(page.Entries.Length + to - from);
        for (int old = 0, edit = from; old < page.Entries.Length || edit < to;)
        {
            var order = old == page.Entries.Length ? 1 : edit == to ? -1 : page.Entries[old].Path.CompareTo(edits[edit].Path);
            if (order < 0)
            {
                entries.Add(page.Entries[old]);
                hashes.Add(page.Hashes[old]);
            }
            else if (edits[edit].Put is { } put)
            {
                entries.Add(put);
                hashes.Add(default);
            }
            else if (order == 0 && edits[edit].KeepsEntry)
            {
                entries.Add(page.Entries[old]);
                hashes.Add(default);
            }

            old += order <= 0 ? 1 : 0;
            edit += order >= 0 ? 1 : 0;
        }

        return ([.. entries], [.. hashes]);
    }

    private static void AddPages(List<Page> pages, ReadOnlySpan<Entry> entries, ReadOnlySpan<ContentHash> hashes)
    {
        // A page may grow to twice its size before it is divided, so that an addition divides few.
        var parts = entries.Length <= 2 * PageSize ? 1 : (entries.Length + PageSize - 1) / PageSize;
        for (var part = 0; part < parts; part++)
        {
            var (from, to) = ((int)((long)entries.Length * part / parts), (int)((long)entries.Length * (part + 1) / parts));
            if (to > from)
            {
                pages.Add(new Page(entries[from..to].ToArray(), hashes[from..to].ToArray()));
            }
        }
    }

    private struct Cursor(EntryList list)
    {
        private int page;
        private int at;

        public readonly bool AtEnd => page == list.pages.Length;

        public readonly Entry Entry => list.pages[page].Entries[at];

        /// <summary>The page that begins here.</summary>
        public readonly object? PageStart => at == 0 && !AtEnd ? list.pages[page] : null;

        public void SkipPage() => page++;

        public void Next()
        {
            if (++at == list.pages[page].Entries.Length)
            {
                page++;
                at = 0;
            }
        }
    }
}

/// <summary>What happens to one path: an entry is put there, or it goes, or it stays and only its hash no longer holds.</summary>
internal readonly record struct EntryEdit(EntryPath Path, Entry? Put, bool KeepsEntry);
