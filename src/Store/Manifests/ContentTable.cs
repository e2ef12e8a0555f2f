using System.Collections.Immutable;

namespace Mirror.Store.Manifests;

/// <summary>
/// Which paths hold a content. Made when it is first asked, from the whole manifest; of a manifest that was made by a few changes to another, whose table is there by then,
/// by the same changes to that table.
/// </summary>
internal sealed class ContentTable
{
    /// <summary>Changes are not remembered over more steps than this, if nobody asks for a table in between.</summary>
    private const int MostSteps = 64;

    private readonly Lock gate = new();
    private readonly EntryList entries;
    private readonly int steps;
    private ContentTable? before;
    private IReadOnlyList<Entry> gone = [];
    private IReadOnlyList<Entry> put = [];
    private volatile Holders? holders;

    public ContentTable(EntryList entries) => this.entries = entries;

    /// <param name="gone">Entries of the table before that are replaced or removed.</param>
    public ContentTable(EntryList entries, ContentTable before, IReadOnlyList<Entry> gone, IReadOnlyList<Entry> put)
        : this(entries)
    {
        if (before.holders is not null || before.steps < MostSteps)
        {
            this.before = before;
            this.gone = gone;
            this.put = put;
            steps = before.holders is null ? before.steps + 1 : 1;
        }
    }

    /// <summary>Asking costs no pass over the whole manifest.</summary>
    public bool IsAtHand => holders is not null || before?.holders is not null;

    public Entry? Find(ContentHash hash) => Made().First(hash);

    private Holders Made()
    {
        if (holders is { } known)
        {
            return known;
        }

        lock (gate)
        {
            if (holders is null)
            {
                holders = (before?.holders is { } old ? old.With(gone, put) : null) ?? Holders.Of(entries);
                before = null;
                gone = put = [];
            }

            return holders;
        }
    }

    /// <summary>One table of a whole manifest, shared, and what was changed in it since.</summary>
    private sealed class Holders
    {
        private readonly Dictionary<ContentHash, Entry> first;

        /// <summary>All that hold it, of contents under several paths.</summary>
        private readonly Dictionary<ContentHash, List<Entry>> several;
        private readonly ImmutableDictionary<ContentHash, ImmutableSortedDictionary<EntryPath, Entry>> changed;

        private Holders(
            Dictionary<ContentHash, Entry> first, Dictionary<ContentHash, List<Entry>> several,
            ImmutableDictionary<ContentHash, ImmutableSortedDictionary<EntryPath, Entry>> changed)
        {
            this.first = first;
            this.several = several;
            this.changed = changed;
        }

        public static Holders Of(EntryList entries)
        {
            var first = new Dictionary<ContentHash, Entry>();
            var several = new Dictionary<ContentHash, List<Entry>>();
            foreach (var entry in entries)
            {
                if (entry.Type != EntryType.File || first.TryAdd(entry.Hash, entry))
                {
                    continue;
                }

                if (!several.TryGetValue(entry.Hash, out var all))
                {
                    several.Add(entry.Hash, all = [first[entry.Hash]]);
                }

                all.Add(entry);
            }

            return new Holders(first, several, ImmutableDictionary<ContentHash, ImmutableSortedDictionary<EntryPath, Entry>>.Empty);
        }

        /// <summary>In manifest order.</summary>
        public Entry? First(ContentHash hash) => changed.TryGetValue(hash, out var now)
            ? now.IsEmpty ? null : now.First().Value
            : first.GetValueOrDefault(hash);

        /// <summary>Null when so much has changed that a new table is better.</summary>
        public Holders? With(IReadOnlyList<Entry> gone, IReadOnlyList<Entry> put)
        {
            if (changed.Count > 4096 + (first.Count / 8))
            {
                return null;
            }

            var next = changed.ToBuilder();
            foreach (var entry in gone.Where(entry => entry.Type == EntryType.File))
            {
                next[entry.Hash] = Now(entry.Hash).Remove(entry.Path);
            }

            foreach (var entry in put.Where(entry => entry.Type == EntryType.File))
            {
                next[entry.Hash] = Now(entry.Hash).SetItem(entry.Path, entry);
            }

            return new Holders(first, several, next.ToImmutable());

            ImmutableSortedDictionary<EntryPath, Entry> Now(ContentHash hash) =>
                next.TryGetValue(hash, out var now) ? now
                : several.TryGetValue(hash, out var all) ? all.ToImmutableSortedDictionary(entry => entry.Path, entry => entry)
                : first.TryGetValue(hash, out var only) ? ImmutableSortedDictionary<EntryPath, Entry>.Empty.Add(only.Path, only)
                : ImmutableSortedDictionary<EntryPath, Entry>.Empty;
        }
    }
}
