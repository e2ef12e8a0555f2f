using Mirror.Bench.Measuring;
using Mirror.Bench.Trees;
using Mirror.Bench.Workloads;
using Mirror.Testing;

namespace Mirror.Bench.Tests.Trees;

public sealed class TreeBenchTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Every_step_of_a_tool_is_measured_and_what_keeping_the_old_version_costs()
    {
        var results = await RunAsync(Copying("v1"));

        Assert.Empty(results.Notes);
        var table = results.ToTable().ToString();
        foreach (var step in new[] { "first version", "second version", "first version back", "second version back", "nothing changed", "modules renamed" })
        {
            Assert.Contains($"| {step} | copying |", table);
        }
    }

    [Fact]
    public async Task A_tool_that_gives_back_another_version_is_told()
    {
        var results = await RunAsync(Copying("v2"));

        Assert.Matches("^copying: what it gave back is not .*/v1: .* differs", Assert.Single(results.Notes));
    }

    [Fact]
    public async Task A_log_that_is_rotated_keeps_its_inode()
    {
        var log = await Workload.Named("log").EnsureAsync(Options, TextWriter.Null);
        var live = _directory["live"];
        LiveFolder.Lay(log.Version(2), live, Workload.Named("log").Renamed);
        var before = Inodes(live);

        LiveFolder.Lay(log.Version(3), live, Workload.Named("log").Renamed);

        var after = Inodes(live);
        Assert.Equal(before["app.log"], after["app.log.1"]);
        Assert.NotEqual(before["app.log"], after["app.log"]);
    }

    [Fact]
    public async Task History_is_told_from_all_else_that_is_new()
    {
        var tool = new TreeTool
        {
            Name = "moving", Program = "cp", History = "old-",
            Save = (place, version) => new(["sh", "-c", $"[ ! -e now ] || mv now old-before-{version}; cp -a {place.Live} now"], place.Target),
            RestoreSecond = (place, into) => new(["cp", "-a", Path.Combine(place.Target, "now") + "/.", into]),
        };

        var results = await RunAsync(tool, "dump");

        Assert.Empty(results.Notes);
        var line = results.ToTable().ToString().Split('\n').Single(row => row.StartsWith("| second version | moving ", StringComparison.Ordinal)).Split('|', StringSplitOptions.TrimEntries);
        var (first, second) = (Files.LengthBelow(Workload.Named("dump").In(Options).Version(1)), Files.LengthBelow(Workload.Named("dump").In(Options).Version(2)));
        Assert.Equal([Table.Nothing, Table.Bytes(second), Table.Bytes(first)], line[6..9]);
    }

    [Fact]
    public async Task Laying_a_version_touches_only_what_changed()
    {
        var tree = await Workload.Named("tree").EnsureAsync(Options, TextWriter.Null);
        var (live, renamed) = (_directory["live"], Workload.Named("tree").Renamed);
        LiveFolder.Lay(tree.Version(1), live, renamed);
        var before = Inodes(live);

        LiveFolder.Lay(tree.Version(2), live, renamed);
        LiveFolder.Lay(tree.Version(3), live, renamed);

        var after = Inodes(live);
        var unchanged = before.Keys.Where(name => File.Exists(Path.Combine(tree.Version(2), name)) && File.GetLastWriteTimeUtc(Path.Combine(tree.Version(2), name)) == VersionFolder.Times[0]).ToArray();
        Assert.NotEmpty(unchanged);
        Assert.All(unchanged, name => Assert.Equal(before[name], after[name.Replace("modules/", "modules-renamed/")]));
    }

    private WorkOptions Options => new(_directory["work"], 0.002, Synthetic: true);

    // Keeps each version as a copy.
    private static TreeTool Copying(string givesBack) => new()
    {
        Name = "copying", Program = "cp",
        Save = (place, version) => new(["cp", "-a", place.Live, Path.Combine(place.Target, version)]),
        RestoreFirst = (place, into) => new(["cp", "-a", Path.Combine(place.Target, givesBack) + "/.", into]),
        RestoreSecond = (place, into) => new(["cp", "-a", Path.Combine(place.Target, "v2") + "/.", into]),
    };

    private Task<TreeResults> RunAsync(TreeTool tool, string workload = "tree") =>
        new TreeBench(Options, [tool], rounds: 1, TimeSpan.FromMinutes(2), TextWriter.Null).RunAsync(Workload.Named(workload), CancellationToken.None);

    private static Dictionary<string, string> Inodes(string folder) =>
        Shell.Run("cd \"$1\" && find . -type f -printf '%P %i\\n'", folder).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).ToDictionary(parts => parts[0], parts => parts[1]);
}
