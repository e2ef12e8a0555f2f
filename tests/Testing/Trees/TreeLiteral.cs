using System.Security.Cryptography;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Testing.Trees;

/// <summary>
/// A whole tree as a value: described in a test, written to a directory, read back from one, compared. Immutable; every method that describes returns a new
/// one. Parents come by themselves. Modes are octal text, as people write them.
/// <code>
/// var site = TreeLiteral.Empty.File("index.html", "hello").Directory("data", "0700").Symlink("latest", "data").Hardlink("copy.html", "index.html");
/// site.WriteTo(directory);
/// TreeAssert.Same(site, TreeLiteral.ReadFrom(directory));
/// </code>
/// </summary>
public sealed class TreeLiteral
{
    /// <summary>An odd time, to the nanosecond, in a year when nobody ran these tests.</summary>
    public const long SomeTime = 1_234_567_890_123_456_789;

    private static readonly Lazy<Entry> mine = new(static () =>
    {
        using var directory = new TemporaryDirectory();
        return TreeScanner.Scan(directory.Path, static (_, _) => true, CancellationToken.None).Entries[0].Entry;
    });

    private readonly SortedDictionary<EntryPath, TreeInode> nodes;

    public TreeLiteral(IEnumerable<KeyValuePair<EntryPath, TreeInode>> nodes)
    {
        this.nodes = [];
        foreach (var (path, inode) in nodes)
        {
            this.nodes[path] = inode;
        }
    }

    /// <summary>A root directory and nothing in it.</summary>
    public static TreeLiteral Empty => new([new(EntryPath.Root, NewDirectory("0755"))]);

    public IReadOnlyDictionary<EntryPath, TreeInode> Nodes => nodes;

    public TreeInode this[string path] => nodes[EntryPath.Parse(path)];

    public TreeLiteral Directory(string path, string mode = "0755") => Put(EntryPath.Parse(path), NewDirectory(mode));

    public TreeLiteral File(string path, string content, string mode = "0644") => File(path, Encoding.UTF8.GetBytes(content), mode);

    public TreeLiteral File(string path, byte[] content, string mode = "0644") => Put(EntryPath.Parse(path), NewFile(content, mode));

    /// <summary>Blocks of zeros in it are holes.</summary>
    public TreeLiteral SparseFile(string path, byte[] content, string mode = "0644") =>
        Put(EntryPath.Parse(path), new TreeInode(Describe(EntryType.File, mode) with { Sparse = true }, content));

    public TreeLiteral Symlink(string path, string target) => Put(EntryPath.Parse(path), NewSymlink(Encoding.UTF8.GetBytes(target)));

    public TreeLiteral Fifo(string path, string mode = "0644") => Put(EntryPath.Parse(path), new TreeInode(Describe(EntryType.Fifo, mode), []));

    /// <summary>Only root can make one.</summary>
    public TreeLiteral Device(string path, EntryType type, uint major, uint minor, string mode = "0600") =>
        Put(EntryPath.Parse(path), new TreeInode(Describe(type, mode) with { DeviceMajor = major, DeviceMinor = minor }, []));

    public TreeLiteral Hardlink(string path, string existing) => Put(EntryPath.Parse(path), this[existing]);

    /// <summary>Changes the metadata of one path, and of its hard links.</summary>
    public TreeLiteral With(string path, Func<Entry, Entry> change) => Replace(this[path], this[path].With(change));

    public TreeLiteral Xattr(string path, string name, string value) => With(path, entry => entry with
    {
        Xattrs = [.. entry.Xattrs.Where(xattr => xattr.Name != name).Append(new Xattr(name, Encoding.UTF8.GetBytes(value))).Order()],
    });

    /// <summary>Puts an inode at a path, with what lay at or below it gone, unless a directory replaces a directory; missing parents are made.</summary>
    public TreeLiteral Put(EntryPath path, TreeInode inode)
    {
        var keepBelow = inode.Type == EntryType.Directory && nodes.TryGetValue(path, out var old) && old.Type == EntryType.Directory;
        var next = new TreeLiteral(nodes.Where(node => keepBelow || !node.Key.IsWithin(path)));
        next.nodes[path] = inode;
        for (var parent = path.Parent; !path.IsRoot; parent = parent.Parent)
        {
            if (!next.nodes.TryGetValue(parent, out var above) || above.Type != EntryType.Directory)
            {
                next.nodes[parent] = NewDirectory("0755");
            }

            if (parent.IsRoot)
            {
                break;
            }
        }

        return next;
    }

    /// <summary>Without a path and all below it.</summary>
    public TreeLiteral Without(EntryPath path) => new(nodes.Where(node => !node.Key.IsWithin(path)));

    public TreeLiteral Without(string path) => Without(EntryPath.Parse(path));

    /// <summary>One inode in the place of another, under all its names.</summary>
    public TreeLiteral Replace(TreeInode old, TreeInode with) =>
        new(nodes.Select(node => ReferenceEquals(node.Value, old) ? new(node.Key, with) : node));

    /// <summary>As a version would list it.</summary>
    public Manifest ToManifest()
    {
        var entries = new List<Entry>();
        var leaders = new Dictionary<TreeInode, Entry>(ReferenceEqualityComparer.Instance);
        foreach (var (path, inode) in nodes)
        {
            if (leaders.TryGetValue(inode, out var leader))
            {
                entries.Add(leader with { Path = path, HardlinkOf = leader.Path });
                continue;
            }

            var hash = inode.Type == EntryType.File ? ContentHash.From(SHA256.HashData(inode.Content)) : default;
            var entry = inode.Metadata with { Path = path, Hash = hash };
            entries.Add(entry);
            if (inode.Type != EntryType.Directory)
            {
                leaders.Add(inode, entry);
            }
        }

        return Manifest.FromSorted(entries);
    }

    /// <summary>Content of every file, by hash.</summary>
    public IReadOnlyDictionary<ContentHash, byte[]> Contents() => nodes.Values
        .Where(static inode => inode.Type == EntryType.File)
        .DistinctBy(static inode => ContentHash.From(SHA256.HashData(inode.Content)))
        .ToDictionary(static inode => ContentHash.From(SHA256.HashData(inode.Content)), static inode => inode.Content);

    /// <summary>Makes a directory hold exactly this tree; the directory must be empty or absent.</summary>
    public void WriteTo(string directory)
    {
        System.IO.Directory.CreateDirectory(directory);
        using var writer = new TreeWriter(directory);
        var manifest = ToManifest();
        foreach (var entry in manifest.Entries)
        {
            if (entry.Type != EntryType.File || entry.HardlinkOf is not null)
            {
                writer.Put(entry);
                continue;
            }

            using var file = writer.BeginFile(entry);
            file.Content.Write(nodes[entry.Path].Content);
            file.Commit();
        }

        writer.FinishDirectories(manifest.Entries.Where(static entry => entry.Type == EntryType.Directory));
        if (writer.Unset is [var first, ..])
        {
            throw new InvalidOperationException($"The tree could not be written as described: {first.Path}: {first.Reason}.");
        }
    }

    /// <summary>All that a directory holds. What cannot be read, or is by rule not part of a version, is an error here.</summary>
    public static TreeLiteral ReadFrom(string directory)
    {
        var scan = TreeScanner.Scan(directory, static (_, _) => false, CancellationToken.None);
        if (scan.Unreadable.Concat(scan.Skipped).FirstOrDefault() is { } odd)
        {
            throw new InvalidOperationException($"\"{directory}/{odd.Path}\" cannot be part of a tree: {odd.Reason}.");
        }

        var read = new Dictionary<EntryPath, TreeInode>();
        foreach (var (entry, _) in scan.Entries)
        {
            read[entry.Path] = entry.HardlinkOf is { } leader ? read[leader] : ReadInode(directory, entry);
        }

        return new TreeLiteral(read);
    }

    public static TreeInode NewFile(byte[] content, string mode = "0644") => new(Describe(EntryType.File, mode), content);

    public static TreeInode NewDirectory(string mode = "0755") => new(Describe(EntryType.Directory, mode), []);

    public static TreeInode NewSymlink(byte[] target) => new(Describe(EntryType.Symlink, "0777") with { LinkTarget = target }, []);

    private static TreeInode ReadInode(string directory, Entry entry)
    {
        if (entry.Type != EntryType.File)
        {
            return new TreeInode(entry, []);
        }

        using var content = TreeScanner.OpenRead(directory, entry.Path);
        var bytes = new byte[content.Length];
        content.ReadExactly(bytes);
        return new TreeInode(entry, bytes);
    }

    private static Entry Describe(EntryType type, string mode) => new()
    {
        Path = EntryPath.Root,
        Type = type,
        Mode = Convert.ToUInt32(mode, 8),
        Uid = mine.Value.Uid,
        Gid = mine.Value.Gid,
        Owner = mine.Value.Owner,
        Group = mine.Value.Group,
        MtimeUnixNs = SomeTime,
    };
}
