using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>An entry as it was found, before it is known whether another path names the same inode.</summary>
/// <param name="Shared">The inode has more than one name, wherever they are.</param>
internal readonly record struct LookedAt(ScannedEntry Entry, bool Shared);

/// <summary>
/// Looks at entries of one tree, each by its name in an open directory, and keeps what could not be read and what is no part of a version. What vanished before it was
/// looked at is gone; what changes its kind between two looks is unknown until the next scan.
/// </summary>
internal sealed class TreeLook(TreeHandle tree, Func<EntryPath, EntryType, bool> exclude)
{
    /// <summary>A file that lacks at least this many bytes on disk has holes; less is how file systems round.</summary>
    private const long SparseFrom = 32 * 1024;

    private const long StatBlock = 512;

    /// <summary>At one name, while what is there changes.</summary>
    private const int MostLooks = 10;

    public const string OtherFileSystem = "another file system is mounted here";

    private readonly OwnerNames owners = new();
    private readonly EntryXattrs xattrs = new();
    private readonly byte[] target = new byte[EntryPath.MaxLength + 1];
    private readonly Dictionary<ulong, ScannedEntry> groupLeaders = [];
    private readonly bool readsAll = Posix.IsRoot;
    private ulong fileSystem;

    public List<UnreadablePath> Unreadable { get; } = [];

    /// <summary>Sockets and other file systems' mount points: seen, and by rule no part of a version.</summary>
    public List<UnreadablePath> Skipped { get; } = [];

    /// <summary>The root, which everything else must share the file system with: it is looked at first.</summary>
    public ScannedEntry LookAtRoot()
    {
        PosixError.Check(Posix.Stat(tree.Descriptor, out FileStat stat), "look at", tree.Root, EntryPath.Root);
        fileSystem = stat.FileSystem;
        PosixError.Check(xattrs.Read(tree.Descriptor, out var attributes), "read the attributes of", tree.Root, EntryPath.Root);
        return new ScannedEntry(Describe(EntryPath.Root, EntryType.Directory, stat, [], attributes), stat.Key);
    }

    /// <summary>An open file, whatever name it has by now.</summary>
    public ScannedEntry LookAtOpen(int descriptor, EntryPath path)
    {
        PosixError.Check(Posix.Stat(descriptor, out FileStat stat), "look at", tree.Root, path);
        PosixError.Check(xattrs.Read(descriptor, out var attributes), "read the attributes of", tree.Root, path);
        return new ScannedEntry(Describe(path, EntryType.File, stat, [], attributes), stat.Key) { BornNs = stat.BornNs };
    }

    /// <summary>Null when there is nothing to tell: it vanished, is left out, is skipped, or cannot be read (then <see cref="Unreadable"/> says so).</summary>
    /// <param name="directory">Open directory that the name is in.</param>
    /// <exception cref="IOException">/proc is not mounted.</exception>
    public LookedAt? Look(int directory, ListedName listed) =>
        TryStat(directory, listed, out var stat, out var type) ? Describe(directory, listed.Path, type, stat) : null;

    /// <summary>The first half of a look: the stat of what is part of the tree; false when there is nothing to tell.</summary>
    public bool TryStat(int directory, ListedName listed, out FileStat stat, out EntryType type)
    {
        type = default;
        stat = default;

        // What is excluded is not even looked at: it may be a mount that hangs.
        if (listed.Claimed is { } claimed && exclude(listed.Path, claimed))
        {
            return false;
        }

        var path = listed.Path;
        var error = Posix.Stat(directory, path.Name, out stat);
        if (error < 0)
        {
            Missing(path, error);
            return false;
        }

        if (stat.Type is not { } found)
        {
            Skipped.Add(new UnreadablePath(path, "a socket, or a kind of file that is not known"));
            return false;
        }

        type = found;
        if (listed.Claimed != type && exclude(path, type))
        {
            return false;
        }

        if (stat.FileSystem != fileSystem)
        {
            Skipped.Add(new UnreadablePath(path, OtherFileSystem));
            return false;
        }

        return true;
    }

    /// <summary>
    /// The second half: all else of it. Stat, attributes and target are asked for by name, one after the other, and another file may come to the name between: then it is that one that is told.
    /// </summary>
    public LookedAt? Describe(int directory, EntryPath path, EntryType type, in FileStat stat)
    {
        var seen = stat;
        for (var looks = 1; ; looks++)
        {
            if (!TryReadRest(directory, path, type, out var attributes, out var link))
            {
                return null;
            }

            var error = Posix.Stat(directory, path.Name, out FileStat now);
            if (error < 0)
            {
                return Missing(path, error);
            }

            // A file that is written to all the time is one all the same.
            if (now.Inode == seen.Inode && (looks == MostLooks || now.Change.UnixNs == seen.Change.UnixNs))
            {
                return new LookedAt(new ScannedEntry(Describe(path, type, seen, link, attributes), seen.Key) { BornNs = seen.BornNs }, seen.Links > 1);
            }

            if (looks == MostLooks)
            {
                Unreadable.Add(new UnreadablePath(path, "another file came to this name each time it was looked at"));
                return null;
            }

            if (now.Type is not { } other || now.FileSystem != fileSystem || (other != type && exclude(path, other)))
            {
                return null;
            }

            (seen, type) = (now, other);
        }
    }

    /// <summary>All that a stat tells of a file is as the entry says.</summary>
    public bool IsAsDescribed(Entry file, in FileStat stat) =>
        file.Mode == stat.Permissions && file.Uid == stat.User && file.Gid == stat.Group && file.Size == stat.Size && file.MtimeUnixNs == stat.Modification.UnixNs
        && file.Sparse == IsSparse(stat) && file.Owner == owners.User(stat.User) && file.Group == owners.Group(stat.Group);

    /// <summary>What another look of the same tree noted.</summary>
    public void Take(TreeLook other)
    {
        Unreadable.AddRange(other.Unreadable);
        Skipped.AddRange(other.Skipped);
    }

    private bool TryReadRest(int directory, EntryPath path, EntryType type, out IReadOnlyList<Xattr> attributes, out byte[] link)
    {
        link = [];
        var name = path.Name;
        var error = xattrs.Read(directory, name, out attributes);
        if (error < 0)
        {
            MissingAttributes(directory, path, error);
            return false;
        }

        if (type == EntryType.File && !readsAll && (error = Posix.CheckReadable(directory, name)) < 0)
        {
            Missing(path, error);
            return false;
        }

        if (type == EntryType.Symlink)
        {
            var length = Posix.ReadLink(directory, name, target);
            if (length < 0 && length != -Errno.InvalidArgument)
            {
                Missing(path, length);
                return false;
            }

            // No link any more: the second look at the name tells.
            link = length < 0 ? [] : target.AsSpan(0, length).ToArray();
        }

        return true;
    }

    private LookedAt? Missing(EntryPath path, int error)
    {
        if (error != -Errno.NotFound)
        {
            Unreadable.Add(new UnreadablePath(path, PosixError.Text(-error)));
        }

        return null;
    }

    /// <summary>
    /// Attributes are read through /proc; if that is not mounted, every file would seem to have vanished. The open directory tells: it is there whatever happens to its
    /// names, while a file can vanish and come back between two looks.
    /// </summary>
    private LookedAt? MissingAttributes(int directory, EntryPath path, int error)
    {
        if (error == -Errno.NotFound && xattrs.Read(directory, out _) == -Errno.NotFound)
        {
            throw new IOException($"Cannot read the attributes of \"{tree.Root}/{path}\": /proc must be mounted.");
        }

        return Missing(path, error);
    }

    /// <param name="found">In manifest order: only so the first member of a hard-link group is known.</param>
    public TreeScan Result(IReadOnlyList<LookedAt> found)
    {
        var entries = new List<ScannedEntry>(found.Count);
        foreach (var one in found)
        {
            entries.Add(Told(one));
        }

        Unreadable.Sort(static (left, right) => left.Path.CompareTo(right.Path));
        Skipped.Sort(static (left, right) => left.Path.CompareTo(right.Path));
        return new TreeScan(entries, Unreadable, Skipped);
    }

    private ScannedEntry Told(LookedAt found)
    {
        var told = found.Entry;
        // A directory that is met twice was moved meanwhile.
        if (found.Shared && told.Entry.Type != EntryType.Directory)
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

        return told;
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
            Sparse = isFile && IsSparse(stat),
            Xattrs = attributes,
        };
    }

    private static bool IsSparse(in FileStat stat) => stat.Size - ((long)stat.Blocks * StatBlock) >= SparseFrom;
}
