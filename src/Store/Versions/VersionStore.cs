using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

/// <summary>A store problem the operator must know of: says what, where, and what to do next.</summary>
public class StoreException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Contents a pack neither brings nor finds in the tree: ask for a fill.</summary>
public sealed class MissingContentException(string message, IReadOnlyList<ContentHash> hashes) : StoreException(message)
{
    public IReadOnlyList<ContentHash> Hashes { get; } = hashes;
}

/// <param name="Restorable">Every byte of it can be rebuilt from this store alone.</param>
/// <param name="Note">Empty, or why the version is special: <c>unhealthy: …</c>, <c>diverged: …</c>.</param>
public sealed record KeptVersion(VersionRecord Record, bool Restorable, string Note);

/// <summary>Where the live tree is and which version it started from.</summary>
/// <param name="Tree">Directory apps run in: a slot, or the site's root before it was adopted.</param>
/// <param name="Slot"><c>a</c>, <c>b</c>, or <c>live</c> for a root that never was a slot.</param>
public sealed record LiveTree(string Tree, string Slot, VersionId Version);

public sealed record StoreFinding(string What, string Remedy);

/// <summary>Progress of long work: what is being done, and how far (bytes or items).</summary>
public sealed record StoreProgress(string Step, long Done, long Total);

/// <summary>
/// One site's versions on disk (DESIGN: slots a and b, current, history, outbox, inbox, index.db, journal). Two modes.
/// <list type="bullet">
/// <item>Holding: <see cref="StageAsync"/> brings the idle slot to the next version, verifies every changed file and the root, and writes the reverse diff;
/// <see cref="FlipAsync"/> makes it current by one atomic rename. Several versions may be staged before one flip.</item>
/// <item>Capturing: the live tree is written by its app; <see cref="RecordCaptureAsync"/> notes each captured version (no old contents are at hand, so its history entry
/// holds the old manifest only, "partial").</item>
/// </list>
/// Opening recovers: an interrupted stage or flip ends in exactly the old or the new version. One process at a time (a lock file says who).
/// </summary>
public sealed class VersionStore : IAsyncDisposable
{
    /// <param name="directory">Created when absent (0700).</param>
    /// <param name="privatePaths">Paths inside slots that belong to apps (live database files) and are no part of a version.</param>
    /// <exception cref="StoreException">Locked by another process, of a newer format, or another site's.</exception>
    public static Task<VersionStore> OpenAsync(string directory, string site, TimeProvider time, CancellationToken cancellation, Func<EntryPath, bool>? privatePaths = null) => throw new NotImplementedException();

    public string Directory => throw new NotImplementedException();
    public string Site => throw new NotImplementedException();
    public string OutboxDirectory => throw new NotImplementedException();
    public string InboxDirectory => throw new NotImplementedException();

    /// <summary>Secret of this site on this node; made when the store is.</summary>
    public BlockKey BlockKey => throw new NotImplementedException();

    /// <summary>Newest version held: staged or captured. Null in an empty store.</summary>
    public VersionRecord? Head => throw new NotImplementedException();

    /// <summary>Manifest of <see cref="Head"/>.</summary>
    public Manifest HeadManifest => throw new NotImplementedException();

    /// <summary>Version of the slot that <c>current</c> points to; null before the first flip.</summary>
    public VersionRecord? Current => throw new NotImplementedException();

    /// <summary>The path of the <c>current</c> link.</summary>
    public string CurrentLink => throw new NotImplementedException();

    /// <summary>Directory of the slot that holds <see cref="Head"/> when it is staged and not yet flipped, else of the current one.</summary>
    public string HeadTree => throw new NotImplementedException();

    /// <summary>"a" or "b": the slot of <see cref="HeadTree"/>.</summary>
    public string HeadSlot => throw new NotImplementedException();

    /// <summary>Newest last; diverged branches included, marked by their note.</summary>
    public IReadOnlyList<KeptVersion> Versions => throw new NotImplementedException();

    /// <exception cref="StoreException">Unknown version.</exception>
    public Manifest ManifestOf(VersionId version) => throw new NotImplementedException();

    // Holding

    /// <summary>
    /// Applies a pack that leads from <see cref="Head"/> (or from nothing: then contents are taken from the tree at hand wherever it has them) in the idle slot.
    /// Everything is durable when this returns; <see cref="Head"/> has moved; <see cref="Current"/> has not.
    /// </summary>
    /// <exception cref="PackFormatException"/><exception cref="MissingContentException"/><exception cref="StoreException">Wrong base, wrong hash, wrong root: the pack is refused and nothing moved.</exception>
    public Task<VersionRecord> StageAsync(string packPath, IProgress<StoreProgress>? progress, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Makes the staged slot current. The old slot stays until the next stage, so that apps in it can be drained.</summary>
    public Task FlipAsync(CancellationToken cancellation) => throw new NotImplementedException();

    public Task NoteAsync(VersionId version, string note, CancellationToken cancellation) => throw new NotImplementedException();

    // Capturing

    /// <summary>Before an app may write to the current slot: the idle one, which shares inodes with it, is given up.</summary>
    public Task<LiveTree> BeginCapturingAsync(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>A root that was never a slot: captured where it is, until the node becomes a replica.</summary>
    public Task<LiveTree> BeginCapturingAsync(string root, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>The live tree while capturing, also after a restart; null while holding.</summary>
    public LiveTree? Live => throw new NotImplementedException();

    /// <summary>For the embedded form, where captures are staged in the same store: stat keys and signatures of the source as of <see cref="Head"/>.</summary>
    public Task RememberSourceAsync(
        IReadOnlyDictionary<EntryPath, StatKey> statKeys, IReadOnlyDictionary<ContentHash, BlockSignature> newSignatures, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Makes <paramref name="root"/> a link to <c>current</c> on a node that holds: it must be absent, an empty directory, or that link already.</summary>
    /// <exception cref="StoreException">Something else is there; says what to do.</exception>
    public Task AdoptRootLinkAsync(string root, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Stat keys of the live tree as of <see cref="Head"/>, for the change test.</summary>
    public IReadOnlyDictionary<EntryPath, StatKey> StatKeys => throw new NotImplementedException();

    public BlockSignature? FindSignature(ContentHash hash) => throw new NotImplementedException();

    /// <summary>One transaction: the new head, its manifest, stat keys and signatures, and the old manifest into history.</summary>
    public Task RecordCaptureAsync(
        VersionRecord version, ManifestDelta changes, IReadOnlyDictionary<EntryPath, StatKey> statKeys,
        IReadOnlyDictionary<ContentHash, BlockSignature> newSignatures, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>
    /// Ends capturing: what the live tree holds beyond <paramref name="common"/> (the newest version it shares with the new primary) is kept as a diverged branch
    /// <paramref name="branchPack"/> (a pack common→live made by the caller; null when nothing differs), the root becomes a slot (renamed; <paramref name="root"/> becomes a link to
    /// <c>current</c>), and the store holds <paramref name="liveManifest"/> as its tree, ready for <see cref="StageAsync"/> of a fill.
    /// </summary>
    public Task EndCapturingAsync(string root, VersionId common, Manifest liveManifest, string? branchPack, string reason, CancellationToken cancellation) => throw new NotImplementedException();

    // Reading

    /// <summary>Materialises a version in a new or empty directory: built beside it, verified by hash and root, then renamed. Nothing is left behind on failure.</summary>
    /// <exception cref="StoreException">Not empty, unknown version, or no path of packs left: says which versions are still reachable.</exception>
    public Task RestoreAsync(VersionId version, string destination, IProgress<StoreProgress>? progress, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Checks the slots against their manifests (all contents when <paramref name="readData"/>), every pack, and the chain of version hashes.</summary>
    public Task<IReadOnlyList<StoreFinding>> VerifyAsync(bool readData, IProgress<StoreProgress>? progress, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Path of a kept pack, for a peer that asks; null when there is none.</summary>
    public string? FindPack(VersionId from, VersionId to) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
