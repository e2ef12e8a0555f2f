using Mirror.Store.Slots;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Versions;

/// <summary>Every change of the disk that staging and flipping make fails once, in turn; what is left must be exactly an old or a new version.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    private static readonly TreeLiteral[] trees =
    [
        TreeLiteral.Empty.File("page", "one").File("big", SampleTrees.Text(1, 9_000)).File("kept", "kept").Directory("sub").Symlink("link", "page"),
        TreeLiteral.Empty.File("page", "two").File("big", SampleTrees.Text(2, 9_000)).File("kept", "kept").File("sub/new", "new").Hardlink("twin", "page"),
        TreeLiteral.Empty.File("page", "three").File("moved", SampleTrees.Text(2, 9_000)).File("kept", "kept").File("sub", "a file now"),
        TreeLiteral.Empty.File("page", "four").File("moved", SampleTrees.Text(2, 9_000)).File("kept", "kept").File("sub/again", "x").Symlink("link", "kept"),
    ];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_failure_at_any_change_of_the_disk_current_is_exactly_the_old_or_the_new_version(bool machineDies)
    {
        var points = new List<string>();
        for (var failAt = 1; ; failAt++)
        {
            using var site = await NewSiteAsync();
            var disk = new FailingDisk(failAt, machineDies);
            await using (var store = await site.OpenAsync(disk))
            {
                disk.Armed = true;
                var before = store.Current!.Id;
                var failed = await FailsAsync(() => RunAsync(site, store));
                disk.Armed = false;
                if (!failed)
                {
                    output.WriteLine($"{points.Count} failures injected ({(machineDies ? "machine dies" : "one change fails")}): {string.Join(", ", points.Distinct())}");
                    Assert.True(points.Count > 100, $"only {points.Count} changes were seen");
                    Assert.Equal(disk.Operations.Count, points.Count);
                    return;
                }

                points.Add(disk.Failed!);
                if (!machineDies)
                {
                    await AssertSoundAsync(site, store, $"in process, at {failAt} ({disk.Failed})");
                    continue;
                }
            }

            await using var reopened = await site.OpenAsync(new FailingDisk(0, false));
            await AssertSoundAsync(site, reopened, $"after restart, at {failAt} ({disk.Failed})");
        }
    }

    [Fact]
    public async Task Recovery_itself_may_be_interrupted_anywhere()
    {
        var points = 0;
        var operations = await OperationsAsync();

        // In the middle of a slot that holds nothing else, in one that holds a staged version alone, and just before and after an operation happens.
        foreach (var crash in new[] { operations.IndexOf("stage: move new file"), operations.LastIndexOf("stage: commit"), operations.IndexOf("stage: remove"), operations.IndexOf("flip: commit") })
        {
            for (var failAt = 1; ; failAt++)
            {
                using var site = await NewSiteAsync();
                await CrashAsync(site, crash + 1);
                var disk = new FailingDisk(failAt, forGood: true) { Armed = true };
                var failed = await FailsAsync(async () => await (await site.OpenAsync(disk)).DisposeAsync());
                await using var store = await site.OpenAsync(new FailingDisk(0, false));
                await AssertSoundAsync(site, store, $"recovery from {operations[crash]} failed at {failAt} ({disk.Failed})");
                if (!failed)
                {
                    break;
                }

                points++;
            }
        }

        output.WriteLine($"{points} failures injected into recovery");
        Assert.True(points > 30);
    }

    private static async Task<List<string>> OperationsAsync()
    {
        using var site = await NewSiteAsync();
        var disk = new FailingDisk(failAt: 0, forGood: false);
        await using var store = await site.OpenAsync(disk);
        disk.Armed = true;
        await RunAsync(site, store);
        return disk.Operations;
    }

    private static async Task<VersionedSite> NewSiteAsync()
    {
        var site = new VersionedSite();
        foreach (var tree in trees)
        {
            site.Add(tree);
        }

        // Two versions, so that both slots exist and the idle one lags.
        await using var store = await site.OpenAsync(new FailingDisk(0, false));
        await store.StageAsync(await site.PackAsync(null, site.Versions[0].Record), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        return site;
    }

    /// <summary>Clone and stage, stage again in place, flip, catch the other slot up, flip.</summary>
    private static async Task RunAsync(VersionedSite site, VersionStore store)
    {
        await StageNextAsync(site, store);
        await StageNextAsync(site, store);
        await store.FlipAsync(CancellationToken.None);
        await StageNextAsync(site, store);
        await store.FlipAsync(CancellationToken.None);
    }

    private static async Task StageNextAsync(VersionedSite site, VersionStore store)
    {
        var next = site.Versions.First(version => version.Record.Id > store.Head!.Id).Record;
        var received = Path.Combine(store.InboxDirectory, $"{next.Id}.pack");
        File.Copy(await site.PackAsync(store.Head, next), received, overwrite: true);
        await store.StageAsync(received, null, CancellationToken.None);
    }

    private static async Task AssertSoundAsync(VersionedSite site, VersionStore store, string where)
    {
        try
        {
            var current = store.Current!;
            TreeAssert.Holds(site.TreeOf(current.Id), store.CurrentLink);
            TreeAssert.Holds(site.TreeOf(store.Head!.Id), store.HeadTree);
            Assert.True(current.Id == new VersionId(1, 1) || current.Id >= new VersionId(1, 3), $"{current.Id} was never flipped to");
            await VersionedSite.AssertCleanAsync(store);
            await site.StageAllAsync(store, flip: false);
            await store.FlipAsync(CancellationToken.None);
            TreeAssert.Holds(trees[^1], store.CurrentLink);
            await VersionedSite.AssertCleanAsync(store);
            foreach (var (record, _) in site.Versions)
            {
                await site.AssertRestoresAsync(store, record);
            }
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{where}: {error.Message}", error);
        }
    }

    private static async Task CrashAsync(VersionedSite site, int failAt)
    {
        var disk = new FailingDisk(failAt, forGood: true);
        await using var store = await site.OpenAsync(disk);
        disk.Armed = true;
        Assert.True(await FailsAsync(() => RunAsync(site, store)));
    }

    private static async Task<bool> FailsAsync(Func<Task> run)
    {
        try
        {
            await run();
            return false;
        }
        catch (Exception error) when (error is IOException or StoreException)
        {
            return true;
        }
    }
}
