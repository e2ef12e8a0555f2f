using System.Globalization;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Faults;

/// <summary>
/// The power goes after every operation of a scenario, and of what was not synced some reaches the disk and some does not. What is found then must be exactly the old or the
/// new state; between two steps, what the last one acknowledged.
/// </summary>
public sealed class PowerLossTests(ITestOutputHelper output)
{
    private static readonly int tries = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 24 : 1;
    private static readonly int seed = int.Parse(Environment.GetEnvironmentVariable("MIRROR_SEED") ?? "1", CultureInfo.InvariantCulture);

    public static TheoryData<string> Scenarios => [.. FaultScenario.All.Where(scenario => !scenario.KnowsInodes).Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task After_a_power_cut_the_state_is_exactly_the_old_or_the_new_whatever_of_the_unsynced_is_lost(string scenario)
    {
        using var campaign = await FaultCampaign.StartAsync(FaultScenario.Named(scenario));
        var points = await RecordAsync(campaign);
        var seen = new HashSet<string>();
        var states = 0;
        for (var at = 0; at < points.Count; at++)
        {
            for (var again = 0; again < 3 + tries; again++)
            {
                var luck = again < 3 ? (PowerLoss.Luck)again : again % 2 == 0 ? PowerLoss.Luck.InOrder : PowerLoss.Luck.AnyOrder;
                var point = points[at];
                var tree = PowerLoss.Tree(point, luck, new Random(HashCode(seed, at, again)));
                if (!seen.Add($"{point.Step} {point.Between} {PowerLoss.Fingerprint(point, tree)}"))
                {
                    continue;
                }

                states++;
                try
                {
                    campaign.PutBack(tree);
                    PutIndex(campaign.Site, point);
                    await campaign.LookAsync(point.Between ? [point.Step] : campaign.Allowed(point.Step));
                }
                catch (Exception error)
                {
                    throw new InvalidOperationException(
                        $"{scenario}: power lost after \"{point.After}\" (operation {at + 1} of {points.Count}, {point.Step} steps done), {luck}, try {again}, seed {seed}: {error.Message}\nfound on the disk: {string.Join(", ", tree.Nodes.Where(node => !node.Key.ToString().Contains("slots/", StringComparison.Ordinal)).Select(node => $"{node.Key} ({node.Value.Content.Length})"))}", error);
                }
            }
        }

        output.WriteLine($"{scenario}: {points.Count} moments, {states} different states after a power cut, seed {seed}");
        Assert.True(states > points.Count / 2);
    }

    private static async Task<List<CrashPoint>> RecordAsync(FaultCampaign campaign)
    {
        PowerLossDisk? disk = null;
        await campaign.RunAsync(
            () =>
            {
                disk = new PowerLossDisk(campaign.Site.Disk, campaign.Site.StoreDirectory);
                campaign.Site.Settled = disk.Settle;
                return disk;
            },
            number => disk!.StepDone(number));
        campaign.Site.Settled = null;
        return disk!.Points;
    }

    private static void PutIndex(FaultSite site, CrashPoint point)
    {
        foreach (var (name, bytes) in point.Index)
        {
            if (Directory.Exists(site.StoreDirectory))
            {
                File.WriteAllBytes(Path.Combine(site.StoreDirectory, name), bytes);
            }
        }
    }

    /// <summary>The same in every process, unlike the runtime's.</summary>
    private static int HashCode(int seed, int at, int again) => unchecked((((seed * 31) + at) * 1_000_003) + again);
}
