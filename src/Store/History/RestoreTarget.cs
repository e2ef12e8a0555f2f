using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>What a restore asks of its destination before it begins. Nothing is written here; whatever is refused was not touched.</summary>
internal static class RestoreTarget
{
    /// <summary>The kernel takes no longer path, its end included.</summary>
    private const int LongestPath = 4096;

    /// <summary>What is built beside a destination has a longer name, with names below.</summary>
    private const int RoomBeside = 48;

    /// <summary>The destination's full path.</summary>
    /// <exception cref="StoreException">Inside the store, or around it; not empty, and not to be replaced; no directory to be in; not to be written.</exception>
    public static string Check(string destination, bool inPlace, string storeDirectory)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
        if (Path.GetDirectoryName(full) is not { } parent)
        {
            throw new StoreException("The root of the file system cannot be a destination. Name a directory below it.");
        }

        if (!Directory.Exists(parent))
        {
            throw new StoreException($"The destination {full} has no parent directory. Create {parent} first.");
        }

        // By every detour of links: what lies in the store is the store's own, a live slot too.
        var (real, store) = (Path.Combine(Real(parent), Path.GetFileName(full)), Real(storeDirectory));
        if (IsWithin(real, store))
        {
            throw new StoreException(
                $"The destination {full} lies inside the store {storeDirectory}, which is the store's own. Name a directory outside; for a site whose root is a link into the store, restore beside it and copy what is wanted.");
        }

        RefuseUnwritable(parent, full);
        if (Posix.Stat(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(full), out FileStat stat) < 0)
        {
            return full;
        }

        if (inPlace)
        {
            RefuseIrreplaceable(full, stat, parent, real, store);
            return full;
        }

        return stat.Type == EntryType.Directory
            ? Directory.EnumerateFileSystemEntries(full).Any()
                ? throw new StoreException(
                    $"The destination {full} is not empty; nothing there was touched. Name an absent or empty directory; `mirror restore --in-place` replaces what is there, and keeps it until you confirm.")
                : full
            : throw new StoreException($"The destination {full} is there and not a directory; it was not touched. Name an absent or empty directory; `mirror restore --in-place` replaces it.");
    }

    /// <summary>Something is there that a restore in place would have to keep.</summary>
    public static bool IsTaken(string destination) =>
        Posix.Stat(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(destination), out FileStat stat) >= 0
        && (stat.Type != EntryType.Directory || Directory.EnumerateFileSystemEntries(destination).Any());

    /// <exception cref="StoreException">A path would be too long to be used there.</exception>
    public static void CheckPaths(string destination, RestorePart part)
    {
        var length = Encoding.UTF8.GetByteCount(destination);
        if (length + RoomBeside >= LongestPath)
        {
            throw new StoreException($"The destination's path has {length} bytes; no program can use more than {LongestPath - 1}, and what is built beside it needs {RoomBeside} of them. Name a shorter one.");
        }

        var longestName = Posix.LongestName(Encoding.UTF8.GetBytes(Path.GetDirectoryName(destination)!));
        var ownName = Encoding.UTF8.GetByteCount(Path.GetFileName(destination));
        if (longestName > 0 && ownName > longestName)
        {
            throw new StoreException($"The last name of the destination {destination} has {ownName} bytes; the file system there takes {longestName}. Name a shorter one.");
        }

        foreach (var entry in part.Entries)
        {
            if (part.IsDirectory && length + 1 + entry.Path.Bytes.Length >= LongestPath)
            {
                throw new StoreException(
                    $"\"{entry.Path}\" would have a path of {length + 1 + entry.Path.Bytes.Length} bytes in {destination}; no program can use more than {LongestPath - 1}. Name a destination with a shorter path.");
            }

            if (longestName > 0 && entry.Path.Name.Length > longestName)
            {
                throw new StoreException($"The name of \"{entry.Path}\" has {entry.Path.Name.Length} bytes; the file system of {destination} takes {longestName}. Name a destination on another.");
            }
        }
    }

    /// <exception cref="StoreException">Too little.</exception>
    public static void CheckRoom(string destination, long needed, long free)
    {
        if (needed > free)
        {
            throw new StoreException(
                $"There is too little room for the restore at {destination}: it needs {needed} bytes, {free} are free. Make room, or name a destination on another file system; nothing was written.");
        }
    }

    public static long FreeAt(string destination) => new DriveInfo(Path.GetDirectoryName(destination)!).AvailableFreeSpace;

    public static ulong FileSystemOf(string path) =>
        Posix.Stat(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(path), out FileStat stat) is < 0 and var error
            ? throw new StoreException($"{path} cannot be looked at: {PosixError.Text(-error)}.")
            : stat.FileSystem;

    private static void RefuseUnwritable(string parent, string full)
    {
        switch (Posix.CheckWritable(Encoding.UTF8.GetBytes(parent)))
        {
            case -Errno.ReadOnlyFileSystem:
                throw new StoreException($"The destination {full} is on a file system that is mounted read-only. Mount it writable, or name another.");
            case < 0:
                throw new StoreException($"The destination {full} cannot be made: {parent} may not be written by this user. Name another, or run as its owner.");
        }
    }

    private static void RefuseIrreplaceable(string full, FileStat stat, string parent, string real, string store)
    {
        if (stat.Type == EntryType.Symlink)
        {
            throw new StoreException(
                $"The destination {full} is a symbolic link to {new FileInfo(full).LinkTarget}. Name what it leads to; the root of a site that Mirror holds in slots is replaced by promoting and capturing, not by hand.");
        }

        if (IsWithin(store, real))
        {
            throw new StoreException($"The store {store} lies inside {full}: replacing that would take the store along. Name a directory that does not hold it.");
        }

        if (stat.FileSystem != FileSystemOf(parent))
        {
            throw new StoreException($"The destination {full} is a mount point, which cannot be swapped. Name a directory inside it, or one elsewhere.");
        }
    }

    private static bool IsWithin(string path, string directory) => (path + "/").StartsWith(directory.TrimEnd('/') + "/", StringComparison.Ordinal);

    /// <summary>The path with every link in it followed.</summary>
    private static string Real(string path)
    {
        if (Path.GetDirectoryName(path) is not { } parent)
        {
            return path;
        }

        var here = Path.Combine(Real(parent), Path.GetFileName(path));
        var info = new DirectoryInfo(here);
        return info.LinkTarget is not null && info.ResolveLinkTarget(returnFinalTarget: true)?.FullName is { } target ? Real(target) : here;
    }
}
