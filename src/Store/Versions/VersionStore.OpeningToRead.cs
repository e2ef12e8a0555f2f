using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Microsoft.Data.Sqlite;
using Mirror.Store.Manifests;
using Mirror.Store.Rebuilding;
using Mirror.Store.Retention;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

// Opening only to read: beside others who read, and where nothing can be written (a read-only or full file system, somebody else's directory).
public sealed partial class VersionStore
{
    /// <summary>
    /// A store at rest is read as it lies, by any number of processes at once. One that something was interrupted in is opened as usual first, so that it is at rest again; where
    /// that cannot be, since nothing can be written there, it is read as it was before what was interrupted (<see cref="IsReadOnly"/>).
    /// </summary>
    /// <exception cref="StoreInUseException">Somebody changes it.</exception>
    /// <exception cref="StoreException">No store, of a newer format, another site's, or its index is lost and cannot be rebuilt.</exception>
    public static Task<VersionStore> OpenToReadAsync(
        string directory, string site, TimeProvider time, CancellationToken cancellation, Func<EntryPath, bool>? privatePaths = null, IProgress<StoreProgress>? progress = null)
    {
        directory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        return Task.Run(() => OpenToRead(directory, site, time, privatePaths ?? (_ => false), progress, cancellation), cancellation);
    }

    private static VersionStore OpenToRead(
        string directory, string site, TimeProvider time, Func<EntryPath, bool> privatePaths, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        if (!File.Exists(Path.Combine(directory, "format")))
        {
            if (System.IO.Directory.Exists(directory))
            {
                StoreFormat.RefuseForeign(directory);
            }

            throw new StoreException($"There is no store in {directory}.");
        }

        StoreFormat.Check(directory);
        if (LookAt(directory, site, time, privatePaths, mustBeAtRest: true, progress, cancellation) is { } store)
        {
            return store;
        }

        try
        {
            return Open(directory, site, time, new StoreDisk(), privatePaths, progress, cancellation);
        }
        catch (Exception error) when (CannotWrite(error))
        {
            return LookAt(directory, site, time, privatePaths, mustBeAtRest: false, progress, cancellation)!;
        }
    }

    /// <summary>Packs of an operation that cannot be rolled back where nothing can be written.</summary>
    private IReadOnlyList<string> interrupted = [];

    private static bool CannotWrite(Exception error) => error is ReadOnlyStoreException || StoreLock.IsUnwritable(error)
        || error.InnerException is SqliteException { SqliteErrorCode: SqliteReadOnly or SqliteIoError or SqliteFull or SqliteCannotOpen };

    private const int SqliteReadOnly = 8;
    private const int SqliteIoError = 10;
    private const int SqliteFull = 13;
    private const int SqliteCannotOpen = 14;

    /// <returns>Null when it must be at rest and is not.</returns>
    [SuppressMessage("Reliability", "CA2000:Dispose objects before losing scope", Justification = "The store owns the lock and the index; both are disposed here when it does not come to be.")]
    private static VersionStore? LookAt(
        string directory, string site, TimeProvider time, Func<EntryPath, bool> privatePaths, bool mustBeAtRest, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var storeLock = StoreLock.TakeToRead(directory);

        // Made only when something has to be put there: a store at rest is read also where nothing at all can be written.
        var scratch = Path.Combine(Path.GetTempPath(), $"mirror-read-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}");
        VersionIndex? index = null;
        VersionStore? store = null;
        try
        {
            var path = Path.Combine(directory, "index.db");
            if (mustBeAtRest && (File.Exists(Path.Combine(directory, "journal")) || VersionIndex.HasLog(path)))
            {
                return null;
            }

            var file = new IndexFile(directory, site, new ReadOnlyDisk(new StoreDisk(), directory), privatePaths, progress, cancellation);
            IndexContents contents;
            if (!mustBeAtRest)
            {
                (index, contents) = file.OpenToRead(scratch);
                file.Remarks.Add($"{directory} cannot be written: it is read as it is, and nothing in it is changed.");
            }
            else if (file.TryOpenToRead(scratch, out _) is { } whole)
            {
                (index, contents) = whole;
            }
            else
            {
                return null;
            }

            var opened = new VersionStore(directory, site, contents.BlockSeed, new StoreDisk(), storeLock, index, time, privatePaths, readOnly: true, file.Remarks);
            opened.LookOn(contents);
            return store = opened;
        }
        finally
        {
            if (store is null)
            {
                index?.Dispose();
                storeLock.Dispose();
                if (System.IO.Directory.Exists(scratch))
                {
                    System.IO.Directory.Delete(scratch, recursive: true);
                }
            }
        }
    }

    /// <summary>What <see cref="Recover"/> would make of the store, without doing it: what was interrupted did not happen.</summary>
    private void LookOn(IndexContents contents)
    {
        var entry = ReadJournal(contents);
        interrupted = entry?.Packs ?? [];
        var currentSlot = slots.ReadCurrent();
        if (entry is { Phase: JournalPhase.Adopting } && contents.Mode == StoreMode.CapturingRoot)
        {
            // The root was on its way to be a slot; its files are there, and it is none yet.
            var underWay = slots.PathOf(entry.Slot);
            contents = contents with { LiveRoot = System.IO.Directory.Exists(contents.LiveRoot) && new FileInfo(contents.LiveRoot).LinkTarget is null ? contents.LiveRoot : underWay };
            currentSlot = null;
        }

        if (entry is { Phase: JournalPhase.Undoing } && entry.Operation != contents.Operation && currentSlot == entry.Slot)
        {
            currentSlot = SlotPair.Other(entry.Slot);
        }

        protections = ProtectedVersions.Read(Directory);
        state = StoreState.From(contents, currentSlot, Directory);
        var doubtful = entry is { Phase: JournalPhase.Applying } && entry.Operation != contents.Operation ? entry.Slot : null;
        var lost = LostSlots(doubtful);
        if (lost.Count == 0)
        {
            return;
        }

        var kept = state.Slots.Where(pair => !lost.Contains(pair.Key)).ToDictionary();
        if (state.Mode == StoreMode.Holding && state.HeadSlot is { } slot && lost.Contains(slot))
        {
            var manifest = CurrentManifest();
            var staged = state.Versions.Where(row => row.Staged).Select(row => row.Record.Id).ToHashSet();
            state = state with
            {
                Head = state.Current,
                HeadManifest = manifest,
                Versions = [.. state.Versions.Where(row => !row.Staged)],
                Packs = [.. state.Packs.Where(row => !staged.Contains(row.From))],
            };
        }

        state = state with { Slots = kept };
    }
}
