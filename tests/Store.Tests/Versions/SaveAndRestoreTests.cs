using System.Diagnostics;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

public sealed class SaveAndRestoreTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Saved_versions_are_restored_byte_for_byte_with_all_metadata(bool flipEach)
    {
        foreach (var tree in SampleTrees.All)
        {
            site.Add(tree);
        }

        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flipEach);
        await store.FlipAsync(CancellationToken.None);

        Assert.Equal(site.Versions[^1].Record, store.Current);
        Assert.All(store.Versions, version => Assert.True(version.Restorable));
        await VersionedSite.AssertCleanAsync(store);
        foreach (var (record, tree) in site.Versions)
        {
            Assert.Equal(tree.ToManifest().Entries, store.ManifestOf(record.Id).Entries);
            var source = site.Files[$"source-{record.Id}"];
            tree.WriteTo(source);
            var restored = site.Files[$"restored-{record.Id}"];
            await store.RestoreAsync(record.Id, restored, null, CancellationToken.None);
            TreeAssert.SameDirectories(source, restored);
            Assert.Equal("", await RsyncAsync(source, restored));
        }
    }

    [Fact]
    public async Task The_current_link_shows_the_version_that_was_flipped_to()
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
        TreeAssert.Holds(SampleTrees.Second, store.CurrentLink);

        site.Add(SampleTrees.Third);
        await site.StageAllAsync(store, flip: false);
        TreeAssert.Holds(SampleTrees.Second, store.CurrentLink);
        TreeAssert.Holds(SampleTrees.Third, store.HeadTree);
        Assert.NotEqual(store.Current, store.Head);
    }

    [Fact]
    public async Task Everything_is_still_there_after_a_restart()
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
            await store.NoteAsync(site.Versions[0].Record.Id, "unhealthy: no answer", CancellationToken.None);
        }

        site.Add(SampleTrees.Third);
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(site.Versions[1].Record, store.Current);
            await site.StageAllAsync(store, flip: false);
        }

        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(site.Versions[1].Record, store.Current);
            Assert.Equal(site.Versions[2].Record, store.Head);
            Assert.Equal("unhealthy: no answer", store.Versions[0].Note);
            await store.FlipAsync(CancellationToken.None);
            await VersionedSite.AssertCleanAsync(store);
            foreach (var (record, _) in site.Versions)
            {
                await site.AssertRestoresAsync(store, record);
            }
        }
    }

    [Fact]
    public async Task Unchanged_files_of_the_two_slots_are_one_inode_and_changed_ones_are_not()
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
        Assert.Equal(2, LinksOf("a/bin/tool"));
        Assert.Equal(4, LinksOf("a/disk.img") + LinksOf("b/disk.img"));
        Assert.Equal(1, LinksOf("b/index.html"));
        Assert.Equal(1, LinksOf("b/pages/other"));

        int LinksOf(string path)
        {
            using var tree = new TreeHandle(Path.Combine(site.StoreDirectory, "slots"));
            return (int)InodeFacts.Of(tree, EntryPath.Parse(path))!.Value.Links;
        }
    }

    [Fact]
    public async Task A_fill_over_an_older_version_keeps_the_history_reachable()
    {
        var first = site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        var far = site.Add(SampleTrees.Third, new VersionId(7, 1));
        await using var store = await site.OpenAsync();
        await store.StageAsync(await site.PackAsync(null, first), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);

        // Only what the older tree has not is sent.
        var have = SampleTrees.First.Contents();
        await store.StageAsync(await site.PackAsync(null, far, have.ContainsKey), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        TreeAssert.Holds(SampleTrees.Third, store.CurrentLink);
        await site.AssertRestoresAsync(store, first);
        await VersionedSite.AssertCleanAsync(store);
    }

    private static async Task<string> RsyncAsync(string source, string restored)
    {
        var start = new ProcessStartInfo("rsync", ["-aHAXn", "--checksum", "--delete", "-i", source + "/", restored + "/"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var rsync = Process.Start(start)!;
        var output = await rsync.StandardOutput.ReadToEndAsync();
        var errors = await rsync.StandardError.ReadToEndAsync();
        await rsync.WaitForExitAsync();
        Assert.Equal("", errors);
        return output;
    }
}
