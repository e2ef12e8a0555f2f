using System.Diagnostics.CodeAnalysis;
using Mirror.Store.Manifests;
using Mirror.Store.Rebuilding;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

// Opening: take the lock, know the format, have an index, and roll back whatever was interrupted.
public sealed partial class VersionStore
{
    private static readonly string[] ownDirectories = ["history", "manifests", "outbox", "inbox"];

    /// <param name="directory">Created when absent (0711: the trees in it can be reached, all else is 0700).</param>
    /// <param name="privatePaths">Paths inside slots that belong to apps (live database files) and are no part of a version.</param>
    /// <param name="progress">Told when the index has to be rebuilt, which may take long.</param>
    /// <exception cref="StoreInUseException"/>
    /// <exception cref="ReadOnlyStoreException">Nothing can be written there.</exception>
    /// <exception cref="StoreException">Of a newer format, another site's, or its index is lost and cannot be rebuilt.</exception>
    public static Task<VersionStore> OpenAsync(
        string directory, string site, TimeProvider time, CancellationToken cancellation, Func<EntryPath, bool>? privatePaths = null, IProgress<StoreProgress>? progress = null) =>
        OpenAsync(directory, site, time, new StoreDisk(), privatePaths ?? (_ => false), cancellation, progress);

    /// <summary>For tests: with a disk that fails on demand.</summary>
    internal static Task<VersionStore> OpenAsync(
        string directory, string site, TimeProvider time, IStoreDisk disk, Func<EntryPath, bool> privatePaths, CancellationToken cancellation, IProgress<StoreProgress>? progress = null) =>
        Task.Run(() => Open(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)), site, time, disk, privatePaths, progress, cancellation), cancellation);

    [SuppressMessage("Reliability", "CA2000:Dispose objects before losing scope", Justification = "The store owns the lock and the index; both are disposed here when it does not come to be.")]
    private static VersionStore Open(
        string directory, string site, TimeProvider time, IStoreDisk disk, Func<EntryPath, bool> privatePaths, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        // A root that became the link to `current` is entered by web servers and apps of other users: they pass through, and the trees' own modes decide.
        var above = NamesToSync(directory);
        disk.CreateDirectory("open: create store", directory, passable: true);
        StoreFormat.RefuseForeign(directory);
        var storeLock = StoreLock.Take(directory);
        VersionIndex? index = null;
        try
        {
            above.ForEach(parent => disk.SyncDirectory("open: sync store's parent", parent));
            StoreFormat.CheckOrWrite(directory, disk);
            disk.CreateDirectory("open: create slots", Path.Combine(directory, "slots"), passable: true);
            foreach (var name in ownDirectories)
            {
                disk.CreateDirectory("open: create directory", Path.Combine(directory, name));
            }

            var file = new IndexFile(directory, site, disk, privatePaths, progress, cancellation);
            (index, var contents) = file.Open();
            var store = new VersionStore(directory, site, contents.BlockSeed, disk, storeLock, index, time, privatePaths, readOnly: false, file.Remarks);
            disk.DeleteTree("open: clear thinning", store.ThinningDirectory);
            store.Recover(contents);
            return store;
        }
        catch
        {
            index?.Dispose();
            storeLock.Dispose();
            throw;
        }
    }

    /// <summary>Directories in which the name of a new store, or of one above it, is new: what it will hold is durable only when its name is.</summary>
    private static List<string> NamesToSync(string directory)
    {
        var parents = new List<string>();
        for (var name = directory; Path.GetDirectoryName(name) is { } parent && (name == directory ? !File.Exists(Path.Combine(name, "format")) : !Path.Exists(name)); name = parent)
        {
            parents.Add(parent);
        }

        return parents;
    }
}
