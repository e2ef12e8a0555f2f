using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// One walk. A directory is opened from the root, listed and described in full, and closed before its children are entered, so that a deep tree
/// costs neither descriptors nor stack. What vanishes between two looks is gone; what changes its kind between them is unknown until the next scan.
/// </summary>
internal sealed class TreeWalk : IDisposable
{
    /// <summary>A file that lacks at least this many bytes on disk has holes; less is how file systems round.</summary>
    private const long SparseFrom = 32 * 1024;

    private const long StatBlock = 512;

    private readonly TreeHandle tree;
    private readonly Func<EntryPath, EntryType, bool> exclude;
    private readonly OwnerNames owners = new();
    private readonly EntryXattrs xattrs = new();
    private readonly byte[] listing = new byte[DirectoryListing.BufferLength];
    private readonly byte[] target = new byte[EntryPath.MaxLength + 1];
    private readonly List<ListedName> names = [];
    private readonly List<ScannedEntry> entries = [];
    private readonly List<UnreadablePath> unreadable = [];
    private readonly List<UnreadablePath> skipped = [];
    private readonly Dictionary<ulong, ScannedEntry> groupLeaders = [];
    private readonly bool readsAll = Posix.IsRoot;
    private ulong fileSystem;

    public TreeWalk(string root, Func<EntryPath, EntryType, bool> exclude)
    {
        tree = new TreeHandle(root);
        this.exclude = exclude;
    }

    private readonly record struct Found(ScannedEntry Entry, bool Shared);

    public TreeScan Run(CancellationToken cancellation)
    {
        PosixError.Check(Posix.Stat(tree.Descriptor, out FileStat stat), "look at", tree.Root, EntryPath.Root);
        fileSystem = stat.FileSystem;
        var error = xattrs.Read(tree.Descriptor, out var attributes);
        PosixError.Check(error, "read the attributes of", tree.Root, EntryPath.Root);

        // Children still to be told, innermost directory last.
        var open = new Stack<(Found[] Children, int Next)>();
        var root = new ScannedEntry(Describe(EntryPath.Root, EntryType.Directory, stat, [], attributes), stat.Key);
        if (Enter(root) is not { } first)
        {
            var reason = unreadable is [var why] ? why.Reason : "it vanished";
            throw new UnauthorizedAccessException($"Cannot list \"{tree.Root}\": {reason}.");
        }

        open.Push((first, 0));
        while (open.TryPop(out var frame))
        {
            cancellation.ThrowIfCancellationRequested();
            var (children, next) = frame;
            while (next < children.Length)
            {
                var child = children[next++];
                if (child.Entry.Entry.Type != EntryType.Directory)
                {
                    Tell(child);
                }
                else if (Enter(child.Entry) is { } inner)
                {
                    open.Push((children, next));
                    open.Push((inner, 0));
                    break;
                }
            }
        }

        unreadable.Sort(static (left, right) => left.Path.CompareTo(right.Path));
        skipped.Sort(static (left, right) => left.Path.CompareTo(right.Path));
        return new TreeScan(entries, unreadable, skipped);
    }

    public void Dispose() => tree.Dispose();

    /// <summary>Tells a directory and describes what it holds, in order; null when it vanished or cannot be read.</summary>
    private Found[]? Enter(ScannedEntry directory)
    {
        var path = directory.Entry.Path;
        var descriptor = tree.OpenDirectory(path.Bytes, Posix.ReadOnly);
        if (descriptor < 0)
        {
            if (descriptor != -Errno.NotFound)
            {
                unreadable.Add(new UnreadablePath(path, PosixError.Text(-descriptor)));
            }

            return null;
        }

        try
        {
            names.Clear();
            var result = DirectoryListing.Read(descriptor, path, listing, names, out var tooLong);
            if (result < 0 || tooLong)
            {
                unreadable.Add(new UnreadablePath(path, tooLong ? $"it holds a path longer than {EntryPath.MaxLength} bytes" : PosixError.Text(-result)));
                return null;
            }

            names.Sort(static (left, right) => left.Path.CompareTo(right.Path));
            entries.Add(directory);
            var children = new Found[names.Count];
            var count = 0;
            foreach (var name in names)
            {
                if (Look(descriptor, name) is { } child)
                {
                    children[count++] = child;
                }
            }

            Array.Resize(ref children, count);
            return children;
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }

    private Found? Look(int directory, ListedName listed)
    {
        // What is excluded is not even looked at: it may be a mount that hangs.
        if (listed.Claimed is { } claimed && exclude(listed.Path, claimed))
        {
            return null;
        }

        var path = listed.Path;
        var name = path.Name;
        var error = Posix.Stat(directory, name, out FileStat stat);
        if (error < 0)
        {
            return Missing(path, error);
        }

        if (stat.Type is not { } type)
        {
            skipped.Add(new UnreadablePath(path, "a socket, or a kind of file that is not known"));
            return null;
        }

        if (listed.Claimed != type && exclude(path, type))
        {
            return null;
        }

        if (stat.FileSystem != fileSystem)
        {
            skipped.Add(new UnreadablePath(path, "another file system is mounted here"));
            return null;
        }

        if (type == EntryType.File && !readsAll && (error = Posix.CheckReadable(directory, name)) < 0)
        {
            return Missing(path, error);
        }

        error = xattrs.Read(directory, name, out var attributes);
        if (error < 0)
        {
            return MissingAttributes(directory, path, error);
        }

        byte[] link = [];
        if (type == EntryType.Symlink)
        {
            var length = Posix.ReadLink(directory, name, target);
            if (length < 0)
            {
                return Missing(path, length);
            }

            link = target.AsSpan(0, length).ToArray();
        }

        return new Found(new ScannedEntry(Describe(path, type, stat, link, attributes), stat.Key) { BornNs = stat.BornNs }, stat.Links > 1);
    }

    private Found? Missing(EntryPath path, int error)
    {
        if (error != -Errno.NotFound)
        {
            unreadable.Add(new UnreadablePath(path, PosixError.Text(-error)));
        }

        return null;
    }

    /// <summary>
    /// Attributes are read through /proc; if that is not mounted, every file would seem to have vanished. The open directory tells: it is there whatever happens to its
    /// names, while a file can vanish and come back between two looks.
    /// </summary>
    private Found? MissingAttributes(int directory, EntryPath path, int error)
    {
        if (error == -Errno.NotFound && xattrs.Read(directory, out _) == -Errno.NotFound)
        {
            throw new IOException($"Cannot read the attributes of \"{tree.Root}/{path}\": /proc must be mounted.");
        }

        return Missing(path, error);
    }

    /// <summary>Puts an entry in its place. Only here, where manifest order is certain, is the first member of a hard-link group known.</summary>
    private void Tell(Found found)
    {
        var told = found.Entry;
        if (found.Shared)
        {
            if (groupLeaders.TryGetValue(told.Stat.Inode, out var leader) && leader.Entry.Type == told.Entry.Type)
            {
                told = new ScannedEntry(leader.Entry with { Path = told.Entry.Path, HardlinkOf = leader.Entry.Path }, leader.Stat) { BornNs = leader.BornNs };
            }
            else
            {
                groupLeaders[told.Stat.Inode] = told;
            }
        }

        entries.Add(told);
    }

    private Entry Describe(EntryPath path, EntryType type, in FileStat stat, byte[] link, IReadOnlyList<Xattr> attributes)
    {
        var isFile = type == EntryType.File;
        var isDevice = type is EntryType.CharacterDevice or EntryType.BlockDevice;
        return new Entry
        {
            Path = path,
            Type = type,
            Mode = stat.Permissions,
            Uid = stat.User,
            Gid = stat.Group,
            Owner = owners.User(stat.User),
            Group = owners.Group(stat.Group),
            MtimeUnixNs = stat.Modification.UnixNs,
            Size = isFile ? stat.Size : 0,
            LinkTarget = link,
            DeviceMajor = isDevice ? stat.DeviceMajor : 0,
            DeviceMinor = isDevice ? stat.DeviceMinor : 0,
            Sparse = isFile && stat.Size - ((long)stat.Blocks * StatBlock) >= SparseFrom,
            Xattrs = attributes,
        };
    }
}
