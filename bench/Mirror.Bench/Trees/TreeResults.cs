using Mirror.Bench.Measuring;

namespace Mirror.Bench.Trees;

internal enum TreeStep
{
    First,
    Second,
    Restore,
    Unchanged,
    Renamed,
}

/// <summary>What each tool's steps took, round by round, and how its target grew.</summary>
internal sealed class TreeResults(string mirrorName)
{
    private readonly Dictionary<(string Tool, TreeStep Step), SortedDictionary<int, Measured>> _runs = [];
    private readonly Dictionary<(string Tool, TreeStep Step), (long Grew, long? Kept)> _targets = [];
    private readonly List<string> _tools = [];

    public List<string> Notes { get; } = [];

    public void Add(string tool, TreeStep step, int round, Measured run)
    {
        if (!_tools.Contains(tool))
        {
            _tools.Add(tool);
        }

        if (!_runs.TryGetValue((tool, step), out var rounds))
        {
            _runs.Add((tool, step), rounds = []);
        }

        rounds.Add(round, run);
    }

    /// <param name="kept">What keeping the version before costs; null: not kept.</param>
    public void Target(string tool, TreeStep step, long grew, long? kept) => _targets[(tool, step)] = (grew, kept);

    public Table ToTable()
    {
        var table = new Table("step", "tool", "wall s", "CPU s", "peak memory", "target grew", "older version kept in", "wall ÷ mirror", "CPU ÷ mirror");
        foreach (var step in Enum.GetValues<TreeStep>())
        {
            foreach (var tool in _tools)
            {
                if (_runs.TryGetValue((tool, step), out var rounds))
                {
                    var median = Measured.MedianOf(rounds.Values);
                    var target = _targets.TryGetValue((tool, step), out var known) ? known : ((long Grew, long? Kept)?)null;
                    table.Add(
                        Word(step), tool, Table.Seconds(median.Wall), Table.Seconds(median.Cpu), Table.Bytes(median.PeakMemory), Table.Bytes(target?.Grew), Table.Bytes(target?.Kept),
                        tool == mirrorName ? "" : Table.Times(Ratio(tool, step, run => run.Wall)), tool == mirrorName ? "" : Table.Times(Ratio(tool, step, run => run.Cpu)));
                }
            }
        }

        return table;
    }

    public (double Median, double Most) Noise()
    {
        var all = _runs.Values.SelectMany(rounds => rounds.Values).Select(run => run.Noise).ToArray();
        return all.Length == 0 ? (0, 0) : (Measured.Median(all), all.Max());
    }

    private double Ratio(string tool, TreeStep step, Func<Measured, TimeSpan> time) =>
        _runs.TryGetValue((mirrorName, step), out var ours)
            ? Measured.Median(_runs[(tool, step)].Where(run => ours.ContainsKey(run.Key)).Select(run => time(run.Value) / time(ours[run.Key])))
            : double.NaN;

    private static string Word(TreeStep step) => step switch
    {
        TreeStep.First => "first version",
        TreeStep.Second => "second version",
        TreeStep.Restore => "first version back",
        TreeStep.Unchanged => "nothing changed",
        _ => "a folder renamed",
    };
}
