using System.Collections;
using System.Runtime.CompilerServices;

namespace Mirror.Store.Manifests;

/// <summary>
/// Entries in manifest order, in pages that manifests share: a version that changes a few paths copies the pages those are in, and no more. Beside each entry is its hash,
/// none where not computed yet; a page's hashes are written by the manifest that made it only, and by nobody once they are complete.
/// Each look at an entry makes an object of it.
/// </summary>
[SkipLocalsInit]
internal sealed partial class EntryList : IReadOnlyList<Entry>
{
    private const int PageSize = 512;

    private readonly EntryPage[] pages;

    /// <summary>Where each page begins, counted in entries.</summary>
    private readonly int[] starts;

    private EntryList(EntryPage[] pages)
    {
        this.pages = pages;
        starts = new int[pages.Length];
        for (var page = 0; page < pages.Length; page++)
        {
            starts[page] = Count;
            Count += pages[page].Count;
        }
    }

    public int Count { get; }

    /// <summary>So many removals left it in so many small pages that it is worth being written anew.</summary>
    public bool IsFragmented => pages.Length > 16 + (Count / PageSize * 4);

    public Entry this[int index]
    {
        get
        {
            var walk = new Walk(this, stackalloc byte[EntryPath.MaxLength]);
            walk.MoveTo(index);
            return walk.Entry;
        }
    }

    public static EntryList From(in EntryRows rows)
    {
        var pages = new List<EntryPage>();
        AddPages(pages, rows);
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

    public SeenStat StatAt(int index)
    {
        var (page, at) = Place(index);
        return page.Stats is { } stats ? stats[at] : default;
    }

    /// <summary>Also of manifests that share the page: stats are about the tree as it is, whoever asks.</summary>
    public void SetStat(int index, SeenStat stat)
    {
        var (page, at) = Place(index);
        (page.Stats ??= new SeenStat[page.Count])[at] = stat;
    }

    /// <summary>Places of the entries whose stat satisfies.</summary>
    public IEnumerable<int> WhereStat(Func<SeenStat, bool> satisfies)
    {
        for (var page = 0; page < pages.Length; page++)
        {
            if (pages[page].Stats is { } stats)
            {
                for (var at = 0; at < stats.Length; at++)
                {
                    if (satisfies(stats[at]))
                    {
                        yield return starts[page] + at;
                    }
                }
            }
        }
    }

    public void ForgetStats() => Array.ForEach(pages, static page => page.Stats = null);

    public EntryRows ToRows()
    {
        var rows = new EntryRows(new Entry[Count], new ContentHash[Count], Array.Exists(pages, static page => page.Stats is not null) ? new SeenStat[Count] : []);
        for (var page = 0; page < pages.Length; page++)
        {
            pages[page].Unpack().CopyTo(rows.Entries, starts[page]);
            pages[page].Hashes.CopyTo(rows.Hashes, starts[page]);
            pages[page].Stats?.CopyTo(rows.Stats, starts[page]);
        }

        return rows;
    }

    /// <summary>On all cores, page by page.</summary>
    public void ForEachPage(Action<Entry[], ContentHash[]> visit) => Parallel.ForEach(pages, page => visit(page.Unpack(), page.Hashes));

    /// <summary>Where a path is; when it is not there the complement of where it would be.</summary>
    public int IndexOf(EntryPath path)
    {
        if (pages.Length == 0)
        {
            return ~0;
        }

        var page = PageOf(path.Bytes);
        var at = pages[page].IndexOf(path.Bytes);
        return at < 0 ? ~(starts[page] + ~at) : starts[page] + at;
    }

    /// <summary>Index of the first entry after this one that does not lie below it.</summary>
    public int EndOfSubtree(int index)
    {
        var walk = new Walk(this, stackalloc byte[EntryPath.MaxLength]);
        walk.MoveTo(index);
        return EndOfSubtree(index, walk.Path);
    }

    /// <param name="path">Of the entry at that place.</param>
    public int EndOfSubtree(int index, ReadOnlySpan<byte> path)
    {
        var first = PageAt(index);
        int low = first, high = pages.Length - 1;
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            (low, high) = EntryPath.IsWithin(pages[middle].FirstPath, path) ? (middle, high) : (low, middle - 1);
        }

        return starts[low] + pages[low].EndOf(path, low == first ? index - starts[low] : 0);
    }

    /// <summary>With these edits made.</summary>
    /// <param name="edits">In manifest order, each path once.</param>
    public EntryList With(List<EntryEdit> edits)
    {
        var next = new List<EntryPage>(pages.Length + 1);
        var at = 0;
        for (var page = 0; page < pages.Length; page++)
        {
            var from = at;
            while (at < edits.Count && (page + 1 == pages.Length || EntryPath.Compare(edits[at].Path.Bytes, pages[page + 1].FirstPath) < 0))
            {
                at++;
            }

            if (from == at)
            {
                next.Add(pages[page]);
            }
            else
            {
                AddPages(next, Edited(pages[page], edits, from, at));
            }
        }

        return new EntryList([.. next]);
    }

    public IEnumerator<Entry> GetEnumerator()
    {
        foreach (var page in pages)
        {
            foreach (var entry in page.Unpack())
            {
                yield return entry;
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private (EntryPage Page, int At) Place(int index)
    {
        var page = PageAt(index);
        return (pages[page], index - starts[page]);
    }

    private int PageAt(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
        var page = Array.BinarySearch(starts, index);
        return page < 0 ? ~page - 1 : page;
    }

    /// <summary>The page a path is in, or would be.</summary>
    private int PageOf(ReadOnlySpan<byte> path)
    {
        int low = 0, high = pages.Length - 1;
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            (low, high) = EntryPath.Compare(pages[middle].FirstPath, path) <= 0 ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    private static EntryRows Edited(EntryPage page, List<EntryEdit> edits, int from, int to)
    {
        var old = page.Unpack();
        var entries = new List<Entry>(old.Length + to - from);
        var hashes = new List<ContentHash>(old.Length + to - from);
        var stats = new List<SeenStat>(page.Stats is null ? 0 : old.Length + to - from);
        for (int at = 0, edit = from; at < old.Length || edit < to;)
        {
            var order = at == old.Length ? 1 : edit == to ? -1 : old[at].Path.CompareTo(edits[edit].Path);
            if (order < 0)
            {
                Add(old[at], page.Hashes[at], page.Stats?[at]);
            }
            else if (edits[edit].Put is { } put)
            {
                Add(put, default, page.Stats is null ? null : default(SeenStat));
            }
            else if (order == 0 && edits[edit].KeepsEntry)
            {
                Add(old[at], default, page.Stats?[at]);
            }

            at += order <= 0 ? 1 : 0;
            edit += order >= 0 ? 1 : 0;
        }

        return new EntryRows([.. entries], [.. hashes], [.. stats]);

        void Add(Entry entry, ContentHash hash, SeenStat? stat)
        {
            entries.Add(entry);
            hashes.Add(hash);
            if (stat is { } seen)
            {
                stats.Add(seen);
            }
        }
    }

    private static void AddPages(List<EntryPage> pages, in EntryRows rows)
    {
        // A page may grow to twice its size before it is divided, so that an addition divides few.
        var count = rows.Entries.Length;
        var parts = count <= 2 * PageSize ? 1 : (count + PageSize - 1) / PageSize;
        for (var part = 0; part < parts; part++)
        {
            var (from, to) = ((int)((long)count * part / parts), (int)((long)count * (part + 1) / parts));
            if (to > from)
            {
                pages.Add(EntryPage.Pack(rows.Entries.AsSpan(from, to - from), rows.Hashes.AsSpan(from, to - from), rows.Stats.Length == 0 ? [] : rows.Stats.AsSpan(from, to - from)));
            }
        }
    }
}

/// <summary>Entries as objects, and what lies beside each of them.</summary>
/// <param name="Stats">Empty where none is known.</param>
internal readonly record struct EntryRows(Entry[] Entries, ContentHash[] Hashes, SeenStat[] Stats);

/// <summary>What happens to one path: an entry is put there, or it goes, or it stays and only its hash no longer holds.</summary>
internal readonly record struct EntryEdit(EntryPath Path, Entry? Put, bool KeepsEntry);
