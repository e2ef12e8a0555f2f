using System.Globalization;
using System.Text.Json;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Trees;

/// <summary>
/// Tools that keep versions of a folder, be it many files or a single large one, as whole processes and in turn: each step by all of them before the next. Targets are local folders,
/// so it is the work and the bytes kept that are compared, not a network.
/// </summary>
internal sealed class TreeBench(WorkOptions options, IReadOnlyList<TreeTool> tools, int rounds, TimeSpan limit, TextWriter talk)
{
    /// <summary>A tool that took longer than this for a round runs one round only.</summary>
    private static readonly TimeSpan slow = TimeSpan.FromSeconds(40);

    private readonly string _scratch = Path.Combine(options.Work, "run");
    private readonly List<TreeTool> _left = [];

    public async Task<TreeResults> RunAsync(Workload workload, CancellationToken cancellation)
    {
        await workload.EnsureAsync(options, talk);
        var results = new TreeResults("mirror", workload);
        _left.Clear();
        foreach (var tool in tools)
        {
            if (Peer.Find(tool.Program) is null)
            {
                results.Notes.Add($"{tool.Name}: {Peer.Absence(tool.Program)}.");
            }
            else
            {
                _left.Add(tool);
            }
        }

        try
        {
            for (var round = 0; round < rounds && _left.Count > 0; round++)
            {
                Files.Remove(_scratch);
                Directory.CreateDirectory(_scratch);
                await RoundAsync(workload, results, round, cancellation);
            }
        }
        finally
        {
            Files.Remove(_scratch);
        }

        return results;
    }

    private async Task RoundAsync(Workload workload, TreeResults results, int round, CancellationToken cancellation)
    {
        var versions = workload.In(options);
        var live = Path.Combine(_scratch, "live");
        var spent = _left.ToDictionary(tool => tool, _ => TimeSpan.Zero);
        foreach (var step in Enum.GetValues<TreeStep>().Where(step => step != TreeStep.Renamed || workload.Renamed is not null))
        {
            var version = step switch { TreeStep.First => 1, TreeStep.Renamed => 3, _ => 2 };
            LiveFolder.Lay(versions.Version(version), live, workload.Renamed);
            foreach (var tool in _left.Where(tool => step != TreeStep.FirstBack || tool.RestoreFirst is not null).ToArray())
            {
                talk.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{workload.Name}, round {round + 1} of {rounds}, {step}: {tool.Name}"));
                try
                {
                    var beside = Directory.CreateDirectory(Path.Combine(_scratch, tool.Name.Replace(' ', '_'))).FullName;
                    var place = new TreePlace(live, Path.Combine(beside, "target"), beside);
                    var run = step switch
                    {
                        TreeStep.FirstBack => await RestoreAsync(tool.RestoreFirst!, place, versions.Version(1), cancellation),
                        TreeStep.SecondBack => await RestoreAsync(tool.RestoreSecond, place, versions.Version(2), cancellation),
                        _ => await SaveAsync(tool, place, step, results, round, cancellation),
                    };
                    results.Add(tool.Name, step, round, run);
                    spent[tool] += run.Wall;
                }
                catch (BenchException failure)
                {
                    _left.Remove(tool);
                    results.Notes.Add($"{tool.Name}: {failure.Message}");
                }
            }
        }

        _left.RemoveAll(tool => spent[tool] > slow);
    }

    private async Task<Measured> SaveAsync(TreeTool tool, TreePlace place, TreeStep step, TreeResults results, int round, CancellationToken cancellation)
    {
        if (step == TreeStep.First)
        {
            Directory.CreateDirectory(place.Target);
            if (tool.Prepare is { } prepare)
            {
                await MeasureAsync(prepare(place), place, cancellation);
            }
        }

        if (tool.NeedsNewSecond)
        {
            await Task.Delay(TimeSpan.FromSeconds(1.1), TimeProvider.System, cancellation);
        }

        var name = step switch { TreeStep.First => "v1", TreeStep.Second => "v2", TreeStep.Unchanged => "v2again", _ => "v3" };
        var (before, historyBefore) = await StoredAsync(tool, place.Target);
        var run = await MeasureAsync(tool.Save(place, name), place, cancellation);
        if (round == 0)
        {
            var (after, historyAfter) = await StoredAsync(tool, place.Target);
            results.Target(tool.Name, step, new TargetGrowth(after - before, step is TreeStep.First ? null : historyAfter - historyBefore, tool.SaysPackLength ? PackLength(place) : null));
        }

        return run;
    }

    private async Task<Measured> RestoreAsync(Func<TreePlace, string, TreeCommand> restore, TreePlace place, string expected, CancellationToken cancellation)
    {
        var into = Path.Combine(place.Beside, "restored");
        Directory.CreateDirectory(into);
        var run = await MeasureAsync(restore(place, into), place, cancellation);
        if (Files.FirstDifference(expected, into) is { } different)
        {
            throw new BenchException($"what it gave back is not {expected}: {different} differs.");
        }

        Files.Remove(into);
        return run;
    }

    private Task<Measured> MeasureAsync(TreeCommand command, TreePlace place, CancellationToken cancellation) =>
        Measured.RunAsync(command.Line, place.Beside, limit, command.Directory, command.Environment, cancellation);

    /// <summary>Bytes of all files of a target, and of those among them that are history; one with several names counts once.</summary>
    private static async Task<(long All, long? History)> StoredAsync(TreeTool tool, string target)
    {
        var all = await DiskUse.BelowAsync(target);
        return tool.History switch
        {
            null => (all, all),
            "" => (all, null),
            { } begins => (all, await DiskUse.OfAsync(Directory.GetDirectories(target, begins + "*"))),
        };
    }

    private static long? PackLength(TreePlace place)
    {
        using var said = JsonDocument.Parse(File.ReadAllText(Path.Combine(place.Beside, Measured.OutputName)));
        return said.RootElement.TryGetProperty("pack_bytes", out var length) && length.ValueKind == JsonValueKind.Number ? length.GetInt64() : null;
    }
}
