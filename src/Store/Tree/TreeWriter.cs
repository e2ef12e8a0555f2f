using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// Writes entries into one tree by raw byte names; no operation can leave the root. Existing inodes are never changed in place (a slot shares them with its
/// sibling): a file is written to a temporary name, completed with all metadata, and renamed over the old one.
/// What the user may not do (chown, device nodes, trusted attributes when not root) is skipped and counted, not an error.
/// </summary>
public sealed class TreeWriter : IDisposable
{
    /// <param name="root">Existing directory.</param>
    public TreeWriter(string root) => Root = root;

    public string Root { get; }

    /// <summary>What could not be set for want of rights, for the report.</summary>
    public IReadOnlyList<UnreadablePath> Unset => throw new NotImplementedException();

    /// <summary>A file's content arrives through the stream; <see cref="PendingFile.Commit"/> gives it its metadata and its name. Holes are kept when <see cref="Entry.Sparse"/>.</summary>
    public PendingFile BeginFile(Entry entry) => throw new NotImplementedException();

    /// <summary>Links <paramref name="entry"/>'s path to the same inode as <paramref name="sourceRoot"/>/<paramref name="source"/>; replaces what is there.</summary>
    public void LinkFrom(string sourceRoot, EntryPath source, EntryPath path) => throw new NotImplementedException();

    /// <summary>Directory (existing ones get mode and ownership; mtime is set by <see cref="FinishDirectories"/>), symlink, fifo, device, or hard link to <see cref="Entry.HardlinkOf"/>.</summary>
    public void Put(Entry entry) => throw new NotImplementedException();

    /// <summary>Removes a file, or a directory with all below it; absent is fine.</summary>
    public void Remove(EntryPath path) => throw new NotImplementedException();

    /// <summary>Directory times and modes last, deepest first, since writing inside a directory changes them.</summary>
    public void FinishDirectories(IEnumerable<Entry> directories) => throw new NotImplementedException();

    /// <summary>One barrier for all that was written: syncfs on the tree's file system.</summary>
    public void Sync() => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}

/// <summary>A file being written under a temporary name. Disposing without <see cref="Commit"/> removes it.</summary>
public sealed class PendingFile : IDisposable
{
    /// <summary>Seekable, readable and writable.</summary>
    public Stream Content => throw new NotImplementedException();

    public void Commit() => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
