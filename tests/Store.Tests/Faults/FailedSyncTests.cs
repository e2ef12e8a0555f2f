using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Faults;

/// <summary>
/// A commit whose fsync failed is in the index's log all the same, and a process that opens it later would take it for done, though this one has rolled back by then what belonged to it.
/// </summary>
public sealed class FailedSyncTests(ITestOutputHelper output) : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    public static TheoryData<string> Scenarios => [.. FaultScenario.All.Where(scenario => !scenario.KnowsInodes).Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task A_commit_whose_sync_failed_does_not_come_back_when_what_belonged_to_it_was_rolled_back(string scenario)
    {
        using var campaign = await FaultCampaign.StartAsync(FaultScenario.Named(scenario));
        var struck = 0;
        foreach (var at in Enumerable.Range(1, campaign.Operations.Count).Where(at => campaign.Operations[at - 1].EndsWith(": commit", StringComparison.Ordinal)))
        {
            foreach (var failures in new[] { 1, 2, 1_000 })
            {
                struck += await campaign.TryUnsyncedAsync(at, failures) ? 1 : 0;
            }
        }

        output.WriteLine($"{scenario}: {struck} times the index could not be synced");
        Assert.True(struck > 0);
    }

    [Fact]
    public async Task A_store_whose_index_was_synced_again_goes_on()
    {
        await using var store = await NewStoreAsync();
        using (var syncs = new IndexSyncs(store))
        {
            syncs.Fail(1);
            await Assert.ThrowsAsync<StoreException>(() => StageAsync(store));
        }

        Assert.Equal(site.Versions[0].Record, store.Head);
        await StageAsync(store);
        await store.FlipAsync(CancellationToken.None);
        await VersionedSite.AssertCleanAsync(store);
    }

    [Fact]
    public async Task A_store_whose_index_cannot_be_synced_refuses_to_go_on_and_can_be_opened_again()
    {
        await using (var store = await NewStoreAsync())
        {
            using (var syncs = new IndexSyncs(store))
            {
                syncs.Fail(100);
                await Assert.ThrowsAsync<StoreException>(() => StageAsync(store));
                var refused = await Assert.ThrowsAsync<StoreException>(() => StageAsync(store));
                Assert.Contains("could not be rolled back", refused.Message, StringComparison.Ordinal);
            }
        }

        await AssertSoundAsync();
    }

    private async Task AssertSoundAsync()
    {
        await using var reopened = await site.OpenAsync();
        await VersionedSite.AssertCleanAsync(reopened);
        Assert.Contains(reopened.Head!.Id.Sequence, new ulong[] { 1, 2 });
        if (reopened.Head.Id.Sequence == 1)
        {
            await StageAsync(reopened);
        }

        await reopened.FlipAsync(CancellationToken.None);
        await VersionedSite.AssertCleanAsync(reopened);
        await site.AssertAllRestoreAsync(reopened);
    }

    private async Task<VersionStore> NewStoreAsync()
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        var store = await site.OpenAsync();
        await store.StageAsync(await site.PackAsync(null, site.Versions[0].Record), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        return store;
    }

    private async Task StageAsync(VersionStore store) =>
        await store.StageAsync(await site.PackAsync(site.Versions[0].Record, site.Versions[1].Record), null, CancellationToken.None);
}
