using Mirror.Store.Versions;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Versions;

/// <summary>Every change of the disk that staging and flipping make fails once, in turn; what is left must be exactly an old or a new version.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
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
                var failed = await Crashing.FailsAsync(() => Crashing.StageAndFlipAsync(site, store));
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
                var failed = await Crashing.FailsAsync(async () => await (await site.OpenAsync(disk)).DisposeAsync());
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
        await Crashing.StageAndFlipAsync(site, store);
        return disk.Operations;
    }

    private static async Task<VersionedSite> NewSiteAsync()
    {
        var site = new VersionedSite();
        foreach (var tree in Crashing.Trees)
        {
            site.Add(tree);
        }

        // Two versions, so that both slots exist and the idle one lags.
        await using var store = await site.OpenAsync(new FailingDisk(0, false));
        await store.StageAsync(await site.PackAsync(null, site.Versions[0].Record), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        return site;
    }

    private static Task AssertSoundAsync(VersionedSite site, VersionStore store, string where) => Crashing.AssertGoesOnAsync(site, store, where, () =>
    {
        var current = store.Current!.Id;
        Assert.True(current == new VersionId(1, 1) || current >= new VersionId(1, 3), $"{current} was never flipped to");
        return VersionedSite.AssertCleanAsync(store);
    });

    private static async Task CrashAsync(VersionedSite site, int failAt)
    {
        var disk = new FailingDisk(failAt, forGood: true);
        await using var store = await site.OpenAsync(disk);
        disk.Armed = true;
        Assert.True(await Crashing.FailsAsync(() => Crashing.StageAndFlipAsync(site, store)));
    }
}
