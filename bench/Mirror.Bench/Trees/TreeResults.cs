using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Trees;

internal enum TreeStep
{
    First,
    Second,
    FirstBack,
    SecondBack,
    Unchanged,
    Renamed,
}

/// <param name="All">All that is new on the disk.</param>
/// <param name="History">Of that what keeps older versions; null: nothing does, or it is the first.</param>
/// <param name="Pack">What would go to another machine; null: not known.</param>
internal sealed record TargetGrowth(long All, long? History, long? Pack);

/// <summary>What each tool's steps took, round by round, and how its target grew.</summary>
internal sealed class TreeResults(string mirrorName, Workload workload)
{
    private readonly Dictionary<(string Tool, TreeStep Step), SortedDictionary<int, Measured>> _runs = [];
    private readonly Dictionary<(string Tool, TreeStep Step), TargetGrowth> _targets = [];
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

    public void Target(string tool, TreeStep step, TargetGrowth growth) => _targets[(tool, step)] = growth;

    public Table ToTable()
    {
        var table = new Table("step", "tool", "wall s", "CPU s", "peak memory", "pack", "target grew", "of that history", "wall ÷ mirror", "CPU ÷ mirror");
        foreach (var step in Enum.GetValues<TreeStep>())
        {
            foreach (var tool in _tools)
            {
                if (_runs.TryGetValue((tool, step), out var rounds))
                {
                    var median = Measured.MedianOf(rounds.Values);
                    var target = _targets.GetValueOrDefault((tool, step));
                    table.Add(
                        Word(step), tool, Table.Seconds(median.Wall), Table.Seconds(median.Cpu), Table.Bytes(median.PeakMemory), Table.Bytes(target?.Pack), Table.Bytes(target?.All), Table.Bytes(target?.History),
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

    private string Word(TreeStep step) => step switch
    {
        TreeStep.First => "first version",
        TreeStep.Second => "second version",
        TreeStep.FirstBack => "first version back",
        TreeStep.SecondBack => "second version back",
        TreeStep.Unchanged => "nothing changed",
        _ => $"{workload.Renamed?.From} renamed{(workload.FileName is null ? "" : ", and a new one")}",
    };
}
