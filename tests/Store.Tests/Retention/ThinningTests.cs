using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Retention;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Retention;

public sealed class ThinningTests : IDisposable
{
    private readonly ThinnedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_policy_drops_what_no_rule_keeps_and_every_other_version_is_as_it_was()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 60);
            var before = site.HistoryBytes();
            var report = await store.ApplyRetentionAsync(new RetentionPolicy { KeepLast = 3, KeepDaily = 7 }, recent: 0, dryRun: false, null, CancellationToken.None);

            // From 13:00 on an hour each: the last of a day are 11, 35 and 59.
            await site.AssertHoldsAsync(store, 1, 11, 35, 58, 59, 60);
            Assert.Equal(54, report.Dropped);
            Assert.Equal((before, site.HistoryBytes()), (report.BytesBefore, report.BytesAfter));
            Assert.True(report.BytesAfter < before / 3, $"{report.BytesAfter} of {before} bytes are left");
            Assert.Equal(["1.11-1.1.pack", "1.35-1.11.pack", "1.58-1.35.pack", "1.59-1.58.pack", "1.60-1.59.pack"], site.HistoryFiles());
        }

        await using var reopened = await site.OpenAsync();
        await site.AssertHoldsAsync(reopened, 1, 11, 35, 58, 59, 60);
        await site.AddManyAsync(reopened, 2);
        await site.AssertHoldsAsync(reopened, 1, 11, 35, 58, 59, 60, 61, 62);
    }

    [Fact]
    public async Task A_dry_run_says_what_would_go_and_changes_nothing()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 6);
        var files = site.HistoryFiles().ToList();
        var policy = new RetentionPolicy { KeepLast = 1 };
        var told = await store.ApplyRetentionAsync(policy, recent: 0, dryRun: true, null, CancellationToken.None);
        Assert.Equal(files, site.HistoryFiles());
        Assert.Equal([false, false, false, false, true, true], told.Lines.Select(line => line.Kept));
        Assert.Equal("in slot a", told.Lines[4].Reason);
        Assert.Equal("newest; last", told.Lines[5].Reason);

        var done = await store.ApplyRetentionAsync(policy, recent: 0, dryRun: false, null, CancellationToken.None);
        Assert.Equal(told.Lines, done.Lines);
        await site.AssertHoldsAsync(store, 5, 6);
    }

    [Fact]
    public async Task An_empty_policy_is_refused()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 2);
        await Assert.ThrowsAsync<StoreException>(() => store.ApplyRetentionAsync(new RetentionPolicy(), 0, dryRun: false, null, CancellationToken.None));
        await site.AssertHoldsAsync(store, 1, 2);
    }

    [Fact]
    public async Task The_times_a_primary_claims_count_for_nothing()
    {
        await using var store = await site.OpenAsync();

        // Records claim a day for each sequence number; all of them came within one.
        await site.AddManyAsync(store, 8);
        await store.ApplyRetentionAsync(new RetentionPolicy { KeepDaily = 30 }, recent: 0, dryRun: false, null, CancellationToken.None);
        await site.AssertHoldsAsync(store, 1, 7, 8);
    }

    [Fact]
    public async Task Named_versions_go_and_only_they()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 8);
        var report = await store.ForgetAsync([ThinnedSite.Id(3), ThinnedSite.Id(5), ThinnedSite.Id(4), ThinnedSite.Id(1)], dryRun: false, null, CancellationToken.None);
        Assert.Equal(4, report.Dropped);
        await site.AssertHoldsAsync(store, 2, 6, 7, 8);

        var slot = await Assert.ThrowsAsync<StoreException>(() => store.ForgetAsync([ThinnedSite.Id(2), ThinnedSite.Id(7)], dryRun: false, null, CancellationToken.None));
        Assert.Contains("in slot", slot.Message, StringComparison.Ordinal);
        var newest = await Assert.ThrowsAsync<StoreException>(() => store.ForgetAsync([ThinnedSite.Id(8)], dryRun: true, null, CancellationToken.None));
        Assert.Contains("--newest", newest.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<StoreException>(() => store.ForgetAsync([ThinnedSite.Id(3)], dryRun: false, null, CancellationToken.None));
        await site.AssertHoldsAsync(store, 2, 6, 7, 8);
    }

    [Fact]
    public async Task A_protected_version_outlives_every_policy_until_it_is_protected_no_more()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 6);
            await store.ProtectAsync(ThinnedSite.Id(2), "before the migration", CancellationToken.None);
            Assert.Equal("protected: before the migration", store.Versions[1].Note);
        }

        await using (var store = await site.OpenAsync())
        {
            var report = await store.ApplyRetentionAsync(new RetentionPolicy { KeepLast = 1 }, recent: 0, dryRun: false, null, CancellationToken.None);
            Assert.Equal("protected: before the migration", report.Lines[1].Reason);
            await site.AssertHoldsAsync(store, 2, 5, 6);
            var refused = await Assert.ThrowsAsync<StoreException>(() => store.ForgetAsync([ThinnedSite.Id(2)], dryRun: false, null, CancellationToken.None));
            Assert.Contains("before the migration", refused.Message, StringComparison.Ordinal);

            await store.UnprotectAsync(ThinnedSite.Id(2), CancellationToken.None);
            await store.ForgetAsync([ThinnedSite.Id(2)], dryRun: false, null, CancellationToken.None);
            await site.AssertHoldsAsync(store, 5, 6);
            await Assert.ThrowsAsync<StoreException>(() => store.UnprotectAsync(ThinnedSite.Id(6), CancellationToken.None));
            await Assert.ThrowsAsync<StoreException>(() => store.ProtectAsync(ThinnedSite.Id(2), "gone", CancellationToken.None));
            await Assert.ThrowsAsync<StoreException>(() => store.ProtectAsync(ThinnedSite.Id(6), "two\nlines", CancellationToken.None));
        }
    }

    [Fact]
    public async Task While_it_is_unknown_what_is_protected_nothing_is_dropped()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 4);
        }

        await File.WriteAllTextAsync(Path.Combine(site.Site.StoreDirectory, "protected"), "1.1 good\n\0\u0001garbage\n");
        await using var damaged = await site.OpenAsync();
        await site.AddManyAsync(damaged, 1);
        var refused = await Assert.ThrowsAsync<StoreException>(() => damaged.ApplyRetentionAsync(new RetentionPolicy { KeepLast = 1 }, 0, dryRun: false, null, CancellationToken.None));
        Assert.Contains("protected", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<StoreException>(() => damaged.ForgetAsync([ThinnedSite.Id(1)], dryRun: false, null, CancellationToken.None));
        await Assert.ThrowsAsync<StoreException>(() => damaged.ForgetNewestAsync(null, CancellationToken.None));
        await site.AssertHoldsAsync(damaged, 1, 2, 3, 4, 5);
    }

    [Fact]
    public async Task In_a_cluster_the_newest_versions_and_where_the_epoch_began_stay()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 5);
        site.Site.Add(ThinnedSite.Tree(50), new VersionId(2, 1));
        for (var at = 51; at < 58; at++)
        {
            site.Site.Add(ThinnedSite.Tree(at));
        }

        await site.Site.StageAllAsync(store, flip: true);
        await store.ApplyRetentionAsync(new RetentionPolicy { KeepLast = 1 }, recent: 3, dryRun: false, null, CancellationToken.None);
        Assert.Equal(["1.5", "2.1", "2.6", "2.7", "2.8"], store.Versions.Select(version => version.Record.Id.ToString()));
        await site.AssertSoundAsync(store);
    }

    [Fact]
    public async Task Two_runs_at_once_do_what_one_does()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 30);
        var policy = new RetentionPolicy { KeepLast = 2, KeepDaily = 3 };
        var runs = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => store.ApplyRetentionAsync(policy, 0, dryRun: false, null, CancellationToken.None))));
        Assert.Equal([0, 0, 26], runs.Select(run => run.Dropped).Order());
        await site.AssertHoldsAsync(store, 1, 11, 29, 30);
    }

    [Fact]
    public async Task Versions_that_come_while_packs_are_joined_are_neither_kept_waiting_nor_lost()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 20);
        var staged = new List<int>();
        var progress = new Immediately(_ =>
        {
            // Between two joins, before the exchange: the turn is free.
            if (staged.Count < 3)
            {
                staged.Add(site.Site.Versions.Count + 1);
                site.AddAsync(store, ThinnedSite.Tree(site.Site.Versions.Count + 1)).GetAwaiter().GetResult();
            }
        });
        await store.ForgetAsync([.. Enumerable.Range(2, 16).Where(at => at % 4 != 0).Select(ThinnedSite.Id)], dryRun: false, progress, CancellationToken.None);
        await site.AssertHoldsAsync(store, 1, 4, 8, 12, 16, 18, 19, 20, 21, 22, 23);
    }

    [Fact]
    public async Task A_restore_goes_on_while_the_packs_it_reads_are_exchanged_for_others()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 12);
        var thinned = false;
        var progress = new Immediately(_ =>
        {
            if (!thinned)
            {
                thinned = true;
                store.ForgetAsync([.. Enumerable.Range(3, 7).Select(ThinnedSite.Id)], dryRun: false, null, CancellationToken.None).GetAwaiter().GetResult();
            }
        });
        await store.RestoreAsync(ThinnedSite.Id(2), site.Site.Files["restored"], progress, CancellationToken.None);
        Assert.True(thinned);
        TreeAssert.Holds(ThinnedSite.Tree(2), site.Site.Files["restored"]);
        await site.AssertHoldsAsync(store, 1, 2, 10, 11, 12);
    }

    [Fact]
    public async Task A_version_whose_pack_is_damaged_stays_and_so_does_what_lies_beyond_it()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 10);
        var path = Path.Combine(site.HistoryDirectory, "1.6-1.5.pack");
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[bytes.Length / 2] ^= 1;
        bytes[^40] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);

        var report = await store.ForgetAsync([.. Enumerable.Range(2, 7).Select(ThinnedSite.Id)], dryRun: false, null, CancellationToken.None);
        Assert.Contains(store.Versions, version => version.Record.Id == ThinnedSite.Id(1));
        Assert.True(File.Exists(path));
        Assert.NotEmpty(report.Notices);
        Assert.Equal([1, 2, 3, 4, 5, 6, 9, 10], store.Versions.Select(version => (int)version.Record.Id.Sequence));
        Assert.Equal(2, report.Dropped);

        // With the pack back in place, all that is left can be restored.
        bytes[bytes.Length / 2] ^= 1;
        bytes[^40] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);
        await store.DisposeAsync();
        await using var mended = await site.OpenAsync();
        await site.AssertSoundAsync(mended);
        Assert.Contains(mended.Versions, version => version.Record.Id == ThinnedSite.Id(1) && version.Restorable);
    }

    [Fact]
    public async Task A_budget_is_kept_by_thinning_the_past_and_what_must_stay_stays()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 40);
        await store.ProtectAsync(ThinnedSite.Id(7), "mine", CancellationToken.None);
        var budget = site.HistoryBytes() / 3;
        var policy = new RetentionPolicy { Budget = budget };
        Assert.True((await store.ApplyRetentionAsync(policy, 0, dryRun: true, null, CancellationToken.None)).Dropped > 10);

        var report = await store.ApplyRetentionAsync(policy, 0, dryRun: false, null, CancellationToken.None);
        Assert.InRange(site.HistoryBytes(), budget / 2, budget);
        Assert.Equal(site.HistoryBytes(), report.BytesAfter);
        Assert.Empty(report.Notices);
        Assert.Contains(store.Versions, version => version.Record.Id == ThinnedSite.Id(7));
        Assert.Equal(report.Lines.Where(line => line.Kept).Select(line => line.Id), store.Versions.Select(version => version.Record.Id));
        await site.AssertSoundAsync(store);

        var tight = await store.ApplyRetentionAsync(new RetentionPolicy { Budget = 1 }, 0, dryRun: false, null, CancellationToken.None);
        Assert.Contains("more than the budget", Assert.Single(tight.Notices), StringComparison.Ordinal);
        await site.AssertHoldsAsync(store, 7, 39, 40);
    }

    [Fact]
    public async Task A_diverged_branch_is_dropped_by_nothing_and_its_way_is_kept()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 6);

        // It was primary for a moment and captured what nobody else has; then it follows again.
        var live = await store.BeginCapturingAsync(CancellationToken.None);
        var common = site.Site.Versions[^1].Record;
        var tree = ThinnedSite.Tree(6).File("page", "nobody else saw this").File("mine", SampleTrees.Text(77, 4_000));
        var branch = site.Site.Add(tree);
        tree.WriteTo(live.Tree);
        await store.RecordCaptureAsync(
            branch, Manifest.Diff(store.HeadManifest, tree.ToManifest()), new Dictionary<EntryPath, StatKey>(), new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);
        await store.EndCapturingAsync(site.Site.Files["root"], common.Id, tree.ToManifest(), await site.Site.PackAsync(common, branch), "never replicated", CancellationToken.None);

        var fresh = site.Site.Add(ThinnedSite.Tree(7), new VersionId(2, 1), common);
        await store.StageAsync(await site.Site.PackAsync(null, fresh), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        for (var at = 8; at < 12; at++)
        {
            await site.AddAsync(store, ThinnedSite.Tree(at));
        }

        await store.ApplyRetentionAsync(new RetentionPolicy { KeepLast = 1 }, 0, dryRun: false, null, CancellationToken.None);
        Assert.Equal(["1.7", "2.4", "2.5"], store.Versions.Select(version => version.Record.Id.ToString()));
        Assert.StartsWith("diverged", store.Versions[0].Note, StringComparison.Ordinal);
        await site.AssertSoundAsync(store);
        await Assert.ThrowsAsync<StoreException>(() => store.ForgetAsync([branch.Id], dryRun: false, null, CancellationToken.None));
    }

    [Fact]
    public async Task A_primary_that_has_only_manifests_of_what_it_captured_thins_those()
    {
        await using var store = await site.OpenAsync();
        await site.AddManyAsync(store, 3);
        var live = await store.BeginCapturingAsync(CancellationToken.None);
        for (var at = 4; at < 12; at++)
        {
            var record = site.Site.Add(ThinnedSite.Tree(at));
            site.Time.Advance(TimeSpan.FromHours(1));
            await store.RecordCaptureAsync(
                record, Manifest.Diff(store.HeadManifest, ThinnedSite.Tree(at).ToManifest()), new Dictionary<EntryPath, StatKey>(), new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);
        }

        var restorable = store.Versions.Where(version => version.Restorable).Select(version => version.Record.Id).ToHashSet();
        var report = await store.ForgetAsync([.. new[] { 1, 3, 5, 6, 8 }.Select(ThinnedSite.Id)], dryRun: false, null, CancellationToken.None);

        // What 2 has of its own are deltas from contents of 3, and no pack leads over 3 to them.
        Assert.StartsWith("1.3 could not be dropped", Assert.Single(report.Notices), StringComparison.Ordinal);
        Assert.Equal([2, 3, 4, 7, 9, 10, 11], store.Versions.Select(version => (int)version.Record.Id.Sequence));
        Assert.All(store.Versions, version => Assert.Equal(site.Site.TreeOf(version.Record.Id).ToManifest().Root, store.ManifestOf(version.Record.Id).Root));
        Assert.All(store.Versions.Where(version => restorable.Contains(version.Record.Id)), version => Assert.True(version.Restorable));
        Assert.Null(store.DueKeyFrame(new KeyFramePolicy(1, TimeSpan.Zero), 0));
        await Assert.ThrowsAsync<StoreException>(() => store.ForgetNewestAsync(null, CancellationToken.None));
        Assert.Equal(ThinnedSite.Id(11), store.Live!.Version);
        Assert.Equal(live.Tree, store.Live.Tree);
    }

    [Fact]
    public async Task A_thinned_store_without_its_index_is_rebuilt_with_all_it_keeps()
    {
        await using (var store = await site.OpenAsync())
        {
            await site.AddManyAsync(store, 9);
            await store.MakeKeyFrameAsync(ThinnedSite.Id(4), null, CancellationToken.None);
            await store.ProtectAsync(ThinnedSite.Id(2), "for ever", CancellationToken.None);
            await store.ForgetAsync([.. new[] { 3, 5, 6, 7 }.Select(ThinnedSite.Id)], dryRun: false, null, CancellationToken.None);

            // By the packs' times a rebuilt index knows when versions came.
            Assert.Equal(site.Time.GetUtcNow().AddHours(-1), File.GetLastWriteTimeUtc(Path.Combine(site.HistoryDirectory, "1.8-1.4.pack")));
            Assert.Equal(site.Time.GetUtcNow().AddHours(-5), File.GetLastWriteTimeUtc(Path.Combine(site.HistoryDirectory, "0.0-1.4.pack")));
            Assert.Equal(site.Time.GetUtcNow().AddHours(-5), File.GetLastWriteTimeUtc(Path.Combine(site.HistoryDirectory, "1.4-1.2.pack")));
        }

        foreach (var file in Directory.EnumerateFiles(site.Site.StoreDirectory, "index.db*"))
        {
            File.Delete(file);
        }

        await using var rebuilt = await site.OpenAsync();
        await site.AssertHoldsAsync(rebuilt, 1, 2, 4, 8, 9);
        Assert.Equal("protected: for ever", rebuilt.Versions[1].Note);
        await rebuilt.ForgetAsync([ThinnedSite.Id(1)], dryRun: false, null, CancellationToken.None);
        await site.AssertHoldsAsync(rebuilt, 2, 4, 8, 9);
    }

    private sealed class Immediately(Action<StoreProgress> report) : IProgress<StoreProgress>
    {
        public void Report(StoreProgress value) => report(value);
    }
}
