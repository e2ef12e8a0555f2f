using System.Globalization;
using CliWrap;
using CliWrap.Buffered;

namespace Mirror.Bench;

/// <summary>Runs two commands in turn and prints the median of each, and the median of the ratios pair by pair, which holds when the machine's speed drifts.</summary>
internal sealed class Pairs(int runs)
{
    public async Task CompareAsync(string what, Func<int, string[]> ours, Func<int, string[]> theirs)
    {
        var pairs = new List<(double Ours, double Theirs)>();
        for (var run = 0; run < runs; run++)
        {
            pairs.Add((await TimeAsync(ours(run)), await TimeAsync(theirs(run))));
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{what,-28} {Median(pairs.Select(pair => pair.Ours)),12:F0} {Median(pairs.Select(pair => pair.Theirs)),12:F0} {Median(pairs.Select(pair => pair.Ours / pair.Theirs)),7:F2}"));
    }

    private static async Task<double> TimeAsync(string[] command)
    {
        var result = await CliWrap.Cli.Wrap(command[0]).WithArguments(command[1..]).ExecuteBufferedAsync();
        return result.RunTime.TotalMilliseconds;
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
