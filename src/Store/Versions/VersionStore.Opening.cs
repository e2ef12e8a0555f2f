using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

// Opening: take the lock, know the format, and roll back whatever was interrupted.
public sealed partial class VersionStore
{
    private const int FormatVersion = 1;
    private const int WouldBlock = 11;
    private const string FormatName = "mirror-store";
    private static readonly string[] ownDirectories = ["history", "outbox", "inbox"];

    /// <param name="directory">Created when absent (0711: the trees in it can be reached, all else is 0700).</param>
    /// <param name="privatePaths">Paths inside slots that belong to apps (live database files) and are no part of a version.</param>
    /// <exception cref="StoreException">Locked by another process, of a newer format, or another site's.</exception>
    public static Task<VersionStore> OpenAsync(
        string directory, string site, TimeProvider time, CancellationToken cancellation, Func<EntryPath, bool>? privatePaths = null) =>
        OpenAsync(directory, site, time, new StoreDisk(), privatePaths ?? (_ => false), cancellation);

    /// <summary>For tests: with a disk that fails on demand.</summary>
    internal static Task<VersionStore> OpenAsync(
        string directory, string site, TimeProvider time, IStoreDisk disk, Func<EntryPath, bool> privatePaths, CancellationToken cancellation) =>
        Task.Run(() => Open(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)), site, time, disk, privatePaths), cancellation);

    [SuppressMessage("Reliability", "CA2000:Dispose objects before losing scope", Justification = "The store owns the lock and the index; both are disposed here when it does not come to be.")]
    private static VersionStore Open(string directory, string site, TimeProvider time, IStoreDisk disk, Func<EntryPath, bool> privatePaths)
    {
        // A root that became the link to `current` is entered by web servers and apps of other users: they pass through, and the trees' own modes decide.
        disk.CreateDirectory("open: create store", directory, passable: true);
        RefuseForeign(directory);
        var storeLock = TakeLock(directory);
        VersionIndex? index = null;
        try
        {
            CheckFormat(directory, disk);
            disk.CreateDirectory("open: create slots", Path.Combine(directory, "slots"), passable: true);
            foreach (var name in ownDirectories)
            {
                disk.CreateDirectory("open: create directory", Path.Combine(directory, name));
            }

            index = OpenIndex(directory, site);
            var contents = index.Load();
            if (contents.Site != site)
            {
                throw new StoreException($"The store {directory} belongs to the site \"{contents.Site}\", not to \"{site}\". Name another directory.");
            }

            var store = new VersionStore(directory, site, contents.BlockSeed, disk, storeLock, index, time, privatePaths);
            store.Recover();
            return store;
        }
        catch
        {
            index?.Dispose();
            storeLock.Dispose();
            throw;
        }
    }

    /// <summary>flock on a file that says who: it ends with the process, however that ends.</summary>
    private static FileStream TakeLock(string directory)
    {
        var path = Path.Combine(directory, "lock");
        FileStream file;
        try
        {
            file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                BufferSize = 0,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch (IOException error) when (error.HResult != WouldBlock)
        {
            throw new StoreException($"The store {directory} cannot be locked: {error.Message} Every use of a store writes there (it ends what was interrupted): mend that, or copy the store to a place that can be written.", error);
        }
        catch (IOException error)
        {
            throw new StoreException($"The store {directory} is in use by another process{Holder(directory)}. Stop it, or ask it instead.", error);
        }

        var pid = System.Text.Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        file.SetLength(0);
        file.Write(pid);
        return file;
    }

    private static string Holder(string directory)
    {
        try
        {
            // .NET's own way of opening would ask for the lock, too.
            using var file = TreeScanner.OpenRead(directory, EntryPath.Parse("lock"));
            using var reader = new StreamReader(file);
            return reader.ReadLine() is { Length: > 0 and < 20 } pid ? $" (pid {pid})" : "";
        }
        catch (IOException)
        {
            // Who it is makes the message better; that somebody has it is known already.
            return "";
        }
    }

    /// <summary>Asked before the lock is taken, too: not even a lock file is left in a directory that is somebody else's.</summary>
    private static void RefuseForeign(string directory)
    {
        if (!File.Exists(Path.Combine(directory, "format"))
            && System.IO.Directory.EnumerateFileSystemEntries(directory).Select(Path.GetFileName).Any(name => name is not ("lock" or "format.tmp")))
        {
            throw new StoreException($"{directory} is not empty and not a store (it has no file \"format\"). Name an absent or empty directory.");
        }
    }

    private static void CheckFormat(string directory, IStoreDisk disk)
    {
        var path = Path.Combine(directory, "format");
        if (!File.Exists(path))
        {
            RefuseForeign(directory);
            disk.ReplaceFile("open: format", path, System.Text.Encoding.ASCII.GetBytes($"{FormatName} {FormatVersion}\n"));
            return;
        }

        var words = File.ReadAllText(path).Trim().Split(' ');
        if (words.Length != 2 || words[0] != FormatName || !int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var version))
        {
            throw new StoreException($"{path} does not say \"{FormatName} {FormatVersion}\": this is no store, or a damaged one.");
        }

        if (version > FormatVersion)
        {
            throw new StoreException($"The store {directory} has format {version}; this program knows {FormatVersion}. Use the newer program that wrote it.");
        }
    }

    private static VersionIndex OpenIndex(string directory, string site)
    {
        var path = Path.Combine(directory, "index.db");
        var create = !File.Exists(path);
        if (create && (new FileInfo(Path.Combine(directory, "current")).LinkTarget is not null
            || System.IO.Directory.EnumerateFileSystemEntries(Path.Combine(directory, "slots")).Any()
            || System.IO.Directory.EnumerateFileSystemEntries(Path.Combine(directory, "history")).Any()))
        {
            throw new StoreException($"{path} is gone, though the store has versions. Put it back from a backup, or move the store away and let this node fetch the site again; slots/*.version say what the slots hold.");
        }

        return VersionIndex.Open(path, create, site, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))));
    }
}
