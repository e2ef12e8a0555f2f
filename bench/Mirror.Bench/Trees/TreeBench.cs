using System.Globalization;
using CliWrap;
using CliWrap.Buffered;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Trees;

/// <summary>
/// Tools that keep whole trees, as whole processes and in turn: each step by all of them before the next. Targets are local folders, so it is the work and the bytes kept that are
/// compared, not a network.
/// </summary>
internal sealed class TreeBench(WorkOptions options, IReadOnlyList<TreeTool> tools, int rounds, TimeSpan limit, TextWriter talk)
{
    /// <summary>A tool that took longer than this for a round runs one round only.</summary>
    private static readonly TimeSpan slow = TimeSpan.FromSeconds(40);

    private readonly string _scratch = Path.Combine(options.Work, "run");
    private readonly TreeResults _results = new("mirror");
    private readonly List<TreeTool> _left = [];

    public async Task<TreeResults> RunAsync(CancellationToken cancellation)
    {
        var tree = await Workload.Named("tree").EnsureAsync(options, talk);
        foreach (var tool in tools)
        {
            if (Peer.Find(tool.Program) is null)
            {
                _results.Notes.Add($"{tool.Name}: {Peer.Absence(tool.Program)}.");
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
                await RoundAsync(tree, round, cancellation);
            }
        }
        finally
        {
            Files.Remove(_scratch);
        }

        return _results;
    }

    private async Task RoundAsync(VersionFolder tree, int round, CancellationToken cancellation)
    {
        var live = Path.Combine(_scratch, "live");
        var spent = _left.ToDictionary(tool => tool, _ => TimeSpan.Zero);
        foreach (var (step, name, version) in new[] { (TreeStep.First, "v1", 1), (TreeStep.Second, "v2", 2), (TreeStep.Restore, "", 0), (TreeStep.Unchanged, "v2again", 2), (TreeStep.Renamed, "v3", 3) })
        {
            if (version > 0)
            {
                LiveFolder.Lay(tree.Version(version), live);
            }

            foreach (var tool in _left.Where(tool => step != TreeStep.Restore || tool.RestoreFirst is not null).ToArray())
            {
                talk.WriteLine(string.Create(CultureInfo.InvariantCulture, $"tree, round {round + 1} of {rounds}, {step}: {tool.Name}"));
                try
                {
                    var beside = Directory.CreateDirectory(Path.Combine(_scratch, tool.Name.Replace(' ', '_'))).FullName;
                    var place = new TreePlace(live, Path.Combine(beside, "target"), beside);
                    spent[tool] += step == TreeStep.Restore
                        ? await RestoreAsync(tool, place, tree.Version(1), round, cancellation)
                        : await SaveAsync(tool, place, step, name, tree.Version(version), round, cancellation);
                }
                catch (BenchException failure)
                {
                    _left.Remove(tool);
                    _results.Notes.Add($"{tool.Name}: {failure.Message}");
                }
            }
        }

        _left.RemoveAll(tool => spent[tool] > slow);
    }

    private async Task<TimeSpan> SaveAsync(TreeTool tool, TreePlace place, TreeStep step, string name, string version, int round, CancellationToken cancellation)
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

        var before = await StoredAsync(place.Target);
        var run = await MeasureAsync(tool.Save(place, name), place, cancellation);
        _results.Add(tool.Name, step, round, run);
        if (round == 0)
        {
            var after = await StoredAsync(place.Target);
            var plain = Files.LengthBelow(version);
            var kept = tool.KeepsPlainTree ? after - plain : after - before;
            _results.Target(tool.Name, step, after - before, step == TreeStep.Second && (tool.RestoreFirst is not null || kept > 0) ? kept : null);
        }

        return run.Wall;
    }

    private async Task<TimeSpan> RestoreAsync(TreeTool tool, TreePlace place, string expected, int round, CancellationToken cancellation)
    {
        var into = Path.Combine(place.Beside, "restored");
        Directory.CreateDirectory(into);
        var run = await MeasureAsync(tool.RestoreFirst!(place, into), place, cancellation);
        _results.Add(tool.Name, TreeStep.Restore, round, run);
        if (Files.FirstDifference(expected, into) is { } different)
        {
            throw new BenchException($"what it gave back as the first version differs from it in {different}.");
        }

        Files.Remove(into);
        return run.Wall;
    }

    private Task<Measured> MeasureAsync(TreeCommand command, TreePlace place, CancellationToken cancellation) =>
        Measured.RunAsync(command.Line, place.Beside, limit, command.Directory, command.Environment, cancellation);

    /// <summary>Bytes of all files of a target; one with several names counts once.</summary>
    private static async Task<long> StoredAsync(string target)
    {
        var found = await CliWrap.Cli.Wrap("find").WithArguments([target, "-type", "f", "-printf", "%i %s\n"]).ExecuteBufferedAsync();
        return found.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().Sum(line => long.Parse(line[(line.IndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }
}
