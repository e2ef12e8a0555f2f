using Mirror.Node.Consul;
using Mirror.Testing.Consul;

namespace Mirror.Node.Tests.Processes;

/// <summary>A node that holds a lock in Consul dies: its guard stops the apps, and then frees the lock, with real processes.</summary>
public sealed class LockWillTests : IAsyncLifetime
{
    private const string Key = "mirror/example/wiki";
    private const string Service = "mirror-example-wiki-alpha";
    private readonly GuardFixture _fixture = new();
    private readonly StandInServers _servers = new(TimeProvider.System);
    private StandInHttp _http = null!;
    private string _session = null!;

    public async Task InitializeAsync()
    {
        _http = await StandInHttp.StartAsync(new(_servers, "alpha", TimeProvider.System));
        using var consul = new ConsulClient(new(_http.Url), TimeProvider.System);
        foreach (var id in new[] { "mirror-example-alpha", Service })
        {
            await consul.RegisterAsync(new(id, "wiki", ["primary"], "", 1, new Dictionary<string, string>(), TimeSpan.FromMinutes(5), ServiceHealth.Passing), CancellationToken.None);
        }

        _session = await consul.OpenSessionAsync(new("wiki", TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(60), "mirror-example-alpha"), CancellationToken.None);
        var value = new LockRecord("alpha", 6, 7, 3, false, null).Write();
        await consul.CommitAsync([new(KeyVerb.Cas, Key) { Value = value }, new(KeyVerb.Lock, Key) { Session = _session, Value = value }], CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        await _http.DisposeAsync();
        _servers.Dispose();
        _fixture.Dispose();
    }

    [Fact]
    public async Task When_a_node_is_killed_its_lock_is_given_back_after_its_apps_have_ended()
    {
        using var node = await _fixture.StartLockerAsync(_http.Url, Key, _session, Service, "trap 'sleep 0.3; echo saved; exit' TERM; echo up; while :; do sleep 0.02; done");
        await _fixture.LogLineAsync("up");
        GuardFixture.Signal(node.Process.Id, "KILL");
        await FreeAsync();

        Assert.False(GuardFixture.IsAlive(node.AppId));
        Assert.Equal(new LockRecord("alpha", 6, 7, 3, true, null), LockRecord.Read(_servers.Find(Key)!.Value));
        await _fixture.LogLineAsync("saved");
        await GuardFixture.UntilGone(node.GuardId);
        Assert.Empty(_servers.Sessions);

        // Freed, not lost: there is no delay for whoever comes next. And nobody is sent to the dead node any more.
        using var consul = new ConsulClient(new(_http.Url), TimeProvider.System);
        Assert.Equal("mirror-example-alpha", Assert.Single((await consul.WatchServiceAsync("wiki", 0, TimeSpan.Zero, CancellationToken.None)).Instances).Id);
        var next = await consul.OpenSessionAsync(new("wiki", TimeSpan.FromMinutes(5), TimeSpan.FromSeconds(60), "mirror-example-alpha"), CancellationToken.None);
        Assert.True((await consul.CommitAsync([new(KeyVerb.Lock, Key) { Session = next, Value = [] }], CancellationToken.None)).Committed);
    }

    [Fact]
    public async Task A_Consul_that_fails_for_a_while_is_told_again()
    {
        using var node = await _fixture.StartLockerAsync(_http.Url, Key, _session, Service, "echo up; while :; do sleep 0.02; done");
        await _fixture.LogLineAsync("up");
        _http.Agent.FailNext = 8;
        GuardFixture.Signal(node.Process.Id, "KILL");
        await FreeAsync();
        await GuardFixture.UntilGone(node.GuardId);
    }

    private async Task FreeAsync()
    {
        using var limit = new CancellationTokenSource(GuardFixture.Patience);
        var index = 0ul;
        KeyReading reading;
        do
        {
            // Looked at beside the agent, which may be made to fail.
            reading = await new StandInAgent(_servers, "other", TimeProvider.System).WatchKeyAsync(Key, index, TimeSpan.FromSeconds(5), limit.Token);
            index = ConsulIndex.Next(index, reading.Index);
        }
        while (reading.Entry!.Session is not null);
    }
}
