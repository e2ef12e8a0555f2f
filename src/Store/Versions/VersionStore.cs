using System.Diagnostics.CodeAnalysis;
using Mirror.Delta;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Retention;
using Mirror.Store.Slots;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

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
/// <remarks>
/// Changing operations take turns; reading takes none. What is believed is swapped whole after an operation succeeded; one that failed is rolled back as opening would,
/// and if that fails too the store refuses everything until it is opened again.
/// </remarks>
public sealed partial class VersionStore : IAsyncDisposable
{
    private readonly IStoreDisk disk;
    private readonly IStoreDisk outside;
    private readonly StoreLock storeLock;
    private readonly VersionIndex index;
    private readonly SlotPair slots;
    private readonly Journal journal;
    private readonly PackCatalogue catalogue;
    private readonly TimeProvider time;
    private readonly Func<EntryPath, bool> isPrivate;
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly SemaphoreSlim historyTurn = new(1, 1);
    private volatile StoreState state = null!;
    private volatile ProtectedVersions protections = ProtectedVersions.None;
    private volatile string? broken;
    private bool touched;
    private bool disposed;

    private VersionStore(
        string directory, string site, ulong blockSeed, IStoreDisk disk, StoreLock storeLock, VersionIndex index, TimeProvider time, Func<EntryPath, bool> isPrivate,
        bool readOnly, IReadOnlyList<string> remarks)
    {
        Directory = directory;
        Site = site;
        BlockKey = new BlockKey(blockSeed);
        IsReadOnly = readOnly;
        Remarks = remarks;
        this.disk = readOnly ? new ReadOnlyDisk(disk, directory) : disk;
        outside = disk;
        this.storeLock = storeLock;
        this.index = index;
        this.time = time;
        this.isPrivate = isPrivate;
        slots = new SlotPair(directory, this.disk);
        journal = new Journal(directory, this.disk);
        catalogue = new PackCatalogue(HistoryDirectory, disk);
    }

    public string Directory { get; }
    public string Site { get; }

    /// <summary>Nothing of the store can be changed; whatever would is refused.</summary>
    public bool IsReadOnly { get; }

    /// <summary>What opening found and did that a person must know: an index that was rebuilt, a store that cannot be written. Mostly empty.</summary>
    public IReadOnlyList<string> Remarks { get; }

    public string OutboxDirectory => Path.Combine(Directory, "outbox");
    public string InboxDirectory => Path.Combine(Directory, "inbox");

    /// <summary>Secret of this site on this node; made when the store is.</summary>
    public BlockKey BlockKey { get; }

    /// <summary>Newest version held: staged or captured. Null in an empty store.</summary>
    public VersionRecord? Head => state.Head;

    /// <summary>Manifest of <see cref="Head"/>.</summary>
    public Manifest HeadManifest => state.HeadManifest;

    /// <summary>Version of the slot that <c>current</c> points to; null before the first flip, and for a live root that never was a slot. While the current slot is the live tree: <see cref="Head"/>.</summary>
    public VersionRecord? Current => state.Current;

    /// <summary>"a" or "b": the slot that <c>current</c> points to; null before the first flip, and for a live root that never was a slot.</summary>
    public string? CurrentSlot => state.CurrentSlot;

    /// <summary>Directory of <see cref="CurrentSlot"/>.</summary>
    public string? CurrentTree => state.CurrentSlot is { } slot ? slots.PathOf(slot) : null;

    /// <summary>True after a rejoin, until a fill is current: the tree at hand is a branch that the present history does not know. It is kept, never served.</summary>
    public bool IsDiverged => state is { Current: { } current } at && at.Find(current.Id) is { } row && BranchNote.IsBranch(row.Note);

    /// <summary>The path of the <c>current</c> link.</summary>
    public string CurrentLink => slots.CurrentLink;

    /// <summary>Directory of the slot that holds <see cref="Head"/> when it is staged and not yet flipped, else of the current one; the live root while that is captured.</summary>
    /// <exception cref="StoreException">The store holds no version.</exception>
    public string HeadTree => TreeOf(state) ?? throw NothingHeld();

    /// <summary>"a" or "b": the slot of <see cref="HeadTree"/>; "live" for a root that never was a slot.</summary>
    /// <exception cref="StoreException">The store holds no version.</exception>
    public string HeadSlot => state.Mode == StoreMode.CapturingRoot ? "live" : state.HeadSlot ?? throw NothingHeld();

    /// <summary>False while the head waits in the idle slot for a flip: a newer version, or the same one built anew because its tree was damaged.</summary>
    public bool IsHeadCurrent => state is { Head: null } || state is { HeadSlot: { } head } at && head == at.CurrentSlot;

    /// <summary>The live tree while capturing, also after a restart; null while holding.</summary>
    public LiveTree? Live => state switch
    {
        { Mode: StoreMode.CapturingRoot } root => new LiveTree(root.LiveRoot, "live", root.Head?.Id ?? default),
        { Mode: StoreMode.CapturingSlot } slot => new LiveTree(slots.PathOf(slot.CurrentSlot!), slot.CurrentSlot!, slot.Head!.Id),
        _ => null,
    };

    /// <summary>Names of the packs in <c>history</c> that the index knows.</summary>
    internal IEnumerable<string> PackFiles => state.Packs.Select(row => row.File);

    private string HistoryDirectory => Path.Combine(Directory, "history");

    private string ScratchDirectory => Path.Combine(Directory, "scratch");

    /// <summary>Packs that are made of others, before they are part of the history: apart from <c>scratch</c>, since that is a stage's.</summary>
    private string ThinningDirectory => Path.Combine(Directory, "thinning");

    public Task NoteAsync(VersionId version, string note, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            var row = state.Find(version) ?? throw Unknown(version);
            var noted = row with { Note = note };
            Touching();
            index.Commit(disk, "note", change => change.PutVersion(noted));
            state = state with { Versions = state.VersionsWith(noted) };
            return Task.CompletedTask;
        },
        cancellation);

    public async ValueTask DisposeAsync()
    {
        if (disposed)
        {
            return;
        }

        await turn.WaitAsync();
        disposed = true;
        broken = $"The store {Directory} was closed.";
        index.Dispose();
        storeLock.Dispose();
        turn.Release();
    }

    /// <summary>One changing operation at a time. A failure is rolled back before the next may begin.</summary>
    private async Task<T> InTurnAsync<T>(Func<Task<T>> operation, CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            if (broken is { } reason)
            {
                throw new StoreException(reason);
            }

            touched = false;
            try
            {
                return await operation();
            }
            catch (Exception failure) when (touched)
            {
                RollBack(failure);
                throw;
            }
        }
        finally
        {
            turn.Release();
        }
    }

    private Task InTurnAsync(Func<Task> operation, CancellationToken cancellation) => InTurnAsync(
        async () =>
        {
            await operation();
            return true;
        },
        cancellation);

    /// <summary>From here on the operation changes the disk: what stops it must be rolled back.</summary>
    private void Touching()
    {
        if (IsReadOnly)
        {
            throw new ReadOnlyStoreException($"The store {Directory} was opened only to be read: nothing in it can be changed. Copy it to a place that can be written, or mend this one.");
        }

        touched = true;
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "Whatever stops the roll-back, the store must refuse to go on; the reason is kept and thrown on every use.")]
    private void RollBack(Exception failure)
    {
        try
        {
            index.Refute(disk);
            Recover();
        }
        catch (Exception again)
        {
            broken = $"The store {Directory} could not be rolled back ({again.Message}) after a failure ({failure.Message}). Repair the disk and open the store again: nothing acknowledged is lost.";
        }
    }

    private string? TreeOf(StoreState at) =>
        at.Mode == StoreMode.CapturingRoot ? at.LiveRoot : at.HeadSlot is { } slot ? slots.PathOf(slot) : null;

    private StoreException NothingHeld() => new($"The store {Directory} holds no version yet. Capture or fetch one first.");

    private StoreException Unknown(VersionId version)
    {
        var known = state.Versions;
        return new StoreException($"The store {Directory} has no version {version}; {(known.Count == 0 ? "it is empty" : $"it has {known.Count}, {known[0].Record.Id} to {known[^1].Record.Id}")}.");
    }
}
