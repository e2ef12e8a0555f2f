using Mirror.Bench.Measuring;

namespace Mirror.Bench.Deltas;

/// <summary>Of one workload: what each tool's steps took, round by round, and how large its products were.</summary>
internal sealed class DeltaResults(string mirrorName)
{
    private static readonly DeltaStep[] parts = [DeltaStep.Sign, DeltaStep.Diff, DeltaStep.Patch];

    private readonly Dictionary<(string Tool, DeltaStep Step), SortedDictionary<int, Measured>> _runs = [];
    private readonly Dictionary<(string Tool, DeltaStep Step), (long Bytes, long? Compressed)> _products = [];
    private readonly List<string> _tools = [];

    public List<string> Notes { get; } = [];

    public void Add(string tool, DeltaStep step, int round, Measured run)
    {
        if (!_tools.Contains(tool))
        {
            _tools.Add(tool);
        }

        if (!_runs.TryGetValue((tool, step), out var rounds))
        {
            _runs.Add((tool, step), rounds = []);
        }

        rounds[round] = rounds.TryGetValue(round, out var before) ? Sum(before, run) : run;
    }

    public void Product(string tool, DeltaStep step, long bytes, long? compressed) => _products[(tool, step)] = (bytes, compressed);

    /// <summary>What all of a round's commands of a tool took together.</summary>
    public void AddWhole(string tool, int round)
    {
        foreach (var step in parts)
        {
            AddStep(tool, step, DeltaStep.Whole, round);
        }
    }

    /// <summary>One step of a round counts as part of another.</summary>
    public void AddStep(string tool, DeltaStep part, DeltaStep whole, int round)
    {
        if (_runs.TryGetValue((tool, part), out var rounds) && rounds.TryGetValue(round, out var run))
        {
            Add(tool, whole, round, run);
        }
    }

    /// <summary>A row for each step of each tool. "÷ mirror": the median, round by round, of its time over Mirror's in the same round; of CPU times too, which a busy machine disturbs less.</summary>
    public Table ToTable(long oldLength, long newLength)
    {
        var table = new Table("step", "tool", "wall s", "MB/s", "CPU s", "peak memory", "bytes", "then zstd -3", "wall ÷ mirror", "CPU ÷ mirror");
        foreach (var step in Enum.GetValues<DeltaStep>())
        {
            foreach (var tool in _tools)
            {
                if (_runs.TryGetValue((tool, step), out var rounds))
                {
                    var median = Measured.MedianOf(rounds.Values);
                    var product = _products.TryGetValue((tool, step), out var known) ? known : ((long Bytes, long? Compressed)?)null;
                    table.Add(
                        Word(step), tool, Table.Seconds(median.Wall), Table.Rate(step is DeltaStep.Sign or DeltaStep.Restore ? oldLength : newLength, median.Wall), Table.Seconds(median.Cpu),
                        Table.Bytes(median.PeakMemory), Table.Bytes(product?.Bytes), Table.Bytes(product?.Compressed), tool == mirrorName ? "" : Table.Times(Ratio(tool, step, run => run.Wall)),
                        tool == mirrorName ? "" : Table.Times(Ratio(tool, step, run => run.Cpu)));
                }
            }
        }

        return table;
    }

    /// <summary>What the rest of the machine did meanwhile: the median over all runs, and the most.</summary>
    public (double Median, double Most) Noise()
    {
        var all = _runs.Values.SelectMany(rounds => rounds.Values).Select(run => run.Noise).ToArray();
        return all.Length == 0 ? (0, 0) : (Measured.Median(all), all.Max());
    }

    private double Ratio(string tool, DeltaStep step, Func<Measured, TimeSpan> time) =>
        _runs.TryGetValue((mirrorName, step), out var ours)
            ? Measured.Median(_runs[(tool, step)].Where(run => ours.ContainsKey(run.Key)).Select(run => time(run.Value) / time(ours[run.Key])))
            : double.NaN;

    private static Measured Sum(Measured one, Measured other) =>
        new(one.Wall + other.Wall, one.Cpu + other.Cpu, Math.Max(one.PeakMemory, other.PeakMemory), Math.Max(one.Noise, other.Noise));

    private static string Word(DeltaStep step) => step switch
    {
        DeltaStep.Sign => "sign",
        DeltaStep.Diff => "diff",
        DeltaStep.Patch => "patch",
        DeltaStep.PatchAndReverse => "patch + reverse delta",
        DeltaStep.Whole => "sign + diff + patch",
        _ => "old version back",
    };
}
