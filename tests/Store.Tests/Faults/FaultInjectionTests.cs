using System.Globalization;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Faults;

/// <summary>
/// Every change of the disk fails, in every way, once in turn; and then the clean-up after it fails too. By default a sample in which each kind of operation occurs,
/// with MIRROR_LONG=1 all of them. MIRROR_SEED chooses another sample.
/// </summary>
public sealed class FaultInjectionTests(ITestOutputHelper output)
{
    private const int MostCleaning = 30;

    private static readonly bool everything = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1";
    private static readonly int seed = int.Parse(Environment.GetEnvironmentVariable("MIRROR_SEED") ?? "1", CultureInfo.InvariantCulture);

    public static TheoryData<string> Scenarios => [.. FaultScenario.All.Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task A_fault_at_any_operation_leaves_exactly_the_old_or_the_new_state_and_the_work_can_be_done_again(string scenario)
    {
        using var campaign = await FaultCampaign.StartAsync(FaultScenario.Named(scenario));
        var struck = 0;
        foreach (var fault in Chosen(campaign.Operations, Enum.GetValues<FaultKind>(), ofEach: 2))
        {
            struck += await campaign.TryAsync(fault) ? 1 : 0;
        }

        output.WriteLine($"{scenario}: {campaign.Operations.Count} operations, {campaign.Operations.Distinct().Count()} kinds; {struck} faults injected, seed {seed}");
        Assert.True(struck >= campaign.Operations.Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Scenarios))]
    public async Task The_clean_up_after_a_fault_may_fail_as_well(string scenario)
    {
        using var campaign = await FaultCampaign.StartAsync(FaultScenario.Named(scenario));
        var struck = 0;
        FaultKind[] firsts = [FaultKind.Refused, FaultKind.Late, FaultKind.Short, FaultKind.Killed, FaultKind.KilledWithin];
        foreach (var first in Chosen(campaign.Operations, everything ? firsts : [FaultKind.Refused, FaultKind.Killed], ofEach: 1))
        {
            // In the short form one clean-up fails here and another there; the choice shifts with the operation.
            var step = everything ? 1 : 7;
            foreach (var kind in everything ? [FaultKind.Refused, FaultKind.Short, FaultKind.KilledWithin] : new[] { first.At % 2 == 0 ? FaultKind.Killed : FaultKind.Late })
            {
                for (var after = everything ? 1 : 1 + ((first.At + seed) % step); after <= MostCleaning; after += step)
                {
                    if (!await campaign.TryAsync(first, new Fault(first.Kills ? after : first.At + after, kind)))
                    {
                        break;
                    }

                    struck++;
                }
            }
        }

        output.WriteLine($"{scenario}: {struck} pairs of faults injected, seed {seed}");
        Assert.True(struck > 0);
    }

    /// <summary>All of them, or some of each label: the first place it occurs, and others by chance.</summary>
    private static IEnumerable<Fault> Chosen(List<string> operations, FaultKind[] kinds, int ofEach)
    {
        if (everything)
        {
            return Enumerable.Range(1, operations.Count).SelectMany(at => kinds.Select(kind => new Fault(at, kind)));
        }

        var random = new Random(seed);
        return operations.Select((label, index) => (Label: label, At: index + 1))
            .GroupBy(operation => operation.Label)
            .SelectMany(group => group.Take(1).Concat(group.Skip(1).OrderBy(_ => random.Next())).Take(ofEach))
            .SelectMany(operation => kinds.Select(kind => (operation.At, Kind: kind)).OrderBy(_ => random.Next()).Take(ofEach))
            .Select(chosen => new Fault(chosen.At, chosen.Kind));
    }
}
