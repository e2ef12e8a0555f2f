using System.Diagnostics;
using Mirror.Node.Processes;

namespace Mirror.Node.Tests.Processes;

public sealed class GuardTests : IDisposable
{
    private readonly GuardFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task An_app_runs_in_its_directory_with_its_own_environment_and_its_output_is_appended_to_the_log()
    {
        await File.WriteAllTextAsync(_fixture.Log, "before\n");
        await using var guard = await GuardFixture.StartGuardAsync();
        var launch = _fixture.Shell("pwd; echo \"$GREETING\"; echo oops >&2; env", environment: ("GREETING", "a \"b\" $HOME `c` 'd'\nsecond line"));

        var app = await guard.StartAppAsync(launch, CancellationToken.None);

        Assert.Equal(0, await app.Exited.WaitAsync(GuardFixture.Patience));
        var log = await File.ReadAllTextAsync(_fixture.Log);
        Assert.StartsWith($"before\n{_fixture.Directory}\na \"b\" $HOME `c` 'd'\nsecond line\noops\n", log, StringComparison.Ordinal);
        Assert.DoesNotContain("DOTNET", log, StringComparison.Ordinal);
        Assert.DoesNotContain("HOME=", log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exit 7", 7)]
    [InlineData("kill -9 $$", 137)]
    public async Task The_exit_code_of_an_app_is_reported(string script, int expected)
    {
        await using var guard = await GuardFixture.StartGuardAsync();

        var app = await guard.StartAppAsync(_fixture.Shell(script), CancellationToken.None);

        Assert.Equal(expected, await app.Exited.WaitAsync(GuardFixture.Patience));
        Assert.Null(app.GuardLoss);
    }

    [Fact]
    public async Task An_app_starts_with_default_signals_and_a_session_of_its_own()
    {
        await using var guard = await GuardFixture.StartGuardAsync();

        var app = await guard.StartAppAsync(_fixture.Shell("exec cat /proc/self/status /proc/self/stat"), CancellationToken.None);

        await app.Exited.WaitAsync(GuardFixture.Patience);
        var lines = await File.ReadAllLinesAsync(_fixture.Log);
        const ulong glibcsOwn = 3UL << 31; // 32 and 33 belong to the C library, which may keep them ignored.
        Assert.Equal(0UL, Convert.ToUInt64(lines.Single(line => line.StartsWith("SigIgn:", StringComparison.Ordinal))[7..].Trim(), 16) & ~glibcsOwn);
        Assert.Equal(0UL, Convert.ToUInt64(lines.Single(line => line.StartsWith("SigBlk:", StringComparison.Ordinal))[7..].Trim(), 16));
        var stat = lines[^1].Split(' ');
        Assert.Equal($"{app.ProcessId}", stat[4]); // group
        Assert.Equal($"{app.ProcessId}", stat[5]); // session
    }

    [Fact]
    public async Task Stopping_is_graceful()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var app = await guard.StartAppAsync(_fixture.Shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done"), CancellationToken.None);
        await _fixture.LogLineAsync("up");

        await app.StopAsync(CancellationToken.None).WaitAsync(GuardFixture.Patience);

        Assert.Equal(3, await app.Exited);
        Assert.Contains("bye", await File.ReadAllTextAsync(_fixture.Log), StringComparison.Ordinal);
        await app.StopAsync(CancellationToken.None).WaitAsync(GuardFixture.Patience);
    }

    [Fact]
    public async Task An_app_that_ignores_the_request_is_killed_after_its_grace_and_not_before()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var launch = _fixture.Shell("trap '' TERM; echo up; while :; do sleep 0.02; done", TimeSpan.FromMilliseconds(400));
        var app = await guard.StartAppAsync(launch, CancellationToken.None);
        await _fixture.LogLineAsync("up");

        var clock = Stopwatch.StartNew();
        await app.StopAsync(CancellationToken.None).WaitAsync(GuardFixture.Patience);

        Assert.Equal(137, await app.Exited);
        Assert.InRange(clock.ElapsedMilliseconds, 390, 5_000);
    }

    [Fact]
    public async Task What_an_app_started_is_stopped_with_it_and_has_the_grace_too()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var app = await guard.StartAppAsync(
            _fixture.Shell("sh -c 'trap \"sleep 0.3; echo child done; exit\" TERM; echo child $$; while :; do sleep 0.02; done' & echo up; wait"), CancellationToken.None);
        var child = await _fixture.LoggedIdAsync("child ");

        await app.StopAsync(CancellationToken.None).WaitAsync(GuardFixture.Patience);

        Assert.False(GuardFixture.IsAlive(child));
        await _fixture.LogLineAsync("child done");
    }

    [Fact]
    public async Task What_a_crashed_app_leaves_behind_is_stopped_before_its_end_is_reported()
    {
        await using var guard = await GuardFixture.StartGuardAsync();
        var app = await guard.StartAppAsync(
            _fixture.Shell("sh -c 'trap \"\" TERM; echo child $$; while :; do sleep 0.02; done' & sleep 0.1; exit 9", TimeSpan.FromMilliseconds(200)), CancellationToken.None);
        var child = await _fixture.LoggedIdAsync("child ");

        Assert.Equal(9, await app.Exited.WaitAsync(GuardFixture.Patience));

        Assert.False(GuardFixture.IsAlive(child));
    }

    [Theory]
    [InlineData("/no/such/program", "does not exist")]
    [InlineData("no-such-program", "no program 'no-such-program' in /usr/bin:/bin")]
    [InlineData("/etc/passwd", "is not executable")]
    public async Task A_program_that_cannot_run_is_refused_with_the_reason(string program, string reason)
    {
        await using var guard = await GuardFixture.StartGuardAsync();

        var refusal = await Assert.ThrowsAsync<AppStartException>(
            () => guard.StartAppAsync(_fixture.Shell("") with { Command = [program] }, CancellationToken.None));

        Assert.Contains("site/app", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, await (await guard.StartAppAsync(_fixture.Shell("exit 0"), CancellationToken.None)).Exited);
    }

    [Fact]
    public async Task A_directory_or_log_that_is_not_there_is_refused_with_the_reason()
    {
        await using var guard = await GuardFixture.StartGuardAsync();

        var noDirectory = await Assert.ThrowsAsync<AppStartException>(
            () => guard.StartAppAsync(_fixture.Shell("") with { WorkingDirectory = "/no/such" }, CancellationToken.None));
        var noLog = await Assert.ThrowsAsync<AppStartException>(
            () => guard.StartAppAsync(_fixture.Shell("") with { LogPath = "/no/such/app.log" }, CancellationToken.None));

        Assert.Contains("working directory /no/such does not exist", noDirectory.Message, StringComparison.Ordinal);
        Assert.Contains("log /no/such/app.log cannot be written", noLog.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Disposing_stops_all_apps_within_their_own_graces_and_then_the_guard()
    {
        // A grace longer than the stall time, which in turn is long enough for a machine that stands still for seconds.
        var guard = await GuardFixture.StartGuardAsync(GuardFixture.ShortStall);
        var guardId = guard.ProcessId;
        var first = await guard.StartAppAsync(_fixture.Shell("trap 'sleep 8; echo late but done; exit 4' TERM; echo up; while :; do sleep 0.02; done", GuardFixture.Patience), CancellationToken.None);
        var second = await guard.StartAppAsync(_fixture.Shell("exec sleep 1000"), CancellationToken.None);
        await _fixture.LogLineAsync("up");

        await guard.DisposeAsync().AsTask().WaitAsync(GuardFixture.Patience);

        Assert.Equal(4, await first.Exited);
        Assert.Equal(143, await second.Exited);
        Assert.False(GuardFixture.IsAlive(guardId));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => guard.StartAppAsync(_fixture.Shell(""), CancellationToken.None));
    }

    [Fact]
    public async Task A_guard_program_that_is_none_is_reported()
    {
        var missing = await Assert.ThrowsAsync<GuardException>(
            () => GuardClient.StartAsync(["/no/such/guard"], TimeSpan.FromSeconds(1), TimeProvider.System, CancellationToken.None));
        var wrong = await Assert.ThrowsAsync<GuardException>(
            () => GuardClient.StartAsync(["/bin/echo", "hello"], TimeSpan.FromSeconds(1), TimeProvider.System, CancellationToken.None));

        Assert.Contains("/no/such/guard", missing.Message, StringComparison.Ordinal);
        Assert.Contains("could not be understood", wrong.Message, StringComparison.Ordinal);
    }
}
