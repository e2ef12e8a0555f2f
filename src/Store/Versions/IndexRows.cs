using Mirror.Store.Manifests;

namespace Mirror.Store.Versions;

internal enum StoreMode
{
    /// <summary>The slots are the store's own; versions arrive as packs.</summary>
    Holding,

    /// <summary>The current slot is the live tree, and the only slot.</summary>
    CapturingSlot,

    /// <summary>The live tree is a root that was never a slot.</summary>
    CapturingRoot,
}

/// <param name="Received">When it came to be here, by this machine's clock: what retention will go by, since a version's own time is only claimed.</param>
/// <param name="Staged">Came after <c>current</c>: taken back if its slot is lost before the flip.</param>
internal sealed record VersionRow(VersionRecord Record, DateTimeOffset Received, string Note, bool Staged);

/// <summary>A file in <c>history</c> that leads from one version to another.</summary>
internal sealed record PackRow(VersionId From, VersionId To, string File, bool Partial, long Bytes);

/// <summary>Everything the index holds that is kept in memory while the store is open.</summary>
internal sealed record IndexContents(
    string Site,
    ulong BlockSeed,
    StoreMode Mode,
    string LiveRoot,
    VersionId Head,
    Guid Operation,
    IReadOnlyList<VersionRow> Versions,
    IReadOnlyList<PackRow> Packs,
    IReadOnlyDictionary<string, VersionId> Slots,
    Manifest HeadManifest)
{
    /// <summary>Null in an empty store, and in an index that lost it.</summary>
    public VersionRecord? HeadRecord => Versions.FirstOrDefault(row => row.Record.Id == Head)?.Record;
}
