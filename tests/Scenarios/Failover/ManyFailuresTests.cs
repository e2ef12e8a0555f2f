using Mirror.Cli.Demo;
using Xunit.Abstractions;

namespace Mirror.Scenarios.Failover;

/// <summary>More than one thing at a time, or one after the other.</summary>
[Collection(OnTheField.Name)]
public sealed class ManyFailuresTests(FailoverField field, ITestOutputHelper output) : IDisposable
{
    private readonly ScenarioTable table = new(output);
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(4));

    public void Dispose() => limit.Dispose();

    [NetworkFact(always: false)]
    public async Task Two_primaries_die_one_after_the_other()
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, "twice", limit.Token);
        await scene.BreakAsync(() => stage.MeltAsync(scene.Primary, limit.Token));
        var first = await scene.UntilReplacedAsync(limit.Token);
        stage.Boot(scene.Primary);
        var heir = (await stage.UntilAsync($"{scene.Primary} did not come back", DemoStory.IsSettled, limit.Token)).Primary;
        await scene.BreakAsync(() => stage.MeltAsync(heir, limit.Token));
        var second = await scene.UntilReplacedAsync(limit.Token);
        stage.Boot(heir);
        await scene.UntilBackAsync(heir, limit.Token);
        var outcome = await scene.EndAsync(limit.Token);
        Assert.Equal(0, outcome.FailedReads);
        table.Add("two primaries die with their machines, one after the other", "until the new primary answers", [first, second], "≤ lease (4,000) + 1,000", [outcome]);
    }

    [NetworkFact(always: false)]
    public async Task The_heir_dies_while_it_takes_over()
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, "heir", limit.Token);
        await scene.BreakAsync(() => stage.MeltAsync(scene.Primary, limit.Token));
        var heir = (await stage.UntilAsync(
            "nobody won the votes", status => status.Sites[0].Holdings.Any(holding => holding.Node != scene.Primary && holding.Epoch > scene.Epoch), limit.Token))
            .Holdings.First(holding => holding.Node != scene.Primary && holding.Epoch > scene.Epoch).Node;
        await stage.MeltAsync(heir, limit.Token);

        // One of three is no majority: until another is there, nobody may take writes.
        stage.Boot(scene.Primary);
        stage.Boot(heir);
        var replaced = await scene.UntilReplacedAsync(limit.Token);
        var outcome = await scene.EndAsync(limit.Token);
        Assert.Equal(0, outcome.FailedReads);
        table.Add("the heir dies with its machine while it takes over; both machines are started again", "until a new primary answers", [replaced], "", [outcome]);
    }

    [NetworkFact]
    public async Task Everything_stops_at_once_and_starts_again()
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, "blackout", limit.Token);
        await scene.BreakAsync(async () =>
        {
            foreach (var member in stage.Cluster.Config.Members.Keys)
            {
                await stage.MeltAsync(member, limit.Token);
            }
        });
        foreach (var member in stage.Cluster.Config.Members.Keys)
        {
            stage.Boot(member);
        }

        var answered = await scene.UntilReplacedAsync(limit.Token);
        var outcome = await scene.EndAsync(limit.Token);
        table.Add("all machines lose their power and are started again", "until a primary answers; users were refused meanwhile, the proxy was away too", [answered], "", [outcome]);
    }
}
