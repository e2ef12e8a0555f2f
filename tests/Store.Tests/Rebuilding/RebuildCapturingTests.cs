using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Rebuilding;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Rebuilding;

/// <summary>A primary whose index is lost: its live tree has gone on, and yet it must neither forget what it captured nor use a number twice.</summary>
public sealed class RebuildCapturingTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    private string Root => site.Files["root"];

    private string Index => Path.Combine(site.StoreDirectory, "index.db");

    [Fact]
    public async Task A_captured_root_is_still_captured_and_its_manifests_are_known()
    {
        SampleTrees.First.WriteTo(Root);
        await using (var store = await site.OpenAsync())
        {
            await store.BeginCapturingAsync(Root, CancellationToken.None);
            await RecordAsync(store, SampleTrees.First);
            await RecordAsync(store, SampleTrees.Second);
        }

        Rewrite(SampleTrees.Third);
        File.Delete(Index);
        await using (var store = await site.OpenAsync())
        {
            Assert.NotEmpty(store.Remarks);
            Assert.Equal(new LiveTree(Root, "live", site.Versions[1].Record.Id), store.Live);
            Assert.Equal(site.Versions[1].Record, store.Head);
            Assert.Equal(SampleTrees.Second.ToManifest().Entries, store.HeadManifest.Entries);
            Assert.Equal(SampleTrees.First.ToManifest().Entries, store.ManifestOf(site.Versions[0].Record.Id).Entries);
            Assert.Empty(store.StatKeys.Paths);
            await RecordAsync(store, SampleTrees.Third);
        }

        await using (var store = await site.OpenAsync())
        {
            Assert.Empty(store.Remarks);
            Assert.Equal(3, store.Versions.Count);
        }
    }

    [Fact]
    public async Task A_root_that_was_named_and_not_captured_yet_is_still_named()
    {
        Directory.CreateDirectory(Root);
        await using (var store = await site.OpenAsync())
        {
            await store.BeginCapturingAsync(Root, CancellationToken.None);
        }

        File.Delete(Index);
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(Root, store.Live!.Tree);
            Assert.Null(store.Head);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_live_slot_is_still_live(bool captured)
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
            await store.BeginCapturingAsync(CancellationToken.None);
            await File.WriteAllTextAsync(Path.Combine(store.CurrentTree!, "written-live"), "by the app");
            if (captured)
            {
                await RecordAsync(store, SampleTrees.Second.File("written-live", "by the app"));
            }
        }

        await File.WriteAllTextAsync(Path.Combine(site.StoreDirectory, "current", "and-more"), "by the app");
        File.Delete(Index);
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(site.Versions[^1].Record, store.Head);
            Assert.Equal(store.CurrentTree, store.Live!.Tree);
            Assert.Equal("by the app", await File.ReadAllTextAsync(Path.Combine(store.CurrentTree!, "and-more")));
            Assert.Equal(site.TreeOf(site.Versions[^1].Record.Id).ToManifest().Entries, store.HeadManifest.Entries);
        }
    }

    [Fact]
    public async Task A_branch_that_diverged_keeps_its_note_also_without_the_facts()
    {
        SampleTrees.First.WriteTo(Root);
        VersionRecord branch;
        await using (var store = await site.OpenAsync())
        {
            await store.BeginCapturingAsync(Root, CancellationToken.None);
            await RecordAsync(store, SampleTrees.First);
            var unseen = SampleTrees.First.File("unseen", "just before the crash");
            Rewrite(unseen);
            branch = site.Add(unseen);
            await store.EndCapturingAsync(Root, site.Versions[0].Record.Id, unseen.ToManifest(), await site.PackAsync(site.Versions[0].Record, branch), "node-2 took over", CancellationToken.None);
        }

        foreach (var note in (string[])["diverged: node-2 took over", "diverged: found so when the index was rebuilt"])
        {
            File.Delete(Index);
            await using var store = await site.OpenAsync();
            Assert.True(store.IsDiverged);
            Assert.Equal(note, store.Versions.Single(version => version.Record == branch).Note);
            await site.AssertRestoresAsync(store, branch);
            File.Delete(StoreFacts.PathIn(site.StoreDirectory));
        }
    }

    [Fact]
    public async Task A_version_that_was_captured_and_is_nowhere_any_more_is_not_forgotten_silently()
    {
        SampleTrees.First.WriteTo(Root);
        await using (var store = await site.OpenAsync())
        {
            await store.BeginCapturingAsync(Root, CancellationToken.None);
            await RecordAsync(store, SampleTrees.First);
            await RecordAsync(store, SampleTrees.Second);
        }

        File.Delete(Index);
        var last = Path.Combine(site.StoreDirectory, "manifests", $"{site.Versions[0].Record.Id}-{site.Versions[1].Record.Id}.pack");
        var bytes = await File.ReadAllBytesAsync(last);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(last, bytes);
        var error = await Assert.ThrowsAsync<StoreException>(() => site.OpenAsync());
        Assert.Contains(site.Versions[1].Record.Id.ToString(), error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Index));
    }

    [Fact]
    public async Task The_trail_stays_short_however_many_versions_are_captured()
    {
        var tree = TreeLiteral.Empty.File("kept", SampleTrees.Text(1, 100));
        Directory.CreateDirectory(Root);
        await using (var store = await site.OpenAsync())
        {
            await store.BeginCapturingAsync(Root, CancellationToken.None);
            for (var i = 0; i < 120; i++)
            {
                // Names that do not compress, and all of them new each time: a step is as large as the beginning.
                tree = TreeLiteral.Empty;
                for (var n = 0; n < 60; n++)
                {
                    tree = tree.File($"{Convert.ToHexString(SampleTrees.Text((i * 100) + n, 60))}", "x");
                }

                await RecordAsync(store, tree);
            }
        }

        Assert.InRange(Directory.EnumerateFiles(Path.Combine(site.StoreDirectory, "manifests")).Count(), 1, 30);
        File.Delete(Index);
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(120, store.Versions.Count);
            Assert.Equal(tree.ToManifest().Entries, store.HeadManifest.Entries);
        }
    }

    private Task RecordAsync(VersionStore store, TreeLiteral tree) => store.RecordCaptureAsync(
        site.Add(tree), Manifest.Diff(store.HeadManifest, tree.ToManifest()), new Dictionary<EntryPath, StatKey>(), new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);

    private void Rewrite(TreeLiteral tree)
    {
        site.TreeRemove(Root);
        tree.WriteTo(Root);
    }
}
