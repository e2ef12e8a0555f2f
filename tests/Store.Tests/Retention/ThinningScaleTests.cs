using System.Diagnostics;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Retention;

/// <summary>What thinning costs goes by what the dropped versions changed. MIRROR_LONG=1 does it at the size of a year's history.</summary>
public sealed class ThinningScaleTests(ITestOutputHelper output)
{
    private static readonly bool isLong = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1";

    [Fact]
    public async Task Every_other_version_of_a_long_history_goes_in_one_exchange()
    {
        var count = isLong ? 1_000 : 120;
        using var site = new ThinnedSite();
        await using var store = await site.OpenAsync();
        var tree = Enumerable.Range(0, 500).Aggregate(TreeLiteral.Empty, (now, number) => now.File($"d{number % 20}/f{number}", $"file {number}"));
        await FillAsync(site, store, tree, count);
        var before = site.HistoryBytes();
        var began = Stopwatch.GetTimestamp();
        var report = await store.ForgetAsync([.. Enumerable.Range(1, count - 2).Where(at => at % 2 == 0).Select(ThinnedSite.Id)], dryRun: false, null, CancellationToken.None);
        output.WriteLine($"{report.Dropped} of {count} versions dropped in {Stopwatch.GetElapsedTime(began).TotalSeconds:F2} s; history {before} bytes, then {site.HistoryBytes()}");
        Assert.Empty(report.Notices);
        Assert.Equal((count / 2) - 1, report.Dropped);
        Assert.True(site.HistoryBytes() < before * 3 / 4);
        await site.Site.AssertRestoresAsync(store, site.Site.Versions[0].Record);
    }

    [Fact]
    public async Task A_run_of_thousands_of_versions_of_one_file_is_folded_without_quadratic_cost()
    {
        using var site = new ThinnedSite();
        await using var store = await site.OpenAsync();
        var counts = isLong ? new[] { 2_500, 10_000 } : [100, 400];
        var tree = TreeLiteral.Empty.File("other", "stays");
        foreach (var count in counts)
        {
            await FillAsync(site, store, tree, count - site.Site.Versions.Count);
            var last = site.Site.Versions.Count;
            var drop = store.Versions.Select(version => version.Record.Id).Where(id => id.Sequence > 1 && (int)id.Sequence < last - 1).ToList();
            var began = Stopwatch.GetTimestamp();
            var report = await store.ForgetAsync(drop, dryRun: false, null, CancellationToken.None);
            output.WriteLine($"a run of {report.Dropped} versions folded in {Stopwatch.GetElapsedTime(began).TotalSeconds:F2} s; history {report.BytesBefore} bytes, then {report.BytesAfter}");
            Assert.Equal(drop.Count, report.Dropped);
            await site.Site.AssertRestoresAsync(store, site.Site.Versions[0].Record);
        }
    }

    private static async Task FillAsync(ThinnedSite site, Mirror.Store.Versions.VersionStore store, TreeLiteral tree, int count)
    {
        var content = Versions.SampleTrees.Text(7, 20_000);
        for (var at = 0; at < count; at++)
        {
            var number = site.Site.Versions.Count;
            new Random(number).NextBytes(content.AsSpan(number * 37 % 19_000, 200));
            await site.AddAsync(store, tree.File("changing", content.ToArray()).File($"d{number % 20}/f{number % 500}", $"version {number}"));
        }
    }
}
