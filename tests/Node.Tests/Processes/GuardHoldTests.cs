using System.Diagnostics;
using Mirror.Node.Processes;

namespace Mirror.Node.Tests.Processes;

/// <summary>No app outlives the lease under which it writes, whatever its node does or leaves undone.</summary>
public sealed class GuardHoldTests : IDisposable
{
    private const string Stubborn = "trap '' TERM; echo up; while :; do sleep 0.02; done";
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(10);
    private readonly GuardFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task An_app_ends_with_the_lease_of_its_site_whatever_its_own_grace_and_others_live_on()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        guard.Hold(Until("wiki", s_long));
        var app = await guard.StartAppAsync(_fixture.Shell(Stubborn, s_long) with { Site = "wiki" }, CancellationToken.None);
        var other = await guard.StartAppAsync(_fixture.Shell(Stubborn, TimeSpan.Zero) with { Site = "shop" }, CancellationToken.None);
        var free = await guard.StartAppAsync(_fixture.Shell(Stubborn, TimeSpan.Zero), CancellationToken.None);
        await _fixture.LogLineAsync("up");

        // What is told later counts, though it is less.
        guard.Hold(Until("wiki", TimeSpan.FromMilliseconds(300)));

        Assert.Equal(128 + 9, await app.Exited.WaitAsync(GuardFixture.Patience));
        Assert.False(other.Exited.IsCompleted || free.Exited.IsCompleted);
    }

    [Fact]
    public async Task An_app_is_asked_to_end_before_it_is_made_to()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var app = await guard.StartAppAsync(_fixture.Shell("trap 'echo saved; exit 3' TERM; echo up; while :; do sleep 0.02; done", s_long) with { Site = "wiki" }, CancellationToken.None);
        await _fixture.LogLineAsync("up");

        guard.Hold(Until("wiki", TimeSpan.Zero, within: GuardFixture.Patience));

        Assert.Equal(3, await app.Exited.WaitAsync(GuardFixture.Patience));
        await _fixture.LogLineAsync("saved");
    }

    [Fact]
    public async Task A_renewed_lease_ends_nothing_and_a_released_one_neither()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var app = await guard.StartAppAsync(_fixture.Shell(Stubborn, TimeSpan.Zero) with { Site = "wiki" }, CancellationToken.None);
        var judge = await guard.StartAppAsync(_fixture.Shell(Stubborn, TimeSpan.Zero) with { Site = "judge" }, CancellationToken.None);
        guard.Hold(Until("wiki", GuardFixture.Patience));
        guard.Hold(Until("wiki", s_long));
        guard.Release("wiki");

        // What is asked later is done later: when this one has ended, the guard has looked at the other, too.
        guard.Hold(Until("judge", TimeSpan.Zero));
        await judge.Exited.WaitAsync(GuardFixture.Patience);
        Assert.False(app.Exited.IsCompleted);
    }

    [Fact]
    public async Task What_is_started_under_a_lease_that_has_ended_is_stopped()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        guard.Hold(Until("wiki", TimeSpan.Zero));

        var app = await guard.StartAppAsync(_fixture.Shell(Stubborn, s_long) with { Site = "wiki" }, CancellationToken.None);

        Assert.Equal(128 + 9, await app.Exited.WaitAsync(GuardFixture.Patience));
    }

    [Fact]
    public async Task A_new_guard_knows_the_leases_of_the_one_that_was_lost()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var app = await guard.StartAppAsync(_fixture.Shell(Stubborn, s_long) with { Site = "wiki" }, CancellationToken.None);
        guard.Hold(Until("wiki", TimeSpan.FromMilliseconds(1)) with { Until = 1 });
        GuardFixture.Signal(guard.ProcessId, "KILL");
        await app.Exited.WaitAsync(GuardFixture.Patience);

        var next = await guard.StartAppAsync(_fixture.Shell(Stubborn, s_long) with { Site = "wiki" }, CancellationToken.None);

        Assert.Equal(128 + 9, await next.Exited.WaitAsync(GuardFixture.Patience));
    }

    [Fact]
    public async Task When_the_node_is_stopped_its_app_ends_with_the_lease_and_not_with_the_stall()
    {
        using var node = await _fixture.StartHolderAsync(TimeSpan.FromSeconds(6), voterPort: 9, _fixture.Directory, Stubborn);
        GuardFixture.Signal(node.Process.Id, "STOP");
        var clock = Stopwatch.StartNew();

        await GuardFixture.UntilGone(node.AppId);

        // A stall would be a minute, and as much again for the app's grace.
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(45));
    }

    private static SiteHold Until(string site, TimeSpan left, TimeSpan within = default)
    {
        var time = TimeProvider.System;
        return new(site, 1, time.GetTimestamp() + (long)(left.TotalSeconds * time.TimestampFrequency), (long)within.TotalMilliseconds, []);
    }
}
