using System.Globalization;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.Scenarios.Failover;

/// <summary>Hosts that live and do not do what they should: a process that stands still, disks that hang or are full, a clock that jumps.</summary>
[Collection(OnTheField.Name)]
public sealed class SickHostTests(FailoverField field, ITestOutputHelper output) : IDisposable
{
    private readonly ScenarioTable table = new(output);
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));

    public void Dispose() => limit.Dispose();

    [NetworkFact]
    public async Task A_node_that_stands_still_for_three_leases_is_replaced_and_comes_back_as_a_replica()
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, "stopped", limit.Token);
        var process = stage.Cluster.ProcessOf(scene.Primary);
        scene.Break(() => Shell.Run("kill -STOP $1", $"{process}"));
        var replaced = await scene.UntilReplacedAsync(limit.Token);
        await Task.Delay(3 * Stage.Lease - TimeSpan.FromMilliseconds(replaced), limit.Token);

        // Its guard has ended the app, so there is nothing that could take a write.
        Assert.DoesNotContain(stage.Network.ProcessesOf(scene.Primary), static id => CommandOf(id).Contains("/wiki/wiki", StringComparison.Ordinal));
        Shell.Run("kill -CONT $1", $"{process}");
        await scene.UntilBackAsync(scene.Primary, limit.Token);
        var outcome = await scene.EndAsync(limit.Token);
        Assert.Equal(0, outcome.FailedReads);
        table.Add("the primary's node stands still for 3 leases (SIGSTOP) and goes on", "until the new primary answers", [replaced], "≤ 6,000", [outcome]);
    }

    [NetworkFact(always: false)]
    public async Task A_disk_that_hangs_loses_nothing()
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, "hung", limit.Token);
        var disk = stage.DiskOf(scene.Primary);
        scene.Break(disk.Hang);
        await Task.Delay(3 * Stage.Lease, limit.Token);
        disk.Release();
        var waited = await scene.UntilAnsweredAsync(limit.Token);
        var outcome = await scene.EndAsync(limit.Token);
        table.Add("the primary's disk hangs for 3 leases", "after that, until somebody answers", [waited], "", [outcome]);
    }

    [NetworkFact(always: false)]
    public async Task A_slow_disk_moves_nothing()
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, "slow", limit.Token);
        var disk = stage.DiskOf(scene.Primary);
        await scene.BreakAsync(async () =>
        {
            for (var time = 0; time < 20; time++)
            {
                disk.Hang();
                await Task.Delay(TimeSpan.FromMilliseconds(400), limit.Token);
                disk.Release();
                await Task.Delay(TimeSpan.FromMilliseconds(100), limit.Token);
            }
        });
        var outcome = await scene.EndAsync(limit.Token);
        Assert.Equal([scene.Epoch], scene.Reigns);
        Assert.Equal(0, outcome.FailedReads + outcome.Unfinished);
        table.Add("the primary's disk answers a fifth of the time, for 10 s", "longest wait; nobody takes over", [scene.LongestWait(writes: true)], "no failover", [outcome]);
    }

    [NetworkFact(always: false)]
    public async Task A_replica_whose_disk_is_full_keeps_what_it_has_and_takes_the_rest_when_there_is_room()
    {
        var stage = await field.OpenAsync();
        await using var scene = await Scene.BeginAsync(stage, "full", limit.Token);
        var replica = scene.Replicas[0];
        scene.Break(() => stage.DiskOf(replica).Fill());
        await Task.Delay(2 * Stage.Lease, limit.Token);
        var consistent = stage.Watch.Consistent;
        await scene.UntilConsistentAsync(consistent, limit.Token);
        stage.DiskOf(replica).MakeRoom();
        var outcome = await scene.EndAsync(limit.Token);
        Assert.Equal([scene.Epoch], scene.Reigns);
        Assert.Equal(new Outcome(0, 0, 0), outcome);
        table.Add("a replica's disk is full for 2 leases", "longest wait; versions go on becoming consistent on the others", [scene.LongestWait(writes: true)], "no failover", [outcome]);
    }

    [NetworkFact(always: false)]
    public async Task A_primary_whose_clock_jumps_stays_primary()
    {
        var stage = await field.OpenAsync();
        var first = await stage.SettleAsync(limit.Token);
        var clock = stage.Scratch("clock");
        await File.WriteAllTextAsync(clock, "+0", limit.Token);
        stage.StartWith(
            first.Primary, "env", $"LD_PRELOAD={Shell.Run("ls /usr/lib/*/faketime/libfaketimeMT.so.1").Trim()}", $"FAKETIME_TIMESTAMP_FILE={clock}", "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1");
        try
        {
            // It is started anew with a clock that can be set, and leads again.
            await stage.KillAsync(first.Primary, limit.Token);
            stage.Cluster.Start(first.Primary);
            await stage.SettleAsync(limit.Token);
            await stage.PromoteAsync(first.Primary, limit.Token);
            await using var scene = await Scene.BeginAsync(stage, "clock", limit.Token);
            Assert.Equal(first.Primary, scene.Primary);
            await scene.BreakAsync(async () =>
            {
                foreach (var offset in (string[])["+3600", "-3600", "+0"])
                {
                    await File.WriteAllTextAsync(clock, offset, limit.Token);
                    var consistent = stage.Watch.Consistent;
                    await Task.Delay(Stage.Lease, limit.Token);
                    await scene.UntilConsistentAsync(consistent, limit.Token);
                }
            });
            var outcome = await scene.EndAsync(limit.Token);
            Assert.Equal([scene.Epoch], scene.Reigns);
            Assert.Equal(new Outcome(0, 0, 0), outcome);
            table.Add("the primary's clock jumps by an hour, to and fro", "longest wait; nobody takes over", [scene.LongestWait(writes: true)], "no failover", [outcome]);
        }
        finally
        {
            stage.StartWith(first.Primary);
            await stage.KillAsync(first.Primary, limit.Token);
        }
    }

    private static string CommandOf(int process)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/cmdline"));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
