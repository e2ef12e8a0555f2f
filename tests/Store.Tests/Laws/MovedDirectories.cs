using Mirror.Store.Manifests;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Laws;

/// <summary>The ways directories can move, on a small grove of them that is planted where it is missing.</summary>
internal static class MovedDirectories
{
    /// <summary>Old and new path of each directory that moves; all at once. A null leads nowhere: it is removed.</summary>
    public static readonly IReadOnlyList<(string From, string? To)[]> Ways =
    [
        [("d/a", "d/z")],
        [("d/a", "e/deep/er/a")],
        [("d/a", "d/b"), ("d/b", "d/a")],
        [("d/a", "d/b"), ("d/b", "d/c"), ("d/c", "d/a")],

        // Into one that moves itself, out of one that moves, and both.
        [("d/b", "e/b"), ("d/a", "e/b/inner")],
        [("d/a", "d/x"), ("d/a/sub", "d/top")],
        [("d/a", "d/x"), ("d/a/sub", "d/x/other/sub")],
        [("d/a", "d/b"), ("d/b", "d/a/kept")],

        // In the place of another that goes, deeper into itself, and up into its parent's place.
        [("d/b", null), ("d/a", "d/b")],
        [("d/b", null), ("d/a", "d/b/sub")],
        [("d/a", "d/a/a")],
        [("d/a", null), ("d/a/sub", "d/a")],

        // Where a file stood, and a file where it stood.
        [("d/file", "d/a"), ("d/a", "d/file")],
    ];

    public static TreeLiteral Planted(TreeLiteral tree, uint seed)
    {
        foreach (var folder in (string[])["d/a", "d/a/sub", "d/b", "d/b/sub", "d/c"])
        {
            if (!tree.Nodes.TryGetValue(EntryPath.Parse(folder), out var there) || there.Type != EntryType.Directory)
            {
                tree = Enumerable.Range(0, 6).Aggregate(tree.Directory(folder), (now, file) => now.File($"{folder}/{file}.txt", $"{seed % 3} {folder} {file} {new string('x', 40 * file)}"))
                    .Symlink($"{folder}/link", "0.txt").Hardlink($"{folder}/same", $"{folder}/1.txt").File($"{folder}/empty", "");
            }
        }

        return tree.Nodes.ContainsKey(EntryPath.Parse("d/file")) ? tree : tree.File("d/file", "no directory");
    }

    public static TreeLiteral Moved(TreeLiteral tree, params (string From, string? To)[] moves)
    {
        var deepest = moves.Select(move => (From: EntryPath.Parse(move.From), move.To)).OrderByDescending(move => move.From.Bytes.Length).ToList();
        var moved = deepest.Aggregate(tree, (rest, move) => rest.Without(move.From));
        var lost = moves.Where(move => move.To is null).Select(move => EntryPath.Parse(move.From)).ToList();
        foreach (var (path, inode) in tree.Nodes.OrderBy(node => node.Key))
        {
            if (deepest.Find(move => path.IsWithin(move.From)) is { To: { } to } move)
            {
                moved = moved.Put(path.Moved(move.From, EntryPath.Parse(to)), inode);
            }
            else if (!moved.Nodes.ContainsKey(path) && !lost.Exists(path.IsWithin) && !deepest.Exists(move => path.IsWithin(move.From)))
            {
                moved = moved.Put(path, inode);
            }
        }

        return moved;
    }

    /// <summary>Edits, removals and additions below what may have moved.</summary>
    public static TreeLiteral Edited(TreeLiteral tree, uint numbers)
    {
        var below = tree.Nodes.Where(node => node.Value.Type == EntryType.File && node.Key.Bytes.Length > 2 && node.Key.Bytes[1] == (byte)'/').Select(node => node.Key).ToList();
        if (below.Count == 0)
        {
            return tree;
        }

        var (one, other) = (below[(int)(numbers % (uint)below.Count)], below[(int)(numbers / 7 % (uint)below.Count)]);
        return (numbers % 5) switch
        {
            0 => tree,
            1 => tree.Replace(tree.Nodes[one], tree.Nodes[one].WithContent([.. tree.Nodes[one].Content, 1, 2, 3])),
            2 => tree.Without(one),
            3 => tree.File($"{one.Parent}/new", $"new {numbers}"),
            _ => one == other ? tree : tree.Without(one).Put(other, tree.Nodes[one]),
        };
    }
}
