using Mirror.Bench.Deltas;
using Mirror.Bench.Workloads;
using Mirror.Testing;

namespace Mirror.Bench.Tests.Deltas;

public sealed class DeltaBenchTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_tool_s_steps_are_measured_and_what_it_makes_is_compared()
    {
        var results = await RunAsync(Copying("copying"));

        Assert.Empty(results.Notes);
        var table = results.ToTable(1000, 1000).ToString();
        Assert.Contains("| diff | copying |", table);
        Assert.Contains("| sign + diff + patch | copying |", table);
        Assert.Contains("| old version back | copying |", table);
    }

    [Fact]
    public async Task A_tool_whose_result_is_another_file_is_told_and_left_out()
    {
        var lying = new DeltaTool("lying", "cp", files =>
        [
            new(DeltaStep.Diff, files.Delta, ["cp", files.New, files.Delta]),
            new(DeltaStep.Patch, files.Result, ["cp", files.Old, files.Result]),
        ]);

        var results = await RunAsync(lying, Copying("copying"));

        Assert.StartsWith("lying: what lying made", Assert.Single(results.Notes));
        Assert.DoesNotContain("| sign + diff + patch | lying |", results.ToTable(1000, 1000).ToString());
        Assert.Contains("| sign + diff + patch | copying |", results.ToTable(1000, 1000).ToString());
    }

    [Fact]
    public async Task A_tool_that_is_not_installed_is_named()
    {
        var results = await RunAsync(new DeltaTool("nowhere", "a-program-that-is-not-there", _ => []), Copying("copying"));

        Assert.Equal("nowhere: a-program-that-is-not-there is absent.", Assert.Single(results.Notes));
    }

    private static DeltaTool Copying(string name) => new(name, "cp", files =>
    [
        new(DeltaStep.Diff, files.Delta, ["cp", files.New, files.Delta]),
        new(DeltaStep.Patch, files.Result, ["cp", files.Delta, files.Result]),
    ]);

    private Task<DeltaResults> RunAsync(params DeltaTool[] tools) =>
        new DeltaBench(new(_directory["work"], 0.001, Synthetic: true), tools, rounds: 2, TimeSpan.FromMinutes(2), TextWriter.Null)
            .RunAsync(Workload.Named("log"), CancellationToken.None);
}
