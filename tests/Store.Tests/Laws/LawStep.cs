using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Laws;

internal enum LawStory
{
    /// <summary>Any single change of the common generator: renames, swaps, rotations of three, file↔directory, links, modes …</summary>
    Any,

    /// <summary>A chain of names in a circle, each file moving on to the next name: a→b→c→a.</summary>
    Circle,

    /// <summary>A file goes to another name and is edited on the way.</summary>
    MoveAndEdit,

    /// <summary>A name and its twin in the other case trade places, or one of them goes.</summary>
    CaseTwins,

    /// <summary>A file and a directory trade places.</summary>
    FileForDirectory,

    /// <summary>A hard-link group loses a member, or is led by another, or two groups become one.</summary>
    Regroup,

    /// <summary>Many names with equal content, each a file of its own.</summary>
    ManyEqual,

    /// <summary>A content of some earlier version is there again, perhaps elsewhere.</summary>
    BringBack,

    /// <summary>The whole tree is as it was in some earlier version.</summary>
    GoBack,

    /// <summary>A file of many blocks, or an edit of a few bytes in one.</summary>
    Large,

    /// <summary>Directories move, change places, go into each other; and something below them changes.</summary>
    MoveDirectories,
}

/// <summary>One story in the life of a tree, made before it is known of what tree; the numbers choose among what is there.</summary>
internal sealed record LawStep(LawStory Story, TreeMutation Change, uint A, uint B)
{
    private static readonly string[] circle = ["a", "b", "c", "A", "B", "ring/a", "ring/b", "ring/deep/er/c"];

    /// <summary>Versions in a row. Most steps work on files with more than a few bytes, so that deltas copy.</summary>
    public static Gen<TreeLiteral[]> Lives(int versions)
    {
        var step = Gen.Select(Gen.Int[0, Enum.GetValues<LawStory>().Length - 1], TreeGen.Mutation, Gen.UInt, Gen.UInt, (story, change, a, b) => new LawStep((LawStory)story, change, a, b));
        return Gen.Select(TreeGen.Tree, step.Array[0, 6].Array[versions], (tree, lives) =>
        {
            var states = new List<TreeLiteral>();
            var now = tree;
            foreach (var life in lives)
            {
                now = life.Aggregate(now, (current, change) => change.Apply(current, states));
                states.Add(now);
            }

            return states.ToArray();
        });
    }

    public TreeLiteral Apply(TreeLiteral tree, IReadOnlyList<TreeLiteral> earlier) => Story switch
    {
        LawStory.Circle => Circled(tree),
        LawStory.MoveAndEdit => MovedAndEdited(tree),
        LawStory.CaseTwins => Twinned(tree),
        LawStory.FileForDirectory => Exchanged(tree),
        LawStory.Regroup => Regrouped(tree),
        LawStory.ManyEqual => Enumerable.Range(0, 3 + (int)(A % 20)).Aggregate(tree, (now, number) => now.File($"equal/{number % 4}/{number}", Noise(B % 3, 700))),
        LawStory.BringBack => earlier.Count == 0 || Pick(Files(earlier[Index(A, earlier.Count)]), B) is not { } lost ? tree : Put(tree, lost.Key, lost.Value),
        LawStory.GoBack => earlier.Count == 0 ? tree : earlier[Index(A, earlier.Count)],
        LawStory.Large => Enlarged(tree),
        LawStory.MoveDirectories => MovedDirectories.Edited(MovedDirectories.Moved(MovedDirectories.Planted(tree, A), MovedDirectories.Ways[Index(B, MovedDirectories.Ways.Count)]), A),
        _ => Change.Apply(tree),
    };

    public override string ToString() => Story == LawStory.Any ? Change.ToString() : $"{Story}({A}, {B}, {Change.Bytes.Length} bytes)";

    private TreeLiteral Circled(TreeLiteral tree)
    {
        var names = circle.Take(2 + (int)(A % 7)).ToArray();
        var before = names.Select((name, at) => tree.Nodes.TryGetValue(EntryPath.Parse(name), out var there) && there.Type == EntryType.File
            ? there
            : TreeLiteral.NewFile(Noise((uint)at + (B % 5), at * 600))).ToArray();
        return Enumerable.Range(0, names.Length).Aggregate(tree, (now, at) => now.Put(EntryPath.Parse(names[(at + 1) % names.Length]), before[at]));
    }

    private TreeLiteral MovedAndEdited(TreeLiteral tree)
    {
        if (Pick(Files(tree), A) is not { } moved)
        {
            return tree;
        }

        var content = moved.Value.Content;
        var at = (int)(B % (uint)(content.Length + 1));
        return Put(tree.Without(moved.Key), EntryPath.Parse($"moved/{A % 5}/to\n{B % 5}"), moved.Value.WithContent([.. content[..at], .. Change.Bytes, .. content[at..]]));
    }

    private TreeLiteral Twinned(TreeLiteral tree)
    {
        var (lower, upper) = (EntryPath.Parse("twin/name"), EntryPath.Parse(B % 2 == 0 ? "twin/NAME" : "TWIN/name"));
        var (left, right) = (tree.Nodes.GetValueOrDefault(lower), tree.Nodes.GetValueOrDefault(upper));
        return (left, right) switch
        {
            ({ } one, { } other) when A % 3 > 0 => Put(Put(tree, lower, other), upper, one),
            ({ }, { }) => tree.Without(A % 2 == 0 ? lower : upper),
            _ => Put(Put(tree, lower, TreeLiteral.NewFile(Noise(A % 4, 900))), upper, TreeLiteral.NewFile(Noise(B % 4, 900))),
        };
    }

    private TreeLiteral Exchanged(TreeLiteral tree)
    {
        var directories = tree.Nodes.Where(node => node.Value.Type == EntryType.Directory && !node.Key.IsRoot);
        if (Pick(Files(tree), A) is not { } file || Pick(directories, B) is not { } directory || file.Key.IsWithin(directory.Key))
        {
            return tree;
        }

        var below = tree.Nodes.Where(node => node.Key.IsWithin(directory.Key)).ToList();
        if (below.Any(node => file.Key.Bytes.Length + node.Key.Bytes.Length - directory.Key.Bytes.Length > EntryPath.MaxLength))
        {
            return tree;
        }

        return below.Aggregate(
            tree.Without(file.Key).Without(directory.Key).Put(directory.Key, file.Value),
            (now, node) => now.Put(EntryPath.Parse([.. file.Key.Bytes, .. node.Key.Bytes[directory.Key.Bytes.Length..]]), node.Value));
    }

    private TreeLiteral Regrouped(TreeLiteral tree)
    {
        if (Pick(Files(tree), A) is not { } file)
        {
            return tree;
        }

        var (first, last) = (EntryPath.Parse("!links/first"), EntryPath.Parse("zlinks/last"));
        return (B % 5) switch
        {
            // A member before and one behind all others: the group gets another leader.
            0 => Put(Put(tree, first, file.Value), last, file.Value),
            1 => tree.Without(file.Key),
            2 => Put(tree, file.Key, file.Value.With(static entry => entry)),
            3 => Pick(Files(tree), B) is { } other ? Put(tree, other.Key, file.Value) : tree,
            _ => tree.Replace(file.Value, file.Value.WithContent([.. file.Value.Content, .. Change.Bytes])),
        };
    }

    private TreeLiteral Enlarged(TreeLiteral tree)
    {
        var path = EntryPath.Parse($"large-{A % 2}");
        if (!tree.Nodes.TryGetValue(path, out var old) || old.Type != EntryType.File || old.Content.Length == 0)
        {
            return Put(tree, path, TreeLiteral.NewFile(Noise(B % 3, 3_000 + (int)(B % 30_000))));
        }

        var at = (int)(B % (uint)old.Content.Length);
        var end = Math.Min(old.Content.Length, at + (int)(A % 1_500));
        return Put(tree, path, old.WithContent(B % 4 == 0 ? [.. old.Content[end..], .. old.Content[..end]] : [.. old.Content[..at], .. Change.Bytes, .. old.Content[end..]]));
    }

    /// <summary>Puts, unless a directory's place or its own parent's would be taken from what is there.</summary>
    private static TreeLiteral Put(TreeLiteral tree, EntryPath path, TreeInode inode) => path.IsRoot ? tree : tree.Put(path, inode);

    private static IEnumerable<KeyValuePair<EntryPath, TreeInode>> Files(TreeLiteral tree) => tree.Nodes.Where(static node => node.Value.Type == EntryType.File);

    private static KeyValuePair<EntryPath, TreeInode>? Pick(IEnumerable<KeyValuePair<EntryPath, TreeInode>> nodes, uint number)
    {
        var all = nodes.ToList();
        return all.Count == 0 ? null : all[Index(number, all.Count)];
    }

    private static int Index(uint number, int count) => (int)(number % (uint)count);

    private static byte[] Noise(uint seed, int length)
    {
        var bytes = new byte[length];
        new Random((int)seed).NextBytes(bytes);
        return bytes;
    }
}
