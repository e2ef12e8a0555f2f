using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Retention;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Retention;

/// <summary>A branch that diverged is described, brought back in whole and in part, and given up by a person: then it goes, and nothing that others need goes with it.</summary>
public sealed class GivenUpBranchTests(ITestOutputHelper output) : IDisposable
{
    private static readonly VersionId label = new(1, 6);
    private readonly ThinnedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task It_is_named_by_its_last_version_and_compared_with_where_it_left_and_with_what_is_there_now()
    {
        await using var store = await BranchedAsync(site, later: 3, overwrites: true);

        var branch = Assert.Single(store.Divergences);
        Assert.Equal((label, new VersionId(1, 4), false), (branch.Label, branch.Left, branch.IsGivenUp));
        Assert.Equal(["1.5", "1.6"], branch.Versions.Select(version => version.Id.ToString()));
        Assert.InRange(branch.PackBytes, 1, site.HistoryBytes());

        var report = store.CompareDivergence(label);
        Assert.Equal(store.Head!.Id, report.Present);
        var states = report.Paths.ToDictionary(path => path.Change.Path.ToString(), path => (path.Change.Kind, path.Now));
        Assert.Equal((PathChangeKind.Content, PresentState.Changed), states["page"]);
        Assert.Equal((PathChangeKind.Added, PresentState.AsBefore), states["mine"]);
        Assert.Equal((PathChangeKind.Removed, PresentState.AsBefore), states["kept"]);
        Assert.Equal((PathChangeKind.Added, PresentState.Same), states["both"]);

        var part = Assert.Throws<StoreException>(() => store.DivergenceOf(new VersionId(1, 5)));
        Assert.Contains("branch 1.6", part.Message, StringComparison.Ordinal);
        var unknown = Assert.Throws<StoreException>(() => store.DivergenceOf(new VersionId(1, 3)));
        Assert.Contains("it keeps 1.6", unknown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_what_differs_is_brought_back_when_that_is_asked_for()
    {
        await using var store = await BranchedAsync(site, later: 1, overwrites: true);
        var only = site.Site.Files["only"];
        await store.RestoreAsync(label, only, new RestoreOptions { Since = new VersionId(1, 4) }, null, CancellationToken.None);

        Assert.Equal(["both", "deep/mine", "mine", "page"], Directory.GetFiles(only, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(only, path)).Order(StringComparer.Ordinal));
        Assert.Equal("nobody else saw 2", await File.ReadAllTextAsync(Path.Combine(only, "page")));
        var refused = await Assert.ThrowsAsync<StoreException>(
            () => store.RestoreAsync(label, only, new RestoreOptions { Since = new VersionId(1, 4), InPlace = true }, null, CancellationToken.None));
        Assert.Contains("Name a new directory", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Given_up_it_goes_and_every_version_of_the_line_stays_as_it_was()
    {
        await using var store = await BranchedAsync(site, later: 3);
        Assert.Equal(new VersionId(1, 5), Assert.Single(store.Versions, version => !version.Restorable).Record.Id);

        var told = await store.GiveUpAsync(label, "  looked at ", dryRun: true, null, CancellationToken.None);
        Assert.Empty(told.Stay);
        Assert.False(store.Divergences[0].IsGivenUp);

        var drop = await store.GiveUpAsync(label, "looked at", dryRun: false, null, CancellationToken.None);
        Assert.Empty(drop.Stay);
        Assert.True(drop.BytesAfter < drop.BytesBefore);
        Assert.Empty(store.Divergences);
        Assert.Equal(["1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "2.3", "2.4"], store.Versions.Select(version => version.Record.Id.ToString()));
        await site.AssertSoundAsync(store);
        await Assert.ThrowsAsync<StoreException>(() => store.GiveUpAsync(label, "again", dryRun: false, null, CancellationToken.None));
    }

    [Fact]
    public async Task What_lies_in_a_slot_stays_until_the_next_version_has_taken_that_also_over_a_restart()
    {
        var store = await BranchedAsync(site, later: 0);
        var drop = await store.GiveUpAsync(label, "looked at", dryRun: false, null, CancellationToken.None);
        Assert.Equal($"in slot {(store.CurrentSlot == "a" ? "b" : "a")}", Assert.Single(drop.Stay).Value);
        Assert.True(Assert.Single(store.Divergences).IsGivenUp);
        Assert.Equal(0, await store.SweepAsync(CancellationToken.None));
        await store.DisposeAsync();

        await using var again = await site.OpenAsync();
        Assert.StartsWith("diverged, given up: looked at", again.Versions.Single(version => version.Record.Id == label).Note, StringComparison.Ordinal);
        await site.AddAsync(again, ThinnedSite.Tree(8));
        Assert.Equal(1, await again.SweepAsync(CancellationToken.None));
        Assert.Empty(again.Divergences);
        await VersionedSite.AssertCleanAsync(again);
    }

    [Fact]
    public async Task What_was_given_up_uses_up_nothing_that_a_policy_keeps_and_goes_with_it()
    {
        await using var store = await BranchedAsync(site, later: 0);
        await store.GiveUpAsync(label, "looked at", dryRun: false, null, CancellationToken.None);
        await site.AddAsync(store, ThinnedSite.Tree(8));

        var report = await store.ApplyRetentionAsync(new RetentionPolicy { KeepLast = 4 }, 0, dryRun: false, null, CancellationToken.None);
        Assert.Equal("a diverged branch that was given up", report.Lines.Single(line => line.Id == label).Reason);
        Assert.Equal(["1.3", "1.4", "2.1", "2.2"], store.Versions.Select(version => version.Record.Id.ToString()));
    }

    [Fact]
    public async Task A_protected_version_of_it_is_not_given_up_nor_is_anything_without_a_reason()
    {
        await using var store = await BranchedAsync(site, later: 3);
        await store.ProtectAsync(new VersionId(1, 5), "for the lawyers", CancellationToken.None);
        var refused = await Assert.ThrowsAsync<StoreException>(() => store.GiveUpAsync(label, "looked at", dryRun: false, null, CancellationToken.None));
        Assert.Contains("mirror protect 1.5 --lift", refused.Message, StringComparison.Ordinal);
        await store.UnprotectAsync(new VersionId(1, 5), CancellationToken.None);
        await Assert.ThrowsAsync<StoreException>(() => store.GiveUpAsync(label, " ", dryRun: false, null, CancellationToken.None));
        await Assert.ThrowsAsync<StoreException>(() => store.GiveUpAsync(label, "two\nlines", dryRun: false, null, CancellationToken.None));
        Assert.False(Assert.Single(store.Divergences).IsGivenUp);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stopped_at_any_change_of_the_disk_it_is_kept_whole_or_given_up_and_the_line_is_untouched(bool machineDies)
    {
        using var template = new ThinnedSite();
        await (await BranchedAsync(template, later: 2)).DisposeAsync();
        var points = new List<string>();
        for (var failAt = 1; ; failAt++)
        {
            using var trial = template.Copy();
            var disk = new FailingDisk(failAt, machineDies);
            bool failed;
            await using (var store = await trial.OpenAsync(disk))
            {
                disk.Armed = true;
                failed = await Crashing.FailsAsync(() => store.GiveUpAsync(label, "looked at", dryRun: false, null, CancellationToken.None));
                disk.Armed = false;
            }

            await using var reopened = await trial.OpenAsync();
            await AssertWholeOrGoingAsync(trial, reopened, failed, $"at {failAt} ({disk.Failed})");
            if (!failed)
            {
                output.WriteLine($"{points.Count} failures injected: {string.Join(", ", points.Distinct())}");
                Assert.True(points.Count >= 10, $"only {points.Count} changes were seen");
                Assert.Contains("give up branch", string.Join(' ', points), StringComparison.Ordinal);
                return;
            }

            points.Add(disk.Failed!);
        }
    }

    private static async Task AssertWholeOrGoingAsync(ThinnedSite trial, VersionStore store, bool failed, string where)
    {
        try
        {
            await VersionedSite.AssertCleanAsync(store);
            var left = store.Divergences;
            Assert.True(failed || left.Count == 0);
            if (left.Count > 0 && !left[0].IsGivenUp)
            {
                Assert.Equal(2, left[0].Versions.Count);
                await trial.Site.AssertRestoresAsync(store, left[0].Versions[^1]);
                await store.GiveUpAsync(label, "again", dryRun: false, null, CancellationToken.None);
            }

            await store.SweepAsync(CancellationToken.None);
            Assert.Empty(store.Divergences);
            Assert.Equal(["1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "2.3"], store.Versions.Select(version => version.Record.Id.ToString()));
            foreach (var version in store.Versions)
            {
                Assert.True(version.Restorable, $"{version.Record.Id} cannot be restored");
                await trial.Site.AssertRestoresAsync(store, version.Record);
            }

            Assert.Equal(store.PackFiles.Order(StringComparer.Ordinal), trial.HistoryFiles());
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{where}: {error.Message}", error);
        }
    }

    /// <summary>Four versions; two more that it captured as primary and nobody saw; then the new primary's, and so many after it.</summary>
    /// <param name="overwrites">What was written over while it captured is in no version here any more; else everything is, and the way to the first four leads over the branch.</param>
    private static async Task<VersionStore> BranchedAsync(ThinnedSite site, int later, bool overwrites = false)
    {
        var store = await site.OpenAsync();
        await site.AddManyAsync(store, 4);
        var common = site.Site.Versions[^1].Record;
        var live = await store.BeginCapturingAsync(CancellationToken.None);
        var tree = ThinnedSite.Tree(4);
        VersionRecord branch = common;
        for (var number = 1; number <= 2; number++)
        {
            tree = ThinnedSite.Tree(4).File("mine", SampleTrees.Text(76 + number, 4_000)).File("deep/mine", "below").File("both", "written twice");
            tree = overwrites ? tree.Without("kept").File("page", $"nobody else saw {number}") : tree;
            branch = site.Site.Add(tree);
            tree.WriteTo(live.Tree);
            if (overwrites)
            {
                File.Delete(Path.Combine(live.Tree, "kept"));
            }

            await store.RecordCaptureAsync(
                branch, Manifest.Diff(store.HeadManifest, tree.ToManifest()), new Dictionary<EntryPath, StatKey>(), new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);
        }

        await store.EndCapturingAsync(site.Site.Files["root"], common.Id, tree.ToManifest(), await site.Site.PackAsync(common, branch), "never replicated", CancellationToken.None);
        var fresh = site.Site.Add(ThinnedSite.Tree(7).File("both", "written twice"), new VersionId(2, 1), common);
        await store.StageAsync(await site.Site.PackAsync(null, fresh), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        for (var at = 0; at < later; at++)
        {
            await site.AddAsync(store, ThinnedSite.Tree(8 + at).File("both", "written twice"));
        }

        return store;
    }
}
