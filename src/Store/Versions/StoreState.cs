using Mirror.Store.History;
using Mirror.Store.Manifests;

namespace Mirror.Store.Versions;

/// <summary>What is on disk and what the index says do not fit together.</summary>
internal sealed class UnfitIndexException(string message) : StoreException(message);

/// <summary>All that is known of the store at one moment. Immutable; an operation that succeeded swaps it whole, so readers need no lock.</summary>
internal sealed record StoreState
{
    public required StoreMode Mode { get; init; }
    public required string LiveRoot { get; init; }
    public required VersionRecord? Head { get; init; }
    public required Manifest HeadManifest { get; init; }
    public required VersionRecord? Current { get; init; }
    public required string? CurrentSlot { get; init; }
    public required IReadOnlyDictionary<string, VersionId> Slots { get; init; }

    /// <summary>Sorted by number.</summary>
    public required IReadOnlyList<VersionRow> Versions { get; init; }

    public required IReadOnlyList<PackRow> Packs { get; init; }

    /// <summary>The slot that holds the head; when both do, the one that is not current was made anew to heal it. Null in an empty store and for a root that never was a slot.</summary>
    public string? HeadSlot => Head is null || Mode == StoreMode.CapturingRoot ? null
        : Mode == StoreMode.CapturingSlot ? CurrentSlot
        : Slots.OrderBy(pair => pair.Key == CurrentSlot).First(pair => pair.Value == Head.Id).Key;

    /// <exception cref="UnfitIndexException"/>
    public static StoreState From(IndexContents index, string? currentSlot, string directory)
    {
        VersionRecord? RecordOf(VersionId id, string what) => id.IsNone ? null
            : index.Versions.FirstOrDefault(row => row.Record.Id == id)?.Record
                ?? throw new UnfitIndexException($"The index of {directory} has no record of version {id}, its {what}. Move the store away and let this node fetch the site again.");

        var current = index.Mode == StoreMode.CapturingSlot ? index.Head
            : currentSlot is null ? default
            : index.Slots.TryGetValue(currentSlot, out var inSlot) ? inSlot
            : throw new UnfitIndexException(
                $"{directory}/current points to slot {currentSlot}, which the index does not know. Point it to the other slot if that is whole, or move the store away and let this node fetch the site again.");
        var head = RecordOf(index.Head, "head");
        if (head is not null && index.HeadManifest.Root != head.Root)
        {
            throw new UnfitIndexException(
                $"The manifest of {head.Id} in {directory}/index.db has root {index.HeadManifest.Root}, not {head.Root}: the index is damaged. Move the store away and let this node fetch the site again.");
        }

        return new StoreState
        {
            Mode = index.Mode,
            LiveRoot = index.LiveRoot,
            Head = head,
            HeadManifest = index.HeadManifest,
            Current = RecordOf(current, "current version"),
            CurrentSlot = currentSlot,
            Slots = index.Slots,
            Versions = index.Versions,
            Packs = index.Packs,
        };
    }

    public VersionRow? Find(VersionId id) => PlaceOf(id) is >= 0 and var at ? Versions[at] : null;

    public ManifestGraph Graph(PackCatalogue catalogue) => new(catalogue, Packs, Head?.Id ?? default, HeadManifest, Versions);

    /// <summary>With these rows put in place of those with the same number. Most often they are the newest: nothing is sorted then.</summary>
    public IReadOnlyList<VersionRow> VersionsWith(params IEnumerable<VersionRow> rows)
    {
        var next = new List<VersionRow>(Versions.Count + 1);
        next.AddRange(Versions);
        foreach (var row in rows)
        {
            var at = Place(next, row.Record.Id);
            if (at >= 0)
            {
                next[at] = row;
            }
            else
            {
                next.Insert(~at, row);
            }
        }

        return next;
    }

    /// <summary>Nothing waits for a flip any more.</summary>
    public IReadOnlyList<VersionRow> VersionsFlipped() => VersionsWith(Versions.Where(row => row.Staged).Select(row => row with { Staged = false }));

    public IReadOnlyList<PackRow> PacksWith(params IEnumerable<PackRow> rows)
    {
        var next = new List<PackRow>(Packs.Count + 1);
        next.AddRange(Packs);
        foreach (var row in rows)
        {
            var at = next.FindIndex(known => known.From == row.From && known.To == row.To);
            if (at >= 0)
            {
                next[at] = row;
            }
            else
            {
                next.Add(row);
            }
        }

        return next;
    }

    private int PlaceOf(VersionId id) => Place(Versions, id);

    private static int Place(IReadOnlyList<VersionRow> sorted, VersionId id)
    {
        int low = 0, high = sorted.Count - 1;
        while (low <= high)
        {
            var middle = low + ((high - low) / 2);
            var order = sorted[middle].Record.Id.CompareTo(id);
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return ~low;
    }
}
