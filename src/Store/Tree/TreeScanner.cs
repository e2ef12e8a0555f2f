using Mirror.Store.Manifests;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Store.Tree;

/// <summary>
/// An entry as found on disk; <see cref="Entry.Hash"/> is not filled in, <see cref="Entry.HardlinkOf"/> is. A later member of a hard-link group repeats its
/// leader's data and stat, even if the file was touched between the two looks: one inode, one statement.
/// </summary>
public sealed record ScannedEntry(Entry Entry, StatKey Stat)
{
    /// <summary>When the inode was made: numbers of inodes are used again, and this tells the second file from the first. Null where the file system does not say.</summary>
    public long? BornNs { get; init; }
}

/// <summary>A path that could not be read: it is unknown, never deleted. Neither it nor anything below it is among a scan's entries.</summary>
public sealed record UnreadablePath(EntryPath Path, string Reason);

/// <summary>Result of a walk, in manifest order, the root directory first.</summary>
/// <param name="Skipped">Sockets and other file systems' mount points: seen, and by rule not part of a version.</param>
public sealed record TreeScan(IReadOnlyList<ScannedEntry> Entries, IReadOnlyList<UnreadablePath> Unreadable, IReadOnlyList<UnreadablePath> Skipped)
{
    /// <summary>Those of the skipped where another file system is mounted.</summary>
    public IReadOnlyList<EntryPath> MountPoints => [.. Skipped.Where(static path => path.Reason == TreeLook.OtherFileSystem).Select(static path => path.Path)];
}

/// <summary>Walks a tree by raw byte names (getdents64, statx, openat; links are never followed), one file system, all metadata.</summary>
public static class TreeScanner
{
    /// <param name="root">Directory to walk; a symbolic link to a directory is followed for the root itself only.</param>
    /// <param name="exclude">True to leave out a path (a directory with all below it). Never asked about the root.</param>
    /// <exception cref="DirectoryNotFoundException">The root is not a directory.</exception>
    /// <exception cref="UnauthorizedAccessException">The root itself cannot be listed.</exception>
    public static TreeScan Scan(string root, Func<EntryPath, EntryType, bool> exclude, CancellationToken cancellation)
    {
        using var tree = new TreeHandle(root);
        return TreeWalk.Whole(tree, exclude, cancellation);
    }

    /// <summary>One path as it is now; null when it is gone, or by rule no part of a version.</summary>
    /// <exception cref="UnauthorizedAccessException">It may not be looked at.</exception>
    public static ScannedEntry? Look(string root, EntryPath path)
    {
        using var tree = new TreeHandle(root);
        var look = new TreeLook(tree, static (_, _) => false);
        look.LookAtRoot();
        var now = TouchedScan.LookAt(tree, look, path);
        return look.Unreadable is [var why, ..] ? throw new UnauthorizedAccessException($"Cannot look at \"{root}/{path}\": {why.Reason}.") : now?.Entry;
    }

    /// <summary>What an open file is: the metadata that belong to the content that is read from it, whatever was renamed to its path meanwhile.</summary>
    /// <param name="path">What it is to be called.</param>
    public static ScannedEntry Describe(string root, SafeFileHandle file, EntryPath path)
    {
        using var tree = new TreeHandle(root);
        return new TreeLook(tree, static (_, _) => false).LookAtOpen((int)file.DangerousGetHandle(), path);
    }

    /// <summary>Opens a regular file of the tree for reading, by its byte path, without following links.</summary>
    /// <exception cref="FileNotFoundException">It is gone.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="IOException">It is no regular file (any more), a link stands in its place, or the disk failed.</exception>
    public static FileStream OpenRead(string root, EntryPath path)
    {
        using var tree = new TreeHandle(root);
        return OpenStream(tree, path);
    }

    /// <summary>The same in a tree that is open.</summary>
    internal static FileStream OpenStream(TreeHandle tree, EntryPath path)
    {
        var handle = OpenRead(tree, path);
        try
        {
            return new FileStream(handle, FileAccess.Read);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The same in a tree that is open, for who reads many files.</summary>
    internal static SafeFileHandle OpenRead(TreeHandle tree, EntryPath path)
    {
        // Without "non-blocking" a fifo that took the file's place would hold us until somebody writes to it.
        var descriptor = PosixError.Check(tree.Open(path.Bytes, Posix.ReadOnly | Posix.NonBlocking), "open for reading", tree.Root, path);
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            PosixError.Check(Posix.Stat(descriptor, out FileStat stat), "look at", tree.Root, path);
            return stat.Type == EntryType.File ? handle : throw new IOException($"Cannot read \"{tree.Root}/{path}\": it is not a regular file.");
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The stat of one path now, to see whether it changed while it was read; null when it is gone.</summary>
    public static StatKey? Stat(string root, EntryPath path)
    {
        using var tree = new TreeHandle(root);
        var descriptor = tree.Open(path.Bytes, Posix.PathOnly);

        // A link where a directory was: this path is gone as well.
        if (descriptor is -Errno.NotFound or -Errno.NotDirectory or -Errno.TooManyLinks)
        {
            return null;
        }

        PosixError.Check(descriptor, "look at", root, path);
        try
        {
            PosixError.Check(Posix.Stat(descriptor, out FileStat stat), "look at", root, path);
            return stat.Key;
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }
}
