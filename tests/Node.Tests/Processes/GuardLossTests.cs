using System.Diagnostics;
using Mirror.Node.Processes;

namespace Mirror.Node.Tests.Processes;

/// <summary>What matters most of a guard: no app outlives the node that is responsible for it.</summary>
public sealed class GuardLossTests : IDisposable
{
    private const string AppWithChild = "sh -c 'echo child $$; while :; do sleep 0.02; done' & while :; do sleep 0.02; done";
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(60);
    private readonly GuardFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task When_the_node_is_killed_its_apps_and_its_guard_end_at_once()
    {
        using var node = await _fixture.StartNodeAsync(s_long, AppWithChild);
        var child = await _fixture.LoggedIdAsync("child ");

        var clock = Stopwatch.StartNew();
        GuardFixture.Signal(node.Process.Id, "KILL");
        await GuardFixture.UntilGone(node.AppId, child, node.GuardId);

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, s_long / 4); // Far from the stall time: the end of the pipe said it.
    }

    [Fact]
    public async Task When_the_node_is_killed_an_app_may_still_end_in_good_order()
    {
        using var node = await _fixture.StartNodeAsync(s_long, "trap 'sleep 0.2; echo saved; exit' TERM; echo up; while :; do sleep 0.02; done");
        await _fixture.LogLineAsync("up");

        GuardFixture.Signal(node.Process.Id, "KILL");
        await GuardFixture.UntilGone(node.AppId);

        await _fixture.LogLineAsync("saved");
    }

    [Fact]
    public async Task When_the_node_hangs_its_apps_live_on_for_a_blip_and_end_after_the_stall_time()
    {
        var stall = GuardFixture.ShortStall;
        using var node = await _fixture.StartNodeAsync(stall, AppWithChild);
        var child = await _fixture.LoggedIdAsync("child ");

        var clock = Stopwatch.StartNew();
        GuardFixture.Signal(node.Process.Id, "STOP");
        await GuardFixture.Until(() => !GuardFixture.IsAlive(node.AppId) && !GuardFixture.IsAlive(child), "the apps' end");

        // The last beat may be a quarter of the stall time old when the node is stopped, and more on a busy machine.
        Assert.InRange(clock.Elapsed, stall * 0.4, stall * 2);
    }

    [Fact]
    public async Task An_app_that_ignores_the_end_of_its_node_is_killed_no_later_than_another_stall_time()
    {
        var stall = GuardFixture.ShortStall;
        using var node = await _fixture.StartNodeAsync(stall, "trap '' TERM; echo up; while :; do sleep 0.02; done"); // Its own grace is a minute.
        await _fixture.LogLineAsync("up");

        var clock = Stopwatch.StartNew();
        GuardFixture.Signal(node.Process.Id, "KILL");
        await GuardFixture.UntilGone(node.AppId);

        Assert.InRange(clock.Elapsed, stall * 0.9, stall * 2);
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public async Task The_guard_outlives_signals_meant_for_the_node(string signal)
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var app = await guard.StartAppAsync(_fixture.Shell("exec sleep 1000"), CancellationToken.None);

        GuardFixture.Signal(guard.ProcessId, signal);

        Assert.Equal(0, await (await guard.StartAppAsync(_fixture.Shell("exit 0"), CancellationToken.None)).Exited.WaitAsync(GuardFixture.Patience));
        Assert.True(GuardFixture.IsAlive(app.ProcessId));
    }

    [Fact]
    public async Task When_the_guard_is_killed_no_app_is_left_and_the_next_start_has_a_new_guard()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var lost = guard.ProcessId;
        var app = await guard.StartAppAsync(_fixture.Shell(AppWithChild), CancellationToken.None);
        var child = await _fixture.LoggedIdAsync("child ");

        GuardFixture.Signal(lost, "KILL");

        Assert.Equal(137, await app.Exited.WaitAsync(GuardFixture.Patience));
        Assert.NotNull(app.GuardLoss);
        await GuardFixture.UntilGone(app.ProcessId, child);
        await app.StopAsync(CancellationToken.None).WaitAsync(GuardFixture.Patience);
        var next = await guard.StartAppAsync(_fixture.Shell("exit 5"), CancellationToken.None);
        Assert.Equal(5, await next.Exited.WaitAsync(GuardFixture.Patience));
        Assert.NotEqual(lost, guard.ProcessId);
    }

    [Fact]
    public async Task When_guard_and_node_are_killed_together_neither_an_app_nor_its_children_are_left()
    {
        using var node = await _fixture.StartNodeAsync(s_long, AppWithChild);
        var child = await _fixture.LoggedIdAsync("child ");
        GuardFixture.Signal(node.Process.Id, "STOP"); // So that it can't clean up after its guard.

        GuardFixture.Signal(node.GuardId, "KILL");

        await GuardFixture.UntilGone(node.AppId, child);
    }

    [Fact]
    public async Task A_guard_that_hangs_is_given_up_together_with_its_apps()
    {
        await using var guard = await GuardFixture.StartGuardAsync(GuardFixture.ShortStall);
        var hung = guard.ProcessId;
        var app = await guard.StartAppAsync(_fixture.Shell(AppWithChild), CancellationToken.None);
        var child = await _fixture.LoggedIdAsync("child ");

        GuardFixture.Signal(hung, "STOP");

        await app.Exited.WaitAsync(GuardFixture.Patience);
        await GuardFixture.UntilGone(app.ProcessId, child, hung);
    }

    [Fact]
    public async Task A_guard_that_is_not_spoken_to_properly_ends()
    {
        using var guard = Process.Start(new ProcessStartInfo(GuardFixture.GuardCommand[0], GuardFixture.GuardCommand.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

        await guard.StandardInput.WriteAsync("GET / HTTP/1.1\r\n");
        await guard.StandardInput.FlushAsync();

        await guard.WaitForExitAsync().WaitAsync(GuardFixture.Patience);
        Assert.Equal(2, guard.ExitCode);
    }

    [Fact]
    public async Task A_line_without_end_is_not_read_to_the_end()
    {
        var endless = new BoundedLines(new MemoryStream(new byte[BoundedLines.MaxLength + 2]));

        await Assert.ThrowsAsync<InvalidDataException>(async () => await endless.NextAsync(CancellationToken.None));
    }
}
