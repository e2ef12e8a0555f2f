using Mirror.Store.Manifests;

namespace Mirror.Store.Versions;

/// <summary>All that is said of an immutable version besides its manifest.</summary>
/// <param name="Time">When its capture began, by the origin's clock; shown to people, never used to expire anything.</param>
/// <param name="Root">Root of the manifest's Merkle tree.</param>
/// <param name="Chain">Hash over the parent's chain and this record: a rewritten past shows.</param>
public sealed partial record VersionRecord(
    string Site,
    VersionId Id,
    VersionId Parent,
    DateTimeOffset Time,
    string Origin,
    ContentHash Root,
    long Entries,
    long Bytes,
    IReadOnlyList<string> Dumps,
    ContentHash Chain);
