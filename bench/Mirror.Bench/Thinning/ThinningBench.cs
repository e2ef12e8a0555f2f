using System.Globalization;
using Mirror.Bench.Measuring;
using Mirror.Bench.Trees;

namespace Mirror.Bench.Thinning;

/// <summary>
/// Every second of many versions is given up: what that takes, and what room it gives back. Versions are taken by the tools in turn, as their users take them; a few that stay are compared afterwards.
/// </summary>
internal sealed class ThinningBench(WorkOptions options, IReadOnlyList<ThinningTool> tools, int versions, TimeSpan limit, TextWriter talk)
{
    private const int Told = 50;

    private readonly string _scratch = Path.Combine(options.Work, "thinning");
    private readonly Table _table = new(
        "tool", "versions", "s a version", "the last tenth", "disk before", "versions dropped", "wall s", "CPU s", "peak memory", "disk after", "oldest kept back, s");

    public async Task<Table> RunAsync(CancellationToken cancellation)
    {
        if (tools.FirstOrDefault(tool => Peer.Find(tool.Program) is null) is { } absent)
        {
            throw new BenchException($"{absent.Name}: {Peer.Absence(absent.Program)}.");
        }

        Files.Remove(_scratch);
        try
        {
            var places = tools.Select(PlaceOf).ToArray();
            var saves = await SaveAsync(places, cancellation);
            foreach (var (tool, place) in tools.Zip(places))
            {
                await ThinAsync(tool, place, saves[tool], cancellation);
            }
        }
        finally
        {
            Files.Remove(_scratch);
        }

        return _table;
    }

    /// <summary>Of an even number half stay: every second one but the first, and the newest two, which Mirror has as trees.</summary>
    private bool IsKept(int version) => version == versions || (version % 2 == 1 && version > 1);

    private int[] Compared => [.. new[] { 3, (versions / 4) | 1, (versions / 2) | 1, versions - 1, versions }.Where(IsKept).Distinct()];

    private string Expected(int version) => Path.Combine(_scratch, "expected", version.ToString(CultureInfo.InvariantCulture));

    private TreePlace PlaceOf(ThinningTool tool)
    {
        var beside = Directory.CreateDirectory(Path.Combine(_scratch, tool.Name)).FullName;
        return new TreePlace(Directory.CreateDirectory(Path.Combine(_scratch, "live")).FullName, Directory.CreateDirectory(Path.Combine(beside, "target")).FullName, beside);
    }

    private async Task<Dictionary<ThinningTool, List<Measured>>> SaveAsync(TreePlace[] places, CancellationToken cancellation)
    {
        foreach (var (tool, place) in tools.Zip(places))
        {
            if (tool.Prepare is { } prepare)
            {
                await MeasureAsync(prepare(place), place, cancellation);
            }
        }

        var runs = tools.ToDictionary(tool => tool, _ => new List<Measured>());
        var tree = new ChangingTree(places[0].Live);
        for (var version = 1; version <= versions; version++)
        {
            tree.Advance(version);
            foreach (var (tool, place) in tools.Zip(places))
            {
                runs[tool].Add(await MeasureAsync(tool.Save(place, version, IsKept(version)), place, cancellation));
            }

            if (Compared.Contains(version))
            {
                LiveFolder.Lay(places[0].Live, Directory.CreateDirectory(Expected(version)).FullName, renamed: null);
            }

            if (version % Told == 0)
            {
                talk.WriteLine($"thinning: {version} of {versions} versions; {string.Join(", ", runs.Select(tool => $"{tool.Key.Name} {Table.Seconds(Mean(tool.Value.TakeLast(Told)))} s"))} each");
            }
        }

        return runs;
    }

    private async Task ThinAsync(ThinningTool tool, TreePlace place, List<Measured> saves, CancellationToken cancellation)
    {
        talk.WriteLine($"thinning: {tool.Name} drops {versions / 2} versions");
        var before = await DiskUse.BelowAsync(place.Target);
        var run = await MeasureAsync(tool.Forget(place, Enumerable.Range(1, versions).Where(version => !IsKept(version))), place, cancellation);
        var after = await DiskUse.BelowAsync(place.Target);
        TimeSpan? oldest = null;
        foreach (var version in Compared)
        {
            var into = Directory.CreateDirectory(Path.Combine(place.Beside, "restored")).FullName;
            var back = await MeasureAsync(tool.Restore(place, version, into), place, cancellation);
            oldest ??= back.Wall;
            if (Files.FirstDifference(Expected(version), into) is { } different)
            {
                throw new BenchException($"{tool.Name}: version {version} is not as it was saved: {different} differs.");
            }

            Files.Remove(into);
        }

        string Number(int value) => value.ToString("N0", CultureInfo.InvariantCulture);
        _table.Add(
            tool.Name, Number(versions), Table.Seconds(Mean(saves.Skip(1))), Table.Seconds(Mean(saves.TakeLast(Math.Max(1, versions / 10)))), Table.Bytes(before), Number(versions / 2),
            Table.Seconds(run.Wall), Table.Seconds(run.Cpu), Table.Bytes(run.PeakMemory), Table.Bytes(after), Table.Seconds(oldest));
    }

    private static TimeSpan Mean(IEnumerable<Measured> runs) => TimeSpan.FromSeconds(runs.Average(run => run.Wall.TotalSeconds));

    private Task<Measured> MeasureAsync(TreeCommand command, TreePlace place, CancellationToken cancellation) =>
        Measured.RunAsync(command.Line, place.Beside, limit, command.Directory, command.Environment, cancellation);
}
