using Mirror.Store.Packs;
using Mirror.Store.Retention;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.Retention;

public sealed class KeyFrameTests : IDisposable
{
    private readonly ThinnedSite site = new();

    public void Dispose() => site.Dispose();

    [Theory]
    [InlineData(9)]
    [InlineData(4)]
    [InlineData(1)]
    public async Task A_key_frame_of_any_version_is_made_of_local_history_and_holds_all_of_it(int sequence)
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 9);
        var made = await store.MakeKeyFrameAsync(ThinnedSite.Id(sequence), null, CancellationToken.None);
        var path = Path.Combine(site.HistoryDirectory, $"0.0-1.{sequence}.pack");
        Assert.Equal(new FileInfo(path).Length, made.Bytes);
        using (var pack = PackReader.Open(path))
        {
            pack.VerifyFrames(CancellationToken.None);
            Assert.True(pack.Header.From.IsNone);
            Assert.False(pack.Header.Partial);
            Assert.Equal(site.Site.Versions[sequence - 1].Record, pack.Version);
            Assert.All(pack.Blobs, blob => Assert.True(blob.Basis.IsNone));
        }

        // It is what another store can begin with.
        using (var other = new VersionedSite())
        {
            await using var elsewhere = await other.OpenAsync(new FailingDisk(0, false));
            await elsewhere.StageAsync(path, null, CancellationToken.None);
            Mirror.Testing.Trees.TreeAssert.Holds(ThinnedSite.Tree(sequence), elsewhere.HeadTree);
        }

        Assert.Equal(made, await store.MakeKeyFrameAsync(ThinnedSite.Id(sequence), null, CancellationToken.None));
        await site.AssertHoldsAsync(store, Enumerable.Range(1, 9));
    }

    [Fact]
    public async Task With_a_key_frame_the_loss_of_a_pack_before_it_costs_only_what_lies_between()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 8);
            await store.MakeKeyFrameAsync(ThinnedSite.Id(4), null, CancellationToken.None);
        }

        File.Delete(Path.Combine(site.HistoryDirectory, "1.7-1.6.pack"));
        await using var damaged = await site.OpenAsync();
        foreach (var sequence in new[] { 1, 2, 3, 4, 7, 8 })
        {
            await site.Site.AssertRestoresAsync(damaged, site.Site.Versions[sequence - 1].Record);
        }

        Assert.False(damaged.Versions[5].Restorable);
        Assert.True(damaged.Versions[3].Restorable);
    }

    [Fact]
    public async Task A_damaged_key_frame_is_made_anew_in_its_place()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 4);
            await store.MakeKeyFrameAsync(ThinnedSite.Id(3), null, CancellationToken.None);
        }

        await File.WriteAllTextAsync(Path.Combine(site.HistoryDirectory, "0.0-1.3.pack"), "no pack");
        await using var damaged = await site.OpenAsync();
        Assert.Single(await damaged.VerifyAsync(readData: false, null, CancellationToken.None));
        await damaged.MakeKeyFrameAsync(ThinnedSite.Id(3), null, CancellationToken.None);
        await site.AssertHoldsAsync(damaged, 1, 2, 3, 4);
    }

    [Fact]
    public async Task A_file_that_was_damaged_in_the_tree_does_not_get_into_a_key_frame()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 3);
        var victim = Path.Combine(store.HeadTree, "large");
        var bytes = await File.ReadAllBytesAsync(victim);
        bytes[100] ^= 1;
        await File.WriteAllBytesAsync(victim, bytes);
        var refused = await Assert.ThrowsAsync<StoreException>(() => store.MakeKeyFrameAsync(ThinnedSite.Id(3), null, CancellationToken.None));
        Assert.Contains("large", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(site.HistoryFiles(), file => file.StartsWith("0.0", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_is_due_after_so_many_versions_or_so_long_whichever_comes_first()
    {
        await using var store = await site.OpenAsync();
        var policy = new KeyFramePolicy(5, TimeSpan.FromHours(12));
        await site.AddManyAsync(store, 4);
        Assert.Null(await store.MakeDueKeyFrameAsync(policy, 0, null, CancellationToken.None));
        await site.AddManyAsync(store, 1);
        Assert.Equal(ThinnedSite.Id(5), (await store.MakeDueKeyFrameAsync(policy, 0, null, CancellationToken.None))?.Version);
        Assert.Null(await store.MakeDueKeyFrameAsync(policy, 0, null, CancellationToken.None));

        site.Time.Advance(TimeSpan.FromDays(3));
        Assert.Null(await store.MakeDueKeyFrameAsync(policy, 0, null, CancellationToken.None));
        await site.AddManyAsync(store, 1);
        Assert.Null(store.DueKeyFrame(policy with { Within = TimeSpan.Zero }, 0));
        Assert.Null(store.DueKeyFrame(policy, budget: 1_000));
        Assert.Equal(ThinnedSite.Id(6), (await store.MakeDueKeyFrameAsync(policy, 0, null, CancellationToken.None))?.Version);
        await site.AssertHoldsAsync(store, Enumerable.Range(1, 6));
    }

    [Fact]
    public async Task Two_key_frames_stay_and_others_go_on_to_the_next_older_version()
    {
        await using var store = await site.OpenAsync();
        for (var round = 0; round < 4; round++)
        {
            await site.AddManyAsync(store, 3);
            await store.MakeKeyFrameAsync(store.Head!.Id, null, CancellationToken.None);
        }

        // Of 3, 6, 9 and 12 the last two stay with their versions; what 6 had is 5's now.
        await store.ForgetAsync([ThinnedSite.Id(6)], dryRun: false, null, CancellationToken.None);
        Assert.Equal(["0.0-1.12.pack", "0.0-1.3.pack", "0.0-1.5.pack", "0.0-1.9.pack"], site.HistoryFiles().Where(file => file.StartsWith("0.0", StringComparison.Ordinal)));
        await site.AssertHoldsAsync(store, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12);

        var refused = await Assert.ThrowsAsync<StoreException>(() => store.ForgetAsync([ThinnedSite.Id(9)], dryRun: false, null, CancellationToken.None));
        Assert.Contains("mirror keyframe", refused.Message, StringComparison.Ordinal);
        await store.ApplyRetentionAsync(new RetentionPolicy { KeepLast = 1 }, 0, dryRun: false, null, CancellationToken.None);
        await site.AssertHoldsAsync(store, 9, 11, 12);
        Assert.Equal(["0.0-1.12.pack", "0.0-1.9.pack", "1.11-1.9.pack", "1.12-1.11.pack"], site.HistoryFiles());
    }

    [Fact]
    public async Task For_a_budget_key_frames_beyond_two_go_before_any_version()
    {
        await using var store = await site.OpenAsync();
        for (var round = 0; round < 5; round++)
        {
            await site.AddManyAsync(store, 2);
            await store.MakeKeyFrameAsync(store.Head!.Id, null, CancellationToken.None);
        }

        var all = site.HistoryBytes();
        var frame = new FileInfo(Path.Combine(site.HistoryDirectory, "0.0-1.10.pack")).Length;
        var report = await store.ApplyRetentionAsync(new RetentionPolicy { Budget = all - (2 * frame) }, 0, dryRun: false, null, CancellationToken.None);
        Assert.Equal(0, report.Dropped);
        Assert.True(report.BytesAfter <= all - (2 * frame));
        await site.AssertHoldsAsync(store, Enumerable.Range(1, 10));
        Assert.InRange(site.HistoryFiles().Count(file => file.StartsWith("0.0", StringComparison.Ordinal)), 2, 3);
    }

    [Fact]
    public async Task A_key_frame_that_alone_leads_to_old_versions_is_not_given_up_for_room()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 3);
            await store.MakeKeyFrameAsync(ThinnedSite.Id(2), null, CancellationToken.None);
            await site.AddManyAsync(store, 3);
            await store.MakeKeyFrameAsync(ThinnedSite.Id(5), null, CancellationToken.None);
            await store.MakeKeyFrameAsync(ThinnedSite.Id(6), null, CancellationToken.None);
        }

        // Nothing but reading it would tell that this pack is damaged.
        var path = Path.Combine(site.HistoryDirectory, "1.3-1.2.pack");
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[60] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);
        await using var damaged = await site.OpenAsync();
        await damaged.ProtectAsync(ThinnedSite.Id(2), "needed", CancellationToken.None);
        await damaged.ApplyRetentionAsync(new RetentionPolicy { Budget = 1 }, 0, dryRun: false, null, CancellationToken.None);
        Assert.Contains("0.0-1.2.pack", site.HistoryFiles());
        await site.Site.AssertRestoresAsync(damaged, site.Site.Versions[1].Record);
    }
}
