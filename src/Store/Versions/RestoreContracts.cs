using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

/// <summary>What of a version is restored, and how.</summary>
public sealed record RestoreOptions
{
    public static RestoreOptions Everything { get; } = new();

    /// <summary>A directory with all below it, or one entry; it becomes the destination. The root: everything.</summary>
    public EntryPath Path { get; init; }

    /// <summary>Only what differs from this version, with the directories above it; everything when null. Not in place.</summary>
    public VersionId? Since { get; init; }

    /// <summary>What is at the destination is replaced in one step, and kept until it is confirmed or undone.</summary>
    public bool InPlace { get; init; }

    /// <summary>Files that the store's newest tree holds unchanged become further names of its inodes: nothing is written for them, and whoever writes into one changes both.</summary>
    public bool Link { get; init; }
}

/// <summary>A pack or a tree a restore reads from.</summary>
/// <param name="Bytes">Of a pack: its deltas before compression. Of a tree: the files that are copied or built upon.</param>
public sealed record RestoreSource(string Name, long Contents, long Bytes);

/// <summary>What a restore would do. Making it reads manifests and indexes only.</summary>
/// <param name="ManifestWay">The packs that lead to the version's manifest, in turn; none for the newest version.</param>
/// <param name="Needed">Bytes of room, at least: files rounded up to blocks, holes and links not counted.</param>
/// <param name="Free">Bytes of room at the destination.</param>
/// <param name="Replaces">Something is at the destination, and is kept beside it.</param>
/// <param name="Damaged">What is known to be damaged and is gone round.</param>
/// <param name="Peers">Who says it has what this store does not.</param>
public sealed record RestorePlan(
    VersionRecord Version,
    string Destination,
    long Entries,
    long Files,
    long Linked,
    IReadOnlyList<string> ManifestWay,
    IReadOnlyList<RestoreSource> Sources,
    long BytesToRead,
    long BytesToWrite,
    long Needed,
    long Free,
    bool Replaces,
    IReadOnlyList<string> Damaged,
    IReadOnlyList<PeerShare> Peers);

/// <summary>Something damaged was passed by, and another way was taken.</summary>
/// <param name="Damaged">What, and how it showed.</param>
/// <param name="Instead">The way that held.</param>
public sealed record StoreDetour(string Damaged, string Instead);

/// <summary>What a restore did.</summary>
/// <param name="Detours">What it found damaged, and used instead.</param>
/// <param name="Damaged">All that is known to be damaged now.</param>
/// <param name="Unset">Metadata that could not be set for want of rights.</param>
/// <param name="Previous">Where the state from before is kept; null when there was none.</param>
/// <param name="Peers">Who contributed what this store does not have.</param>
public sealed record RestoreReport(
    VersionRecord Version,
    long Entries,
    long Files,
    long Bytes,
    long Linked,
    IReadOnlyList<StoreDetour> Detours,
    IReadOnlyList<string> Damaged,
    IReadOnlyList<UnreadablePath> Unset,
    string? Previous,
    IReadOnlyList<PeerShare> Peers);
