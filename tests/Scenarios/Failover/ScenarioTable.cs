using System.Globalization;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.Scenarios.Failover;

/// <summary>What was measured, a row for each scenario; <c>./build.sh scenarios</c> prints it.</summary>
internal sealed class ScenarioTable(ITestOutputHelper output)
{
    public static bool IsAsked => Environment.GetEnvironmentVariable("MIRROR_ROUNDS") is { Length: > 0 };

    /// <summary>How often what is measured is played: once, and as often as MIRROR_ROUNDS says.</summary>
    public static int Rounds { get; } = int.TryParse(Environment.GetEnvironmentVariable("MIRROR_ROUNDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var rounds) ? Math.Max(rounds, 1) : 1;

    private static string Place => Checkout.Path(".build", "scenarios.md");

    /// <param name="asked">What the figures are to be; empty where only the promises count.</param>
    public void Add(string scenario, string measured, IReadOnlyList<double> milliseconds, string asked, IReadOnlyList<Outcome> outcomes)
    {
        if (!File.Exists(Place))
        {
            File.WriteAllText(Place,
                """
                | scenario | measured, ms | rounds | median | worst | asked | reads failed | writes failed | acknowledged, lost before they were consistent | consistent, lost |
                | --- | --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |

                """);
        }

        var row = string.Create(CultureInfo.InvariantCulture,
            $"| {scenario} | {measured} | {milliseconds.Count} | {Median(milliseconds):F0} | {milliseconds.Max():F0} | {asked} | {outcomes.Sum(outcome => outcome.FailedReads)} | {outcomes.Sum(outcome => outcome.FailedWrites)} | {outcomes.Sum(outcome => outcome.Unfinished)} | 0 |");
        File.AppendAllText(Place, row + "\n");
        output.WriteLine(row);
    }

    private static double Median(IReadOnlyList<double> values)
    {
        var sorted = values.Order().ToList();
        return (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
    }
}
