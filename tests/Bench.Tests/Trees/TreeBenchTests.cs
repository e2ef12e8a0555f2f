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
        foreach (var step in new[] { "first version", "second version", "first version back", "nothing changed", "a folder renamed" })
        {
            Assert.Contains($"| {step} | copying |", table);
        }
    }

    [Fact]
    public async Task A_tool_that_gives_back_another_version_is_told()
    {
        var results = await RunAsync(Copying("v2"));

        Assert.StartsWith("copying: what it gave back as the first version differs", Assert.Single(results.Notes));
    }

    [Fact]
    public async Task Laying_a_version_touches_only_what_changed()
    {
        var tree = await Workload.Named("tree").EnsureAsync(Options, TextWriter.Null);
        var live = _directory["live"];
        LiveFolder.Lay(tree.Version(1), live);
        var before = Inodes(live);

        LiveFolder.Lay(tree.Version(2), live);
        LiveFolder.Lay(tree.Version(3), live);

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
    };

    private Task<TreeResults> RunAsync(TreeTool tool) => new TreeBench(Options, [tool], rounds: 1, TimeSpan.FromMinutes(2), TextWriter.Null).RunAsync(CancellationToken.None);

    private static Dictionary<string, string> Inodes(string folder) =>
        Shell.Run("cd \"$1\" && find . -type f -printf '%P %i\\n'", folder).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')).ToDictionary(parts => parts[0], parts => parts[1]);
}
