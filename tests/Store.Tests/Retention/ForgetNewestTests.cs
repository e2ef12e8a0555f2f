using Mirror.Store.Retention;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Retention;

public sealed class ForgetNewestTests : IDisposable
{
    private readonly ThinnedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task The_store_is_as_it_was_before_the_newest_version_came_and_goes_on_from_there()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 4);
            Assert.Equal(ThinnedSite.Id(3), store.CheckForgetNewest());
            Assert.Equal(ThinnedSite.Id(3), await store.ForgetNewestAsync(null, CancellationToken.None));
            Assert.Equal(site.Site.Versions[2].Record, store.Head);
            Assert.Equal(store.Head, store.Current);
            TreeAssert.Holds(ThinnedSite.Tree(3), store.CurrentLink);
            await site.AssertHoldsAsync(store, 1, 2, 3);
            Assert.Equal(["1.2-1.1.pack", "1.3-1.2.pack"], site.HistoryFiles());
        }

        await using var reopened = await site.OpenAsync();
        await site.AssertHoldsAsync(reopened, 1, 2, 3);
        Assert.Equal(ThinnedSite.Id(2), await reopened.ForgetNewestAsync(null, CancellationToken.None));
        Assert.Equal(ThinnedSite.Id(1), await reopened.ForgetNewestAsync(null, CancellationToken.None));
        var last = await Assert.ThrowsAsync<StoreException>(() => reopened.ForgetNewestAsync(null, CancellationToken.None));
        Assert.Contains("the only one", last.Message, StringComparison.Ordinal);

        // What comes then may be something else under the same number.
        var other = new VersionedSite();
        using (other)
        {
            other.Add(ThinnedSite.Tree(1));
            var second = other.Add(ThinnedSite.Tree(90));
            await reopened.StageAsync(await other.PackAsync(reopened.Head, second), null, CancellationToken.None);
            await reopened.FlipAsync(CancellationToken.None);
            TreeAssert.Holds(ThinnedSite.Tree(90), reopened.CurrentLink);
            await other.AssertRestoresAsync(reopened, other.Versions[0].Record);
        }
    }

    [Fact]
    public async Task Over_dropped_versions_it_goes_back_to_the_one_before_that_is_kept()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 6);
        Assert.Equal(ThinnedSite.Id(5), await store.ForgetNewestAsync(null, CancellationToken.None));
        await store.ForgetAsync([ThinnedSite.Id(4), ThinnedSite.Id(3)], dryRun: false, null, CancellationToken.None);
        Assert.Equal(ThinnedSite.Id(2), await store.ForgetNewestAsync(null, CancellationToken.None));
        TreeAssert.Holds(ThinnedSite.Tree(2), store.CurrentLink);
        await site.AssertHoldsAsync(store, 1, 2);
    }

    [Fact]
    public async Task Where_it_is_not_lawful_it_is_refused_with_the_reason()
    {
        await using var store = await site.OpenAsync();
        await Assert.ThrowsAsync<StoreException>(() => store.ForgetNewestAsync(null, CancellationToken.None));
        await site.AddManyAsync(store, 3);
        await store.ProtectAsync(ThinnedSite.Id(3), "keep", CancellationToken.None);
        Assert.Contains("protected: keep", Assert.Throws<StoreException>(() => store.CheckForgetNewest()).Message, StringComparison.Ordinal);
        await store.UnprotectAsync(ThinnedSite.Id(3), CancellationToken.None);

        site.Site.Add(ThinnedSite.Tree(4));
        await site.Site.StageAllAsync(store, flip: false);
        Assert.Contains("not current yet", (await Assert.ThrowsAsync<StoreException>(() => store.ForgetNewestAsync(null, CancellationToken.None))).Message, StringComparison.Ordinal);
        await store.FlipAsync(CancellationToken.None);

        await store.BeginCapturingAsync(CancellationToken.None);
        Assert.Contains("capturing", (await Assert.ThrowsAsync<StoreException>(() => store.ForgetNewestAsync(null, CancellationToken.None))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_whole_pack_that_leads_back_nothing_is_given_up()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 3);
        }

        File.Delete(Path.Combine(site.HistoryDirectory, "1.3-1.2.pack"));
        await using var damaged = await site.OpenAsync();
        await Assert.ThrowsAsync<StoreException>(() => damaged.ForgetNewestAsync(null, CancellationToken.None));
        TreeAssert.Holds(ThinnedSite.Tree(3), damaged.CurrentLink);
        Assert.Equal(ThinnedSite.Id(3), damaged.Head!.Id);
    }

    [Fact]
    public async Task A_key_frame_of_the_newest_goes_with_it()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 3);
        await store.MakeKeyFrameAsync(ThinnedSite.Id(3), null, CancellationToken.None);
        await store.ForgetNewestAsync(null, CancellationToken.None);
        await site.AssertHoldsAsync(store, 1, 2);
        Assert.Equal(["1.2-1.1.pack"], site.HistoryFiles());
    }
}
