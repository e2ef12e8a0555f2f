using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Store.Tests.Laws;
using Mirror.Store.Tests.Packs;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Manifests;

public sealed class PackChangesTests
{
    public static TheoryData<int> Ways => [.. Enumerable.Range(0, MovedDirectories.Ways.Count)];

    [Theory]
    [MemberData(nameof(Ways))]
    public void However_directories_move_it_is_said_in_few_words_and_means_exactly_that(int way)
    {
        var before = MovedDirectories.Planted(TreeLiteral.Empty, 1);
        var after = MovedDirectories.Moved(before, MovedDirectories.Ways[way]);
        AssertSays(before, after);
        AssertSays(after, before);

        var said = PackChanges.Between(before.ToManifest(), Manifest.Diff(before.ToManifest(), after.ToManifest()));
        Assert.NotEmpty(said.Moves);

        // Directories that come to be or make room, and what is in the place of something else; of what moved along nothing.
        Assert.InRange(said.Put.Count, 0, 4);
        Assert.DoesNotContain(said.Put, entry => entry.Type == EntryType.File && entry.Path != EntryPath.Parse("d/a"));
    }

    [Fact]
    public void Whatever_happens_beside_and_below_the_moves_means_exactly_that() =>
        Gen.Select(TreeGen.Tree, Gen.Int[0, MovedDirectories.Ways.Count - 1].Array[1, 2], Gen.UInt.Array[0, 4], Gen.UInt).Sample(
            (tree, ways, edits, seed) =>
            {
                var before = MovedDirectories.Planted(tree, seed);
                var after = edits.Aggregate(ways.Aggregate(before, (now, way) => MovedDirectories.Moved(MovedDirectories.Planted(now, seed), MovedDirectories.Ways[way])), MovedDirectories.Edited);
                AssertSays(before, after);
                AssertSays(after, before);
            },
            iter: 300, threads: 1);

    [Fact]
    public void Any_two_trees_are_told_apart_exactly() => LawStep.Lives(3).Sample(
        trees =>
        {
            AssertSays(trees[0], trees[1]);
            AssertSays(trees[1], trees[2]);
            AssertSays(trees[2], trees[0]);
        },
        iter: 150, threads: 1);

    [Fact]
    public void A_directory_of_many_files_with_one_name_and_one_content_is_found_by_the_others()
    {
        var before = Enumerable.Range(0, 40).Aggregate(TreeLiteral.Empty, (tree, at) => tree.File($"old/{at}/LICENSE", "all rights").File($"old/{at}/own", $"number {at}"));
        var after = MovedDirectories.Moved(before, ("old", "new"));

        var said = PackChanges.Between(before.ToManifest(), Manifest.Diff(before.ToManifest(), after.ToManifest()));

        Assert.Equal([Move("old", "new")], said.Moves);
        Assert.Empty(said.Put);
        Assert.Empty(said.Removed);
    }

    [Fact]
    public void Copies_and_lone_files_that_move_are_no_moved_directories()
    {
        var before = MovedDirectories.Planted(TreeLiteral.Empty, 1);
        var copied = before.Nodes.Where(node => node.Key.IsWithin(Path("d/a")))
            .Aggregate(before, (tree, node) => tree.Put(node.Key.Moved(Path("d/a"), Path("copy")), node.Value.With(static entry => entry)));
        var single = before.Without("d/a/5.txt").Put(Path("d/c/5.txt"), before["d/a/5.txt"]);

        Assert.Empty(PackChanges.Between(before.ToManifest(), Manifest.Diff(before.ToManifest(), copied.ToManifest())).Moves);
        Assert.Empty(PackChanges.Between(before.ToManifest(), Manifest.Diff(before.ToManifest(), single.ToManifest())).Moves);
    }

    [Fact]
    public void Two_changes_joined_mean_exactly_what_they_did_in_turn() =>
        Gen.Select(TreeGen.Tree, Gen.Int[0, MovedDirectories.Ways.Count - 1].Array[2], Gen.UInt.Array[0, 4], Gen.UInt).Sample(
            (tree, ways, edits, seed) =>
            {
                var a = MovedDirectories.Planted(tree, seed);
                var b = edits.Aggregate(MovedDirectories.Moved(a, MovedDirectories.Ways[ways[0]]), MovedDirectories.Edited);
                var c = MovedDirectories.Moved(MovedDirectories.Planted(b, seed), MovedDirectories.Ways[ways[1]]);
                AssertJoins(a, b, c);
                AssertJoins(c, b, a);
                AssertJoins(a, b, a);
            },
            iter: 60, threads: 1);

    [Fact]
    public void Moves_that_changes_know_are_not_lost_when_they_are_joined_though_a_search_takes_a_directory_for_its_twin()
    {
        // What becomes of "b" is said to have gone to where its twin went: what the twin has beside would have to be said entry by entry.
        var a = Folder(Folder(Folder(TreeLiteral.Empty, "a", "own"), "b", "twin"), "f/a", "twin").Directory("d");
        var more = Folder(a, "f/other", "more");
        var b = MovedDirectories.Moved(more, ("a", "b"), ("b", null));
        var c = MovedDirectories.Moved(b, ("f", "d/x"));
        var joined = Joined(more, b, c);

        Assert.Equal([Move("a", "b"), Move("f", "d/x")], joined.Moves);
        Assert.Empty(joined.Put);
        Assert.Empty(joined.Removed);

        static TreeLiteral Folder(TreeLiteral tree, string folder, string text) =>
            Enumerable.Range(0, 6).Aggregate(tree.Directory(folder), (now, file) => now.File($"{folder}/{file}.txt", $"{text} {file}"));
    }

    [Fact]
    public void Nonsense_is_refused()
    {
        var start = MovedDirectories.Planted(TreeLiteral.Empty, 1).ToManifest();

        // No directory, nothing at all, two to one path, and a path that would be too long.
        AssertRefused(Move("d/a/0.txt", "x"));
        AssertRefused(Move("nowhere", "x"));
        AssertRefused(Move("d/a", "x"), Move("d/b", "x/sub"));
        AssertRefused(new DirectoryMove(Path("d"), EntryPath.Parse(string.Join('/', Enumerable.Repeat(new string('n', 255), 15)) + "/" + new string('m', 253))));

        // A tree without the parents of what moved, or with something below a file, is none.
        Assert.Throws<InvalidDataException>(() => start.Apply(new PackChanges([Move("d/a", "x/y")], [], [])));
        Assert.Throws<InvalidDataException>(() => start.Apply(new PackChanges([Move("d/a", "d/file/y")], [], [])));
        Assert.Throws<InvalidDataException>(() => start.Apply(new PackChanges([Move("d/a", "d/a/y")], [], [])));

        void AssertRefused(params DirectoryMove[] moves) => Assert.Throws<InvalidDataException>(() => new PackChanges(moves, [], []).Over(start));
    }

    [Fact]
    public void What_stands_at_a_path_now_is_known_by_where_it_stood()
    {
        var changes = new PackChanges([Move("a", "b"), Move("a/in", "c"), Move("d", "b/deep")], [], []);
        Assert.Equal(Path("a/x"), changes.OriginOf(Path("b/x")));
        Assert.Equal(Path("a/in/x"), changes.OriginOf(Path("c/x")));
        Assert.Equal(Path("d/x"), changes.OriginOf(Path("b/deep/x")));
        Assert.Equal(Path("else"), changes.OriginOf(Path("else")));
    }

    private static void AssertSays(TreeLiteral before, TreeLiteral after)
    {
        var (from, to) = (before.ToManifest(), after.ToManifest());
        var plain = Manifest.Diff(from, to);
        var said = PackChanges.Between(from, plain);
        var meant = said.Over(from);
        Assert.Equal(plain.Put, meant.Put);
        Assert.Equal(plain.Removed, meant.Removed);
        Assert.Equal(to.Root, from.Apply(said).Root);
        Assert.Empty(said.Put.Select(entry => entry.Path).Intersect(said.Removed));

        // The same by moves that others know, also such as cannot be made.
        foreach (var known in (IReadOnlyList<DirectoryMove>[])[said.Moves, PackChanges.Reversed(PackChanges.Between(to, Manifest.Diff(to, from)).Moves), [Move("nowhere", "b")]])
        {
            var byThem = PackChanges.Between(from, plain, known).Over(from);
            Assert.Equal(plain.Put, byThem.Put);
            Assert.Equal(plain.Removed, byThem.Removed);
        }
    }

    private static void AssertJoins(TreeLiteral a, TreeLiteral b, TreeLiteral c)
    {
        var changes = Manifest.Diff(a.ToManifest(), c.ToManifest());
        var meant = Joined(a, b, c).Over(a.ToManifest());
        Assert.Equal(changes.Put, meant.Put);
        Assert.Equal(changes.Removed, meant.Removed);
    }

    private static PackChanges Joined(TreeLiteral a, TreeLiteral b, TreeLiteral c) => PackChanges.Joined(
        a.ToManifest(), Manifest.Diff(a.ToManifest(), c.ToManifest()), Between(a, b), Between(b, c));

    private static PackChanges Between(TreeLiteral before, TreeLiteral after) => PackChanges.Between(before.ToManifest(), Manifest.Diff(before.ToManifest(), after.ToManifest()));

    private static DirectoryMove Move(string from, string to) => new(Path(from), Path(to));

    private static EntryPath Path(string path) => EntryPath.Parse(path);
}
