using Mirror.Cli.Demo;
using Xunit.Abstractions;

namespace Mirror.Scenarios.Failover;

/// <summary>Networks that are broken in part: in one direction, between some, again and again, or by somebody who answers in another's name.</summary>
[Collection(OnTheField.Name)]
public sealed class BrokenNetworkTests(FailoverField field, ITestOutputHelper output) : IDisposable
{
    private readonly ScenarioTable table = new(output);
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(4));

    public void Dispose() => limit.Dispose();

    [NetworkFact]
    public Task Nobody_hears_the_primary_any_more() => ReplaceAsync("unheard", "nobody hears the primary", (stage, scene) => stage.Network.DropAllFrom(scene.Primary));

    [NetworkFact(always: false)]
    public Task The_primary_hears_nobody_any_more() => ReplaceAsync("deaf", "the primary hears nobody", (stage, scene) => stage.Network.DropAllTo(scene.Primary));

    [NetworkFact(always: false)]
    public Task The_primary_is_alone_with_the_proxy() => ReplaceAsync("alone", "the primary sees only the proxy", (stage, scene) =>
    {
        foreach (var replica in scene.Replicas)
        {
            stage.Network.Cut(scene.Primary, replica);
        }
    });

    [NetworkFact(always: false)]
    public Task A_proxy_that_is_cut_off_from_the_primary_alone_moves_nothing() => StayAsync("aside", "proxy cut off from the primary, not from replicas, for 3 s", async (stage, scene) =>
    {
        stage.Network.Cut(DemoSetup.Proxy, scene.Primary);
        await Task.Delay(TimeSpan.FromSeconds(3), limit.Token);
    });

    [NetworkFact(always: false)]
    public Task A_firewall_that_answers_for_the_primary_moves_no_lease() => StayAsync("refused", "a firewall resets what is new to the primary, for 3 leases", async (stage, scene) =>
    {
        // What is open stays open: so the primary hears its voters, and whoever asks anew is told that there is nobody.
        stage.Network.RefuseNew(scene.Primary);
        await Task.Delay(3 * Stage.Lease, limit.Token);
    });

    [NetworkFact(always: false)]
    public Task A_line_that_fails_again_and_again_for_moments_moves_nothing() => StayAsync("flapping", "the primary's line fails ten times for 300 ms", async (stage, scene) =>
    {
        // Not by pulling the cable: of that Linux takes notice once a second, so that short moments become long ones.
        for (var time = 0; time < 10; time++)
        {
            stage.Network.CutOff(scene.Primary);
            await Task.Delay(TimeSpan.FromMilliseconds(300), limit.Token);
            stage.Network.Heal();
            await Task.Delay(TimeSpan.FromMilliseconds(700), limit.Token);
        }
    });

    [NetworkFact(always: false)]
    public Task A_network_that_loses_a_tenth_moves_nothing() => StayAsync("lossy", "a tenth of all that the nodes send each other is lost, for 3 leases", async (stage, scene) =>
    {
        foreach (var (from, to) in Stage.Nodes.SelectMany(from => Stage.Nodes.Where(to => to != from).Select(to => (from, to))))
        {
            stage.Network.Lose(from, to, 10);
        }

        await Task.Delay(3 * Stage.Lease, limit.Token);
    });

    private async Task ReplaceAsync(string name, string scenario, Action<Stage, Scene> breaking)
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, name, limit.Token);
        scene.Break(() => breaking(stage, scene));
        var replaced = await scene.UntilReplacedAsync(limit.Token);
        stage.Network.Heal();
        await scene.UntilBackAsync(scene.Primary, limit.Token);
        var outcome = await scene.EndAsync(limit.Token);
        Assert.Equal(0, outcome.FailedReads);
        table.Add(scenario, "until the new primary answers", [replaced], "≤ 6,000", [outcome]);
    }

    private async Task StayAsync(string name, string scenario, Func<Stage, Scene, Task> breaking)
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, name, limit.Token);
        await scene.BreakAsync(() => breaking(stage, scene));
        var outcome = await scene.EndAsync(limit.Token);
        Assert.Equal([scene.Epoch], scene.Reigns);
        Assert.Equal(0, outcome.FailedReads + outcome.Unfinished);
        table.Add(scenario, "longest wait; nobody takes over", [scene.LongestWait(writes: false)], "no failover", [outcome]);
    }
}
