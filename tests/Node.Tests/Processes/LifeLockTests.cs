using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Identity;
using Mirror.Node.Processes;
using Mirror.Node.Tests.Listening;

namespace Mirror.Node.Tests.Processes;

/// <summary>A node that was killed is started again: its new guard is not ready, and so nothing of it begins, while an app of its earlier life may write.</summary>
public sealed class LifeLockTests : IDisposable
{
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(10);
    private readonly GuardFixture _fixture = new();

    public LifeLockTests()
    {
        CertificateAuthority.Create(Pki, "example", TimeProvider.System);
        CertificateAuthority.Issue(Pki, "alpha", "node", ["127.0.0.1"], TimeProvider.System);
    }

    private string Pki => Path.Combine(_fixture.Directory, "pki");

    private GuardedNode Node => new("alpha", Pki, Path.Combine(_fixture.Directory, "guard.lock"));

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public async Task The_next_guard_is_ready_when_the_apps_of_the_earlier_life_have_ended()
    {
        using var node = await _fixture.StartHolderAsync(s_long, TestServer.FreePort(), Pki, "trap 'sleep 1.5; echo saved; exit' TERM; echo up; while :; do sleep 0.02; done");
        await _fixture.LogLineAsync("up");
        GuardFixture.Signal(node.Process.Id, "KILL");

        await using var next = await StartAsync(TimeProvider.System);

        Assert.False(GuardFixture.IsAlive(node.AppId));
        await _fixture.LogLineAsync("saved");
        Assert.Equal(0, await (await next.StartAppAsync(_fixture.Shell("exit 0"), CancellationToken.None)).Exited.WaitAsync(GuardFixture.Patience));
    }

    [Fact]
    public async Task A_guard_that_was_killed_leaves_the_lock_to_whoever_kills_its_apps()
    {
        using var node = await _fixture.StartHolderAsync(s_long, TestServer.FreePort(), Pki, "trap '' TERM; echo up; while :; do sleep 0.02; done");
        await _fixture.LogLineAsync("up");
        GuardFixture.Signal(node.Process.Id, "STOP");
        GuardFixture.Signal(node.GuardId, "KILL");
        GuardFixture.Signal(node.Process.Id, "KILL");

        await using var next = await StartAsync(TimeProvider.System);

        await GuardFixture.UntilGone(node.AppId);
    }

    [Fact]
    public async Task Of_a_node_that_lives_there_is_no_second_one()
    {
        await using var first = await StartAsync(TimeProvider.System);
        var time = new FakeTimeProvider();
        var second = StartAsync(time);
        time.Advance(s_long);

        var refusal = await Assert.ThrowsAsync<GuardException>(() => second.WaitAsync(GuardFixture.Patience));
        Assert.Contains($"fuser {Node.Lock}", refusal.Message, StringComparison.Ordinal);
    }

    private Task<GuardClient> StartAsync(TimeProvider time) =>
        GuardClient.StartAsync(GuardFixture.GuardCommand, TimeSpan.FromSeconds(30), time, CancellationToken.None, Node);
}
