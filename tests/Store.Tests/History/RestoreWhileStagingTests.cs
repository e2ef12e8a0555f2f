using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.History;

public sealed class RestoreWhileStagingTests
{
    [Fact]
    public async Task A_restore_is_whole_though_versions_are_staged_over_the_tree_it_reads()
    {
        using var site = new VersionedSite();
        var tree = Enumerable.Range(0, 30).Aggregate(TreeLiteral.Empty, (tree, file) => tree.File($"f{file}", SampleTrees.Text(file, 6_000)));
        site.Add(tree);
        await using var store = await site.OpenAsync(new FailingDisk(0, forGood: false));
        await site.StageAllAsync(store, flip: true);
        var first = site.Versions[0].Record;

        // After every third file that is restored a version is staged in which all files are others.
        var restored = 0;
        var hook = new Hook(() =>
        {
            if (restored++ % 3 != 0)
            {
                return;
            }

            site.Add(Enumerable.Range(0, 30).Aggregate(tree, (tree, file) => tree.File($"f{file}", SampleTrees.Text((restored * 1000) + file, 6_000))));
            site.StageAllAsync(store, flip: restored % 2 == 0).Wait();
        });
        var destination = site.Files["restored"];
        await store.RestoreAsync(first.Id, destination, hook, CancellationToken.None);
        Assert.True(restored >= 30);
        TreeAssert.Holds(tree, destination);
    }

    [Fact]
    public async Task Others_may_pass_through_the_store_to_its_trees_and_see_nothing_else()
    {
        using var site = new VersionedSite();
        await (await site.OpenAsync()).DisposeAsync();
        const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        foreach (var name in new[] { "", "slots" })
        {
            Assert.Equal(UnixFileMode.OtherExecute, File.GetUnixFileMode(Path.Combine(site.StoreDirectory, name)) & Others);
        }

        foreach (var name in new[] { "history", "inbox", "outbox", "index.db", "lock", "format" })
        {
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(Path.Combine(site.StoreDirectory, name)) & Others);
        }
    }

    private sealed class Hook(Action action) : IProgress<StoreProgress>
    {
        public void Report(StoreProgress value) => action();
    }
}
