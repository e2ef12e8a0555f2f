using Mirror.Store.Manifests;

namespace Mirror.Testing.Trees;

public enum TreeChange
{
    AddFile,
    AddDirectory,
    AddSymlink,
    AddFifo,
    AddHardlink,
    AddSparseFile,
    CopyFile,
    EditContent,
    Touch,
    ChangeMode,
    ChangeOwner,
    ChangeXattr,
    Retarget,
    Delete,
    Rename,
    Swap,
    Rotate,
    FileToDirectory,
    DirectoryToFile,
    Bury,
}

/// <summary>
/// One random change, made before it is known of what tree: the numbers are taken modulo whatever there is to choose from. A change that finds nothing
/// to work on leaves the tree as it is.
/// </summary>
public sealed record TreeMutation(TreeChange Change, uint A, uint B, uint C, byte[] Bytes)
{
    private const int MaxDepth = 12;
    private const int BuriedDepth = 30;
    private const uint SomeUser = 54321;

    private static readonly byte[][] names =
    [
        "a"u8.ToArray(), "b"u8.ToArray(), "c"u8.ToArray(), "a-b"u8.ToArray(), "a.b"u8.ToArray(), "A"u8.ToArray(), "ü"u8.ToArray(), [0xff, 0xfe], "new\nline"u8.ToArray(),
        " "u8.ToArray(), "-rf"u8.ToArray(), "\\"u8.ToArray(), "*"u8.ToArray(), ".hidden"u8.ToArray(), ".mirror-tmp-0"u8.ToArray(), [.. Enumerable.Repeat((byte)'x', 255)],
    ];

    private static readonly string[] fileModes = Environment.IsPrivilegedProcess
        ? ["0644", "0600", "0755", "0444", "0000", "4755", "2755", "6711", "1644"]
        : ["0644", "0600", "0755", "0444"];

    private static readonly string[] directoryModes = Environment.IsPrivilegedProcess
        ? ["0755", "0700", "0555", "1777", "2775", "0000"]
        : ["0755", "0700", "0555", "0500"];

    public TreeLiteral Apply(TreeLiteral tree) => Change switch
    {
        TreeChange.AddFile => Add(tree, TreeLiteral.NewFile(NewContent(), fileModes[C % (uint)fileModes.Length])),
        TreeChange.AddDirectory => Add(tree, TreeLiteral.NewDirectory(directoryModes[C % (uint)directoryModes.Length])),
        TreeChange.AddSymlink => Add(tree, TreeLiteral.NewSymlink(NewTarget())),
        TreeChange.AddFifo => Add(tree, TreeLiteral.NewFile([]).With(static entry => entry with { Type = EntryType.Fifo })),
        TreeChange.AddSparseFile => Add(tree, new TreeInode(TreeLiteral.NewFile([]).Metadata with { Sparse = true }, NewSparseContent())),
        TreeChange.AddHardlink => Pick(tree, C, static node => node.Value.Type != EntryType.Directory) is { } linked ? Add(tree, tree.Nodes[linked]) : tree,
        TreeChange.CopyFile => PickFile(tree, C) is { } copied ? Add(tree, tree.Nodes[copied].With(static entry => entry)) : tree,
        TreeChange.EditContent => PickFile(tree, A) is { } edited ? Alter(tree, edited, inode => inode.WithContent(Edit(inode.Content))) : tree,
        TreeChange.Touch => Alter(tree, Pick(tree, A, static _ => true), inode => inode.With(entry => entry with { MtimeUnixNs = NewTime() })),
        TreeChange.ChangeMode => Alter(tree, Pick(tree, A, static node => node.Value.Type != EntryType.Symlink), ChangedMode),
        TreeChange.ChangeOwner => Environment.IsPrivilegedProcess ? Alter(tree, Pick(tree, A, static _ => true), ChangedOwner) : tree,
        TreeChange.ChangeXattr => Alter(tree, Pick(tree, A, static node => node.Value.Type is EntryType.File or EntryType.Directory), ChangedXattr),
        TreeChange.Retarget => Alter(tree, Pick(tree, A, static node => node.Value.Type == EntryType.Symlink), inode => inode.With(entry => entry with { LinkTarget = NewTarget() })),
        TreeChange.Delete => PickBelowRoot(tree, A) is { } deleted ? tree.Without(deleted) : tree,
        TreeChange.Rename => PickBelowRoot(tree, A) is { } renamed && NewPath(tree, B, C) is { } name ? Move(tree, [(renamed, name)]) : tree,
        TreeChange.Swap => PickBelowRoot(tree, A) is { } left && PickBelowRoot(tree, B) is { } right ? Move(tree, [(left, right), (right, left)]) : tree,
        TreeChange.Rotate => PickBelowRoot(tree, A) is { } one && PickBelowRoot(tree, B) is { } two && PickBelowRoot(tree, C) is { } three
            ? Move(tree, [(one, two), (two, three), (three, one)])
            : tree,
        TreeChange.FileToDirectory => PickFile(tree, A) is { } file
            ? tree.Put(file, TreeLiteral.NewDirectory()).Put(file.Append(names[B % (uint)names.Length]), TreeLiteral.NewFile(NewContent()))
            : tree,
        TreeChange.DirectoryToFile => Pick(tree, A, static node => node.Value.Type == EntryType.Directory && !node.Key.IsRoot) is { } directory
            ? tree.Put(directory, TreeLiteral.NewFile(NewContent()))
            : tree,
        TreeChange.Bury => Buried(tree),
        _ => throw new InvalidOperationException($"{Change} is not known."),
    };

    public override string ToString() => $"{Change}({A}, {B}, {C}, {Bytes.Length} bytes)";

    private TreeLiteral Add(TreeLiteral tree, TreeInode inode) => NewPath(tree, A, B) is { } path ? tree.Put(path, inode) : tree;

    private TreeLiteral Buried(TreeLiteral tree)
    {
        if (NewPath(tree, A, B) is not { } path)
        {
            return tree;
        }

        for (var depth = 0; depth < BuriedDepth; depth++)
        {
            path = path.Append("d"u8);
        }

        return tree.Put(path, TreeLiteral.NewFile(NewContent()));
    }

    /// <summary>Several moves at once: what goes away leaves first, so that cycles work. Nothing is moved when one path lies within another.</summary>
    private static TreeLiteral Move(TreeLiteral tree, (EntryPath From, EntryPath To)[] moves)
    {
        var ends = moves.SelectMany(static move => (EntryPath[])[move.From, move.To]).Distinct().ToList();
        if (moves.Any(static move => move.From == move.To) || ends.Any(path => ends.Any(other => path != other && path.IsWithin(other))))
        {
            return tree;
        }

        var moved = ends.Aggregate(tree, static (rest, path) => rest.Without(path));
        foreach (var (from, to) in moves)
        {
            foreach (var (path, inode) in tree.Nodes.Where(node => node.Key.IsWithin(from)))
            {
                moved = moved.Put(EntryPath.Parse([.. to.Bytes, .. path.Bytes[from.Bytes.Length..]]), inode);
            }
        }

        return moved;
    }

    private static TreeLiteral Alter(TreeLiteral tree, EntryPath? path, Func<TreeInode, TreeInode> change) =>
        path is { } found ? tree.Replace(tree.Nodes[found], change(tree.Nodes[found])) : tree;

    private static EntryPath? Pick(TreeLiteral tree, uint number, Func<KeyValuePair<EntryPath, TreeInode>, bool> fits)
    {
        var paths = tree.Nodes.Where(fits).Select(static node => node.Key).ToList();
        return paths.Count == 0 ? null : paths[(int)(number % (uint)paths.Count)];
    }

    private static EntryPath? PickFile(TreeLiteral tree, uint number) => Pick(tree, number, static node => node.Value.Type == EntryType.File);

    private static EntryPath? PickBelowRoot(TreeLiteral tree, uint number) => Pick(tree, number, static node => !node.Key.IsRoot);

    /// <summary>A name, perhaps taken, in a directory that is not too deep; null when there is none.</summary>
    private static EntryPath? NewPath(TreeLiteral tree, uint directory, uint name) =>
        Pick(tree, directory, static node => node.Value.Type == EntryType.Directory && node.Key.Bytes.Count((byte)'/') < MaxDepth) is { } parent
            ? parent.Append(names[name % (uint)names.Length])
            : null;

    private byte[] NewContent() => C % 5 == 0 ? [.. Enumerable.Repeat(Bytes, 200).SelectMany(static bytes => bytes)] : Bytes;

    private byte[] NewTarget() => Bytes.Length == 0 || Bytes.AsSpan().Contains((byte)0) ? "../a"u8.ToArray() : Bytes;

    private byte[] NewSparseContent()
    {
        var content = new byte[(128 * 1024) + (int)(C % 5000)];
        Bytes.CopyTo(content, (int)(B % (content.Length - Bytes.Length)));
        return content;
    }

    /// <summary>1901 to 2038: what every file system can keep.</summary>
    private long NewTime() => (unchecked((int)C) * 1_000_000_000L) + (B % 1_000_000_000);

    private TreeInode ChangedMode(TreeInode inode)
    {
        var modes = inode.Type == EntryType.Directory ? directoryModes : fileModes;
        return inode.With(entry => entry with { Mode = Convert.ToUInt32(modes[B % (uint)modes.Length], 8) });
    }

    private TreeInode ChangedOwner(TreeInode inode) => inode.With(entry => (B % 3) switch
    {
        0 => entry with { Uid = SomeUser, Owner = "" },
        1 => entry with { Gid = SomeUser, Group = "" },
        _ => entry with { Uid = SomeUser, Owner = "", Gid = SomeUser, Group = "" },
    });

    private TreeInode ChangedXattr(TreeInode inode)
    {
        var name = $"user.{(char)('a' + (B % 3))}";
        return inode.With(entry => entry with
        {
            Xattrs = [.. entry.Xattrs.Where(xattr => xattr.Name != name).Concat(C % 3 == 0 ? [] : [new Xattr(name, Bytes)]).Order()],
        });
    }

    private byte[] Edit(byte[] old)
    {
        var at = old.Length == 0 ? 0 : (int)(B % (uint)old.Length);
        return (C % 5) switch
        {
            0 => [.. old, .. Bytes],
            1 => [.. old[..at], .. Bytes, .. old[at..]],
            2 => old[..at],
            3 => [.. old[..at], .. Bytes, .. old[Math.Min(old.Length, at + Bytes.Length)..]],
            _ => Bytes,
        };
    }
}
