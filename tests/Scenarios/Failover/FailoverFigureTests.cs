using Xunit.Abstractions;

namespace Mirror.Scenarios.Failover;

/// <summary>What users see when a primary is killed, dies with its machine, is cut off, or hands over as planned; and that a blip moves nothing. Played as often as is asked for.</summary>
[Collection(OnTheField.Name)]
public sealed class FailoverFigureTests(FailoverField field, ITestOutputHelper output) : IDisposable
{
    private static readonly TimeSpan blip = TimeSpan.FromSeconds(2);

    private readonly ScenarioTable table = new(output);
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(2 + 2 * ScenarioTable.Rounds));

    public void Dispose() => limit.Dispose();

    [NetworkFact]
    public async Task A_killed_node_is_replaced_without_waiting_for_its_lease()
    {
        var stage = await field.OpenAsync();
        await ReplaceAsync("killed", "node killed", "≤ 1,000 median, ≤ 2,000 worst", stage, scene => stage.KillAsync(scene.Primary, limit.Token), scene => stage.Cluster.Start(scene.Primary));
    }

    [NetworkFact]
    public async Task A_dead_machine_is_replaced_when_its_lease_has_run_out()
    {
        var stage = await field.OpenAsync();
        await ReplaceAsync("dead", "machine dead", "≤ lease (4,000) + 1,000", stage, scene => stage.MeltAsync(scene.Primary, limit.Token), scene => stage.Boot(scene.Primary));
    }

    [NetworkFact]
    public async Task A_primary_that_is_cut_off_is_replaced_when_its_lease_has_run_out()
    {
        var stage = await field.OpenAsync();
        await ReplaceAsync(
            "cut", "primary cut off in silence", "≤ 6,000 worst", stage,
            scene =>
            {
                stage.Unplug(scene.Primary);
                return Task.CompletedTask;
            },
            scene => stage.Plug(scene.Primary));
    }

    [NetworkFact]
    public async Task A_blip_moves_nothing()
    {
        var stage = await field.OpenAsync();
        var (waits, outcomes) = (new List<double>(), new List<Outcome>());
        for (var round = 0; round < ScenarioTable.Rounds; round++)
        {
            await using var scene = await Scene.BeginAsync(stage, $"blip-{round}", limit.Token);
            scene.Break(() => stage.Unplug(scene.Primary));
            await Task.Delay(blip, limit.Token);
            stage.Plug(scene.Primary);
            await scene.UntilAnsweredAsync(limit.Token);
            outcomes.Add(await scene.EndAsync(limit.Token));
            waits.Add(scene.LongestWait(writes: false));
            Assert.Equal([scene.Epoch], scene.Reigns);
            Assert.Equal(0, outcomes[^1].FailedReads + outcomes[^1].Unfinished);
        }

        table.Add("primary cut off for 2 s", "longest wait; nobody takes over", waits, "no failover", outcomes);
    }

    [NetworkFact]
    public async Task A_planned_switchover_stalls_writes_for_a_moment_and_loses_nothing()
    {
        var stage = await field.OpenAsync();
        var (stalls, outcomes) = (new List<double>(), new List<Outcome>());
        for (var round = 0; round < ScenarioTable.Rounds; round++)
        {
            await using var scene = await Scene.BeginAsync(stage, $"planned-{round}", limit.Token);
            await scene.BreakAsync(() => stage.PromoteAsync(scene.Replicas[0], limit.Token));
            await scene.UntilReplacedAsync(limit.Token);
            outcomes.Add(await scene.EndAsync(limit.Token));
            stalls.Add(scene.LongestWait(writes: true));
            Assert.Equal(new Outcome(0, 0, 0), outcomes[^1]);
        }

        table.Add("planned switchover", "longest stall of a write", stalls, "≤ 500 median, nothing failed or lost", outcomes);
    }

    private async Task ReplaceAsync(string name, string scenario, string asked, Stage stage, Func<Scene, Task> breaking, Action<Scene> mending)
    {
        var (replaced, back, outcomes) = (new List<double>(), new List<double>(), new List<Outcome>());
        for (var round = 0; round < ScenarioTable.Rounds; round++)
        {
            await using var scene = await Scene.BeginAsync(stage, $"{name}-{round}", limit.Token);
            await scene.BreakAsync(() => breaking(scene));
            replaced.Add(await scene.UntilReplacedAsync(limit.Token));
            mending(scene);
            back.Add(await scene.UntilBackAsync(scene.Primary, limit.Token));
            outcomes.Add(await scene.EndAsync(limit.Token));
            Assert.Equal(0, outcomes[^1].FailedReads);
        }

        table.Add(scenario, "until the new primary answers", replaced, asked, outcomes);
        table.Add(scenario, "until the old primary is a replica again", back, "≤ 10,000", outcomes);
    }
}
