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
        private readonly EntryList whole;
        private readonly SortedPlaces places;
        private readonly ImmutableDictionary<ContentHash, ImmutableSortedDictionary<EntryPath, Entry>> changed;

        private Holders(EntryList whole, SortedPlaces places, ImmutableDictionary<ContentHash, ImmutableSortedDictionary<EntryPath, Entry>> changed)
        {
            this.whole = whole;
            this.places = places;
            this.changed = changed;
        }

        public static Holders Of(EntryList entries) => new(
            entries,
            SortedPlaces.Of(entries.Select(static (entry, at) => (entry, at)).Where(static pair => pair.entry.Type == EntryType.File).Select(static pair => (pair.entry.Hash.A, pair.at))),
            ImmutableDictionary<ContentHash, ImmutableSortedDictionary<EntryPath, Entry>>.Empty);

        /// <summary>In manifest order.</summary>
        public Entry? First(ContentHash hash) => changed.TryGetValue(hash, out var now)
            ? now.IsEmpty ? null : now.First().Value
            : All(hash).MinBy(static entry => entry.Path);

        /// <summary>Null when so much has changed that a new table is better: this one keeps pages alive that nobody else has any more.</summary>
        public Holders? With(IReadOnlyList<Entry> gone, IReadOnlyList<Entry> put)
        {
            if (changed.Count > 1024 + (places.Count / 64))
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

            return new Holders(whole, places, next.ToImmutable());

            ImmutableSortedDictionary<EntryPath, Entry> Now(ContentHash hash) =>
                next.TryGetValue(hash, out var now) ? now : All(hash).ToImmutableSortedDictionary(static entry => entry.Path, static entry => entry);
        }

        private List<Entry> All(ContentHash hash)
        {
            var all = new List<Entry>();
            foreach (var place in places.Of(hash.A))
            {
                if (whole[place] is var entry && entry.Hash == hash)
                {
                    all.Add(entry);
                }
            }

            return all;
        }
    }
}
