using System.Buffers.Text;
using Microsoft.Win32.SafeHandles;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// Writes entries into one tree by raw byte names; no operation can leave the root. Existing inodes are never changed in place (a slot shares them with its
/// sibling): a file is written to a temporary name, completed with all metadata, and renamed over the old one. Directories, which are never shared, are changed in place.
/// What the user may not do (chown, device nodes, trusted attributes when not root) is skipped and counted, not an error. Not for several threads at once.
/// </summary>
public sealed class TreeWriter : IDisposable
{
    private const uint NewFileMode = 0x180;
    private const uint NewDirectoryMode = 0x1c0;

    private readonly TreeHandle tree;
    private readonly ParentDirectory parents;
    private readonly ParentDirectory leaders;
    private readonly List<UnreadablePath> unset = [];
    private readonly InodeMetadata metadata;
    private TreeHandle? linkTree;
    private ParentDirectory? linkParents;
    private long temporaries;

    /// <param name="root">Existing directory.</param>
    /// <exception cref="DirectoryNotFoundException"/>
    public TreeWriter(string root)
    {
        tree = new TreeHandle(root);
        parents = new ParentDirectory(tree, openUp: true);
        leaders = new ParentDirectory(tree, openUp: false);
        metadata = new InodeMetadata(new OwnerNames(), unset);
    }

    /// <summary>Names that begin so belong to writers: what a crash left behind under such a name is rubbish.</summary>
    public static ReadOnlySpan<byte> TemporaryPrefix => ".mirror-tmp-"u8;

    public string Root => tree.Root;

    /// <summary>What could not be set for want of rights, for the report.</summary>
    public IReadOnlyList<UnreadablePath> Unset => unset;

    /// <summary>A file's content arrives through the stream; <see cref="PendingFile.Commit"/> gives it its metadata and its name. Holes are kept when <see cref="Entry.Sparse"/>.</summary>
    /// <exception cref="FileNotFoundException">The directory it belongs in is not there: put it first.</exception>
    public PendingFile BeginFile(Entry entry)
    {
        if (entry.Type != EntryType.File || entry.Path.IsRoot)
        {
            throw new ArgumentException($"\"{entry.Path}\" is a {entry.Type}, which has no content to write.", nameof(entry));
        }

        var (name, descriptor) = UnderTemporaryName(entry.Path, static (directory, name) =>
            Posix.OpenAt(directory, name, Posix.ReadWrite | Posix.Create | Posix.Exclusive | Posix.NoFollow, NewFileMode));
        return new PendingFile(this, entry, name, new SafeFileHandle(PosixError.Check(descriptor, "create", Root, entry.Path), ownsHandle: true));
    }

    /// <summary>Writes a whole file under a name that nobody has yet: for a directory that only this writer knows.</summary>
    /// <exception cref="IOException">The name is taken; or the disk failed, and nothing was left.</exception>
    public void PutNew(Entry entry, ReadOnlySpan<byte> content)
    {
        var directory = PosixError.Check(parents.Of(entry.Path), "open the directory of", Root, entry.Path);
        var descriptor = PosixError.Check(
            Posix.OpenAt(directory, entry.Path.Name, Posix.ReadWrite | Posix.Create | Posix.Exclusive | Posix.NoFollow, NewFileMode), "create", Root, entry.Path);
        var written = false;
        try
        {
            PosixError.Check(Posix.Write(descriptor, content), "write", Root, entry.Path);
            metadata.Apply(descriptor, pathOnly: false, entry, Root);
            written = true;
        }
        finally
        {
            Posix.Close(descriptor);
            if (!written)
            {
                _ = Posix.Unlink(directory, entry.Path.Name);
            }
        }
    }

    /// <summary>Gives what is at <paramref name="sourceRoot"/>/<paramref name="source"/> another name in this tree, on the same file system; replaces what is there.</summary>
    /// <exception cref="FileNotFoundException">The source is not there, or the directory it shall move to.</exception>
    public void MoveFrom(string sourceRoot, EntryPath source, EntryPath path)
    {
        var from = PosixError.Check(SourcesIn(sourceRoot).Of(source), "open the directory of", sourceRoot, source);
        var to = PosixError.Check(parents.Of(path), "open the directory of", Root, path);
        var error = Posix.Rename(from, source.Name, to, path.Name);
        if (error < 0)
        {
            PosixError.Throw($"move \"{path}\" from", sourceRoot, source, -error);
        }
    }

    /// <summary>Gives a directory of this tree another path, with all it holds; nothing may be there. Its times, and those of the directories around it, are set by <see cref="FinishDirectories"/>.</summary>
    /// <exception cref="FileNotFoundException">It is not there, or the directory it shall move to.</exception>
    public void MoveDirectory(EntryPath from, EntryPath to)
    {
        // Both directories are needed at once; that the first may be entered is seen to, and remembered, in the usual place.
        PosixError.Check(parents.Of(from), "open the directory of", Root, from);
        var source = PosixError.Check(leaders.Of(from), "open the directory of", Root, from);
        var target = PosixError.Check(parents.Of(to), "open the directory of", Root, to);
        var error = Posix.Rename(source, from.Name, target, to.Name);
        leaders.Close();
        if (error < 0)
        {
            PosixError.Throw($"move to \"{to}\"", Root, from, -error);
        }
    }

    /// <summary>Links <paramref name="path"/> to the same inode as <paramref name="sourceRoot"/>/<paramref name="source"/>; replaces what is there.</summary>
    /// <exception cref="FileNotFoundException">The source is not there, or the directory the link belongs in.</exception>
    public void LinkFrom(string sourceRoot, EntryPath source, EntryPath path) => Link(SourcesIn(sourceRoot), sourceRoot, source, path);

    /// <summary>The stat of what <see cref="LinkFrom"/> would link; null when it is not there.</summary>
    internal FileStat? StatSource(string sourceRoot, EntryPath source)
    {
        var directory = SourcesIn(sourceRoot).Of(source);
        FileStat stat = default;
        var error = directory < 0 ? directory : Posix.Stat(directory, source.Name, out stat);
        if (error is -Errno.NotFound or -Errno.NotDirectory or -Errno.TooManyLinks)
        {
            return null;
        }

        PosixError.Check(error, "look at", sourceRoot, source);
        return stat;
    }

    /// <summary>Directory (existing ones get mode and ownership; mtime is set by <see cref="FinishDirectories"/>), symlink, fifo, device, or hard link to <see cref="Entry.HardlinkOf"/>.</summary>
    public void Put(Entry entry)
    {
        if (entry.HardlinkOf is { } leader)
        {
            // Both directories are in this tree and needed at once; that the leader's may be entered is seen to, and remembered, in the usual place.
            PosixError.Check(parents.Of(leader), "open the directory of", Root, leader);
            Link(leaders, Root, leader, entry.Path);
            return;
        }

        switch (entry.Type)
        {
            case EntryType.Directory:
                PutDirectory(entry);
                break;
            case EntryType.Symlink:
                PutNode(entry, (directory, name) => Posix.MakeSymlink(entry.LinkTarget, directory, name));
                break;
            case EntryType.Fifo or EntryType.CharacterDevice or EntryType.BlockDevice:
                PutNode(entry, (directory, name) =>
                    Posix.MakeNode(directory, name, FileStat.TypeBits(entry.Type) | NewFileMode, entry.DeviceMajor, entry.DeviceMinor));
                break;
            default:
                throw new ArgumentException($"\"{entry.Path}\" is a {entry.Type}: files are written with {nameof(BeginFile)}.", nameof(entry));
        }
    }

    /// <summary>Removes a file, or a directory with all below it; absent is fine.</summary>
    public void Remove(EntryPath path)
    {
        if (path.IsRoot)
        {
            throw new ArgumentException("The root of a tree is not removed by its writer.", nameof(path));
        }

        var directory = parents.Of(path);

        // Where a file or a link stands in the place of a directory, nothing of ours lies below it.
        if (directory is -Errno.NotFound or -Errno.NotDirectory or -Errno.TooManyLinks)
        {
            return;
        }

        PosixError.Check(directory, "open the directory of", Root, path);
        var error = Posix.Unlink(directory, path.Name);
        if (error == -Errno.IsDirectory)
        {
            leaders.Close();
            parents.Forget(path);
            TreeRemoval.RemoveDirectory(tree, path);
        }
        else if (error != -Errno.NotFound)
        {
            PosixError.Check(error, "remove", Root, path);
        }
    }

    /// <summary>Directory times and modes last, deepest first, since writing inside a directory changes them.</summary>
    public void FinishDirectories(IEnumerable<Entry> directories)
    {
        leaders.Close();
        parents.Restore(directories, entry => ApplyToDirectory(entry, extraMode: 0, withTime: true));
    }

    /// <summary>One barrier for all that was written: syncfs on the tree's file system.</summary>
    public void Sync() => PosixError.Check(Posix.SyncFileSystem(tree.Descriptor), "sync the file system of", Root, EntryPath.Root);

    public void Dispose()
    {
        CloseLinkTree();
        leaders.Dispose();
        parents.Dispose();
        tree.Dispose();
    }

    internal void Commit(Entry entry, ReadOnlySpan<byte> temporaryName, int descriptor)
    {
        metadata.Apply(descriptor, pathOnly: false, entry, Root);
        GiveName(entry.Path, temporaryName);
    }

    internal void Abandon(EntryPath path, ReadOnlySpan<byte> temporaryName)
    {
        // When its directory is gone by now, so is the file.
        if (parents.Of(path) is >= 0 and var directory && Posix.Unlink(directory, temporaryName) is < 0 and not -Errno.NotFound and var error)
        {
            PosixError.Throw("remove the temporary file of", Root, path, -error);
        }
    }

    private void PutDirectory(Entry entry)
    {
        if (!entry.Path.IsRoot)
        {
            var directory = PosixError.Check(parents.Of(entry.Path), "open the directory of", Root, entry.Path);
            var error = Posix.MakeDirectory(directory, entry.Path.Name, NewDirectoryMode);
            if (error == -Errno.Exists)
            {
                PosixError.Check(Posix.Stat(directory, entry.Path.Name, out FileStat stat), "look at", Root, entry.Path);
                error = 0;
                if (stat.Type != EntryType.Directory)
                {
                    PosixError.Check(Posix.Unlink(directory, entry.Path.Name), "replace", Root, entry.Path);
                    error = Posix.MakeDirectory(directory, entry.Path.Name, NewDirectoryMode);
                }
            }

            PosixError.Check(error, "make the directory", Root, entry.Path);
        }

        ApplyToDirectory(entry, Posix.IsRoot ? 0 : NewDirectoryMode, withTime: false);
    }

    private void ApplyToDirectory(Entry entry, uint extraMode, bool withTime)
    {
        var directory = PosixError.Check(tree.OpenDirectory(entry.Path.Bytes, Posix.PathOnly), "open", Root, entry.Path);
        try
        {
            metadata.Apply(directory, pathOnly: true, entry, Root, extraMode, withTime);
        }
        finally
        {
            Posix.Close(directory);
        }
    }

    private void PutNode(Entry entry, MakeEntry make)
    {
        var (name, error) = UnderTemporaryName(entry.Path, make);
        if (error == -Errno.NotPermitted)
        {
            // Devices are root's. What stood here before is not what the version says, so it goes.
            unset.Add(new UnreadablePath(entry.Path, $"{entry.Type} could not be made: {PosixError.Text(-error)}"));
            Remove(entry.Path);
            return;
        }

        PosixError.Check(error, "make", Root, entry.Path);
        var directory = PosixError.Check(parents.Of(entry.Path), "open the directory of", Root, entry.Path);
        var node = PosixError.Check(Posix.OpenAt(directory, name, Posix.PathOnly | Posix.NoFollow), "open", Root, entry.Path);
        try
        {
            metadata.Apply(node, pathOnly: true, entry, Root);
        }
        finally
        {
            Posix.Close(node);
        }

        GiveName(entry.Path, name);
    }

    private void Link(ParentDirectory sources, string sourceRoot, EntryPath source, EntryPath path)
    {
        var from = PosixError.Check(sources.Of(source), "open the directory of", sourceRoot, source);
        var to = PosixError.Check(parents.Of(path), "open the directory of", Root, path);
        var error = Posix.Link(from, source.Name, to, path.Name);
        if (error >= 0)
        {
            return;
        }

        if (error != -Errno.Exists)
        {
            PosixError.Throw($"link \"{path}\" to", sourceRoot, source, -error);
        }

        PosixError.Check(Posix.Stat(from, source.Name, out FileStat wanted), "look at", sourceRoot, source);
        PosixError.Check(Posix.Stat(to, path.Name, out FileStat present), "look at", Root, path);
        if (wanted.Inode == present.Inode && wanted.FileSystem == present.FileSystem)
        {
            return;
        }

        (var name, error) = UnderTemporaryName(path, (directory, name) => Posix.Link(from, source.Name, directory, name));
        PosixError.Check(error, $"link \"{path}\" to", sourceRoot, source);
        GiveName(path, name);
    }

    private ParentDirectory SourcesIn(string sourceRoot)
    {
        if (linkTree?.Root != sourceRoot)
        {
            CloseLinkTree();
            linkTree = new TreeHandle(sourceRoot);
            linkParents = new ParentDirectory(linkTree, openUp: true);
        }

        return linkParents!;
    }

    private void CloseLinkTree()
    {
        linkParents?.Restore([], static _ => { });
        linkParents?.Dispose();
        linkTree?.Dispose();
        linkTree = null;
    }

    private delegate int MakeEntry(int directory, ReadOnlySpan<byte> name);

    private (byte[] Name, int Result) UnderTemporaryName(EntryPath path, MakeEntry make)
    {
        var directory = PosixError.Check(parents.Of(path), "open the directory of", Root, path);
        while (true)
        {
            var name = TemporaryName();
            var result = make(directory, name);
            if (result != -Errno.Exists)
            {
                return (name, result);
            }
        }
    }

    private byte[] TemporaryName()
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(temporaries++, digits, out var length);
        return [.. TemporaryPrefix, .. digits[..length]];
    }

    private void GiveName(EntryPath path, ReadOnlySpan<byte> temporaryName)
    {
        var directory = PosixError.Check(parents.Of(path), "open the directory of", Root, path);
        var error = Posix.Rename(directory, temporaryName, path.Name);
        if (error == -Errno.IsDirectory)
        {
            Remove(path);
            directory = PosixError.Check(parents.Of(path), "open the directory of", Root, path);
            error = Posix.Rename(directory, temporaryName, path.Name);
        }

        PosixError.Check(error, "put in place", Root, path);
    }
}
