using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

/// <summary>A store carried to another place by rsync is a store: nothing in it knows where it lay or which inodes it had.</summary>
public sealed class CopiedStoreTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_copy_by_rsync_has_every_version_and_goes_on(bool withoutIndex)
    {
        foreach (var tree in SampleTrees.All)
        {
            site.Add(tree);
        }

        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
            await store.NoteAsync(site.Versions[0].Record.Id, "unhealthy: no answer", CancellationToken.None);
        }

        var copy = Path.Combine(site.Files.Make("elsewhere"), "deep", "er");
        Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
        Shell.Run("rsync -aHAX \"$1/\" \"$2/\"", site.StoreDirectory, copy);
        Shell.Run("mv \"$1\" \"$1.away\"", site.StoreDirectory);
        if (withoutIndex)
        {
            File.Delete(Path.Combine(copy, "index.db"));
        }

        await using (var store = await OpenAsync(copy))
        {
            Assert.Equal(withoutIndex ? 1 : 0, store.Remarks.Count);
            Assert.Equal("unhealthy: no answer", store.Versions[0].Note);
            TreeAssert.Holds(SampleTrees.Third, store.CurrentLink);
            Assert.StartsWith(copy, Path.GetFullPath(store.CurrentTree!), StringComparison.Ordinal);
            await VersionedSite.AssertCleanAsync(store);
            await site.AssertAllRestoreAsync(store);
            site.Add(SampleTrees.First.File("later", "on the other machine"));
            await site.StageAllAsync(store, flip: true);
            await VersionedSite.AssertCleanAsync(store);
            await site.AssertAllRestoreAsync(store);
        }
    }

    [Fact]
    public async Task Without_attributes_copied_files_are_told_by_verify_and_versions_are_restored_with_them()
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
        }

        var copy = site.Files["copy"];
        Shell.Run("rsync -aH \"$1/\" \"$2/\"", site.StoreDirectory, copy);
        await using (var store = await OpenAsync(copy))
        {
            var findings = await store.VerifyAsync(readData: true, null, CancellationToken.None);
            Assert.NotEmpty(findings);
            Assert.All(findings, finding => Assert.Contains("pages/other", finding.What, StringComparison.Ordinal));
            await site.AssertAllRestoreAsync(store);
        }
    }

    private static Task<VersionStore> OpenAsync(string directory) => VersionStore.OpenAsync(directory, VersionedSite.Name, TimeProvider.System, CancellationToken.None);
}
