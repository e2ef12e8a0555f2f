using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace Mirror.Leadership.Tests.Simulation;

public sealed class SimulationTests(ITestOutputHelper output)
{
    private const double MostSecondsOfALongRun = 1_000_000;
    private const int MostSeedsForAMutant = 600;

    private static bool IsLong => Environment.GetEnvironmentVariable("MIRROR_LONG") == "1";

    /// <summary>MIRROR_SEED=7 replays world 7 alone.</summary>
    private static int? OnlySeed => Environment.GetEnvironmentVariable("MIRROR_SEED") is { } seed ? int.Parse(seed, CultureInfo.InvariantCulture) : null;

    [Fact]
    public void In_no_world_is_a_promise_broken()
    {
        var sum = Run(false, IsLong ? MostSecondsOfALongRun : 4_000);

        Assert.True(OnlySeed is not null || (sum.Failovers > 10 && sum.Reigns > 60 && sum.Writes > 2000 && sum.Consistent > 1000 && sum.Fills > 10), $"too quiet to prove anything: {sum}");
    }

    [Fact]
    public void What_is_shorter_than_a_quarter_of_a_lease_moves_nothing()
    {
        var sum = Run(true, IsLong ? MostSecondsOfALongRun / 10 : 1_500);

        Assert.True(OnlySeed is not null || (sum.Cuts > 10 && sum.Pauses > 10 && sum.Writes > 1000), $"too quiet to prove anything: {sum}");
    }

    [Fact]
    public void Every_mutant_is_caught()
    {
        var alive = new List<string>();
        foreach (var mutant in Mutants.All)
        {
            var caught = Hunt(mutant, out var seeds);
            output.WriteLine($"| {mutant.Name} | {caught?.Checker ?? "ALIVE"} | {seeds} |");
            if (caught is null)
            {
                alive.Add(mutant.Name);
            }
            else
            {
                // What catches the mutant does not catch the honest.
                new World(seeds, Rulebook.Honest, mutant.OnlyBlips, mutant.Weather).Run();
            }
        }

        Assert.True(alive.Count == 0, $"not caught in {MostSeedsForAMutant} worlds: {string.Join("; ", alive)}");
    }

    private Tally Run(bool onlyBlips, double seconds)
    {
        var sum = new Tally();
        var watch = Stopwatch.StartNew();
        for (var seed = OnlySeed ?? 1; sum.Seconds < seconds && (OnlySeed is null || seed == OnlySeed); seed++)
        {
            var world = new World(seed, Rulebook.Honest, onlyBlips);
            world.Run();
            sum.Add(world.Tally);
        }

        output.WriteLine($"{sum}; in {watch.Elapsed.TotalSeconds:F1} s");
        return sum;
    }

    private static BrokenPromiseException? Hunt(Mutant mutant, out int seeds)
    {
        for (seeds = 1; seeds <= MostSeedsForAMutant; seeds++)
        {
            try
            {
                new World(seeds, mutant.Book, mutant.OnlyBlips, mutant.Weather).Run();
            }
            catch (BrokenPromiseException broken)
            {
                return broken;
            }
        }

        return null;
    }
}
