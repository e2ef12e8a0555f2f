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

    public VersionRow? Find(VersionId id) => Versions.FirstOrDefault(row => row.Record.Id == id);

    public ManifestGraph Graph(PackCatalogue catalogue) => new(catalogue, Packs, Head?.Id ?? default, HeadManifest);

    /// <summary>With these rows put in place of those with the same number.</summary>
    public IReadOnlyList<VersionRow> VersionsWith(params IEnumerable<VersionRow> rows)
    {
        var byId = Versions.ToDictionary(row => row.Record.Id);
        foreach (var row in rows)
        {
            byId[row.Record.Id] = row;
        }

        return [.. byId.Values.OrderBy(row => row.Record.Id)];
    }

    public IReadOnlyList<PackRow> PacksWith(params IEnumerable<PackRow> rows)
    {
        var byEnds = Packs.ToDictionary(row => (row.From, row.To));
        foreach (var row in rows)
        {
            byEnds[(row.From, row.To)] = row;
        }

        return [.. byEnds.Values];
    }
}
