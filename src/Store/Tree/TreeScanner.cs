using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>What tells that a file was touched, beyond what a manifest keeps: a forged mtime does not hide a change from ctime.</summary>
public readonly record struct StatKey(ulong Device, ulong Inode, long Size, long MtimeNs, long CtimeNs);

/// <summary>An entry as found on disk; <see cref="Entry.Hash"/> is not filled in, <see cref="Entry.HardlinkOf"/> is.</summary>
public sealed record ScannedEntry(Entry Entry, StatKey Stat);

/// <summary>A path that could not be read: it is unknown, never deleted.</summary>
public sealed record UnreadablePath(EntryPath Path, string Reason);

/// <summary>Result of a walk, in manifest order, the root directory first.</summary>
/// <param name="Skipped">Sockets and other file systems' mount points: seen, and by rule not part of a version.</param>
public sealed record TreeScan(IReadOnlyList<ScannedEntry> Entries, IReadOnlyList<UnreadablePath> Unreadable, IReadOnlyList<UnreadablePath> Skipped);

/// <summary>Walks a tree by raw byte names (getdents64, statx, openat; links are never followed), one file system, all metadata.</summary>
public static class TreeScanner
{
    /// <param name="root">Directory to walk; a symbolic link to a directory is followed for the root itself only.</param>
    /// <param name="exclude">True to leave out a path (a directory with all below it).</param>
    /// <exception cref="DirectoryNotFoundException">The root is not a directory.</exception>
    public static TreeScan Scan(string root, Func<EntryPath, EntryType, bool> exclude, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Opens a regular file of the tree for reading, by its byte path, without following links.</summary>
    public static FileStream OpenRead(string root, EntryPath path) => throw new NotImplementedException();

    /// <summary>The stat of one path now, to see whether it changed while it was read; null when it is gone.</summary>
    public static StatKey? Stat(string root, EntryPath path) => throw new NotImplementedException();
}
