using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

public sealed class OpeningTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_store_in_use_says_who_has_it()
    {
        await using var store = await site.OpenAsync();
        var error = await Assert.ThrowsAsync<StoreInUseException>(() => site.OpenAsync());
        Assert.Contains($"{(await File.ReadAllTextAsync("/proc/self/comm")).Trim()}, pid {Environment.ProcessId}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_of_another_site_is_refused()
    {
        await (await site.OpenAsync()).DisposeAsync();
        var error = await Assert.ThrowsAsync<StoreException>(() => VersionStore.OpenAsync(site.StoreDirectory, "shop", TimeProvider.System, CancellationToken.None));
        Assert.Contains("\"wiki\"", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_of_a_newer_format_is_refused()
    {
        await (await site.OpenAsync()).DisposeAsync();
        await File.WriteAllTextAsync(Path.Combine(site.StoreDirectory, "format"), "mirror-store 2\n");
        var error = await Assert.ThrowsAsync<StoreException>(() => site.OpenAsync());
        Assert.Contains("newer program", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_with_other_things_in_it_is_no_store()
    {
        var directory = site.Files.Make("photos");
        await File.WriteAllTextAsync(Path.Combine(directory, "me.jpg"), "");
        await Assert.ThrowsAsync<StoreException>(() => VersionStore.OpenAsync(directory, "wiki", TimeProvider.System, CancellationToken.None));
        Assert.True(File.Exists(Path.Combine(directory, "me.jpg")));
    }

    [Fact]
    public async Task A_damaged_journal_puts_the_idle_slot_in_doubt_and_nothing_else()
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
            site.Add(SampleTrees.Third);
            await site.StageAllAsync(store, flip: false);
        }

        await File.WriteAllTextAsync(Path.Combine(site.StoreDirectory, "journal"), "{\"Phase\":\"Prep");
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(site.Versions[1].Record, store.Head);
            TreeAssert.Holds(SampleTrees.Second, store.CurrentLink);
            await site.StageAllAsync(store, flip: true);
            await VersionedSite.AssertCleanAsync(store);
        }
    }

    [Fact]
    public async Task A_slot_that_was_deleted_is_made_again_and_a_version_that_lived_there_alone_is_staged_again()
    {
        site.Add(SampleTrees.First);
        string staged;
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
            site.Add(SampleTrees.Second);
            await site.StageAllAsync(store, flip: false);
            staged = store.HeadTree;
        }

        site.TreeRemove(staged);
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(site.Versions[0].Record, store.Head);
            Assert.Single(store.Versions);
            await site.StageAllAsync(store, flip: true);
            TreeAssert.Holds(SampleTrees.Second, store.CurrentLink);
            await site.AssertRestoresAsync(store, site.Versions[0].Record);
            await VersionedSite.AssertCleanAsync(store);
        }
    }
}
