using System.Diagnostics;
using System.Globalization;
using Mirror.Cli.Demo;
using Mirror.Node.Configuration;
using Mirror.Node.Consul;
using Mirror.Node.Wire;
using Mirror.Testing;
using Mirror.Testing.Consul;
using Xunit.Abstractions;

namespace Mirror.Scenarios;

/// <summary>
/// Two nodes, and Consul as the third opinion: a stand-in for it, with an agent for each member. The primary is killed, and the other takes the lock that its guard gave back; then that one is cut
/// off from Consul, though not from anybody else, and its app has ended before the lock is anybody else's.
/// </summary>
[Collection("one cluster at a time")]
public sealed class ConsulArbiterTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    private const string Key = "mirror/scenario/wiki";
    private static readonly string[] nodes = ["alpha", "beta"];
    private static readonly TimeSpan lease = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(90);

    private readonly TimeProvider time = TimeProvider.System;
    private readonly TemporaryDirectory scratch = new();
    private readonly StandInServers servers = new(TimeProvider.System);
    private readonly Dictionary<string, StandInHttp> agents = [];

    public async Task InitializeAsync()
    {
        foreach (var name in nodes.Append(DemoSetup.Proxy))
        {
            agents[name] = await StandInHttp.StartAsync(new(servers, name, time));
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var agent in agents.Values)
        {
            await agent.DisposeAsync();
        }
    }

    public void Dispose()
    {
        servers.Dispose();
        scratch.Dispose();
    }

    [Fact]
    public async Task A_killed_primary_is_replaced_at_once_and_one_that_is_cut_off_from_Consul_has_stopped_first()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(6));
        await using var cluster = await PrepareAsync(limit.Token);
        cluster.StartAll();
        var seen = await cluster.UntilAsync(DemoSetup.Proxy, "the cluster did not come up", status => IsSettled(status, "alpha"), patience, limit.Token);
        Assert.Equal(1ul, seen.Sites[0].Epoch);
        await AnswersAsync("alpha", seen, limit.Token);

        // What is consistent is what the lock's record says; with two nodes both must have it.
        var record = LockRecord.Read(servers.Find(Key)!.Value)!;
        Assert.Equal("alpha", record.Holder);
        Assert.True(record.Sequence >= seen.Sites[0].Consistent.Sequence, $"{record} and {seen.Sites[0].Consistent}");

        // Nobody there could remember a pause.
        var paused = await MirrorProgram.RunAsync("pause", "--config", cluster.ConfigFile, "--node", "alpha", "--reason", "new switches");
        Assert.NotEqual(0, paused.ExitCode);
        Assert.Contains("Consul's lock decides who is primary of wiki, and it remembers no pause", paused.StandardError, StringComparison.Ordinal);

        var began = time.GetTimestamp();
        await cluster.MeltAsync("alpha", [], limit.Token);
        var taken = await TakenAsync(2, limit.Token);
        var lockAfter = time.GetElapsedTime(began, taken);
        seen = await cluster.UntilAsync(DemoSetup.Proxy, "beta did not take over", static status => status.Sites[0] is { Primary: "beta", Epoch: 2 }, patience, limit.Token);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"killed: the lock was beta's after {lockAfter.TotalMilliseconds:F0} ms, and beta primary after {time.GetElapsedTime(began).TotalMilliseconds:F0} ms"));

        // Left alone it would have been free only when the check had run out, and had then a delay.
        Assert.True(lockAfter < lease, $"the lock was free only after {lockAfter}");
        cluster.Start("alpha");
        seen = await cluster.UntilAsync(DemoSetup.Proxy, "alpha did not come back", status => IsSettled(status, "beta"), patience, limit.Token);
        await AnswersAsync("beta", seen, limit.Token);

        var processes = seen.Sites[0].Holdings.Single(static holding => holding.Node == "beta").ProcessIds;
        var app = processes[^1];
        Assert.True(IsAlive(app));
        began = time.GetTimestamp();
        var next = TakenAsync(3, limit.Token);
        agents["beta"].Agent.IsSilent = true;
        while (IsAlive(app))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), time, limit.Token);
        }

        var ended = time.GetTimestamp();
        Assert.False(next.IsCompleted);
        var alone = await next;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"cut off from Consul: the app had ended after {time.GetElapsedTime(began, ended).TotalMilliseconds:F0} ms, the lock was alpha's after {time.GetElapsedTime(began, alone).TotalMilliseconds:F0} ms"));
        await cluster.UntilAsync(DemoSetup.Proxy, "alpha did not take over", static status => status.Sites[0] is { Primary: "alpha", Epoch: 3 }, patience, limit.Token);

        agents["beta"].Agent.IsSilent = false;
        seen = await cluster.UntilAsync(DemoSetup.Proxy, "beta did not follow", status => IsSettled(status, "alpha"), patience, limit.Token);
        await AnswersAsync("alpha", seen, limit.Token);
    }

    private static bool IsSettled(ClusterStatus status, string primary) => status.Sites.Count == 1 && status.Sites[0] is var site && site.Primary == primary
        && site.Holdings.Count == 2 && site.Holdings.All(static holding => holding.Reachable && holding.AppAddress.Length > 0) && site.Holdings.All(holding => holding.Verified.Equals(site.Newest))
        && site.Consistent is not null && site.Consistent.Equals(site.Newest);

    private static bool IsAlive(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    // What DNS would answer for primary.wiki.service.consul: exactly the app of the primary.
    private async Task AnswersAsync(string primary, ClusterStatus seen, CancellationToken cancellation)
    {
        var expected = new Uri(seen.Sites[0].Holdings.Single(holding => holding.Node == primary).AppAddress).Authority;
        var outside = new StandInAgent(servers, "outside", time);
        var index = 0ul;
        while (true)
        {
            var reading = await outside.WatchServiceAsync("wiki", index, TimeSpan.FromSeconds(30), cancellation);
            string[] answers = [.. reading.Instances.Where(static one => one.Health != ServiceHealth.Critical && one.Tags.Contains("primary")).Select(static one => $"{one.Address}:{one.Port}")];
            if (answers is [var one] && one == expected)
            {
                return;
            }

            index = ConsulIndex.Next(index, reading.Index);
        }
    }

    /// <returns>When the lock was taken for the time that is asked about.</returns>
    private async Task<long> TakenAsync(ulong times, CancellationToken cancellation)
    {
        var outside = new StandInAgent(servers, "outside", time);
        var index = 0ul;
        while (true)
        {
            var reading = await outside.WatchKeyAsync(Key, index, TimeSpan.FromSeconds(30), cancellation);
            if (reading.Entry is { Session: not null } entry && entry.LockIndex == times)
            {
                return time.GetTimestamp();
            }

            index = ConsulIndex.Next(index, reading.Index);
        }
    }

    private async Task<LocalCluster> PrepareAsync(CancellationToken cancellation)
    {
        var directory = scratch.Path;
        var ports = LocalCluster.FreePorts(7);
        var members = nodes.Select((name, index) => DemoSetup.NodeAt(directory, name, ports[2 * index], ports[2 * index + 1], 28600 + 400 * index))
            .Append(DemoSetup.ProxyAt(directory, ports[4], ports[5], ports[6])).ToDictionary(member => member.Name);
        var site = new SiteConfig(
            "wiki", "alpha", nodes, nodes, new FilesConfig(Path.Combine(directory, "{node}", "srv", "wiki"), [], TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(5)),
            [new DatabaseConfig("wiki", DatabaseKind.Sqlite, "data/wiki.db", null)],
            [
                new AppConfig(
                    "web", [Checkout.Path(".build", "wiki", "wiki"), "--root", "{root}", "--urls", "http://{address}:{port}"], new Dictionary<string, string>(), "/healthz",
                    TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(5)),
            ],
            ["*"], [], true);
        var config = new MirrorConfig
        {
            Cluster = new ClusterConfig("scenario", lease, Path.Combine(directory, "pki")) { Consul = new ConsulConfig(new ConsulAgent(agents["alpha"].Url), true, "mirror") },
            Members = members,
            Sites = new Dictionary<string, SiteConfig> { ["wiki"] = site },
        };
        var cluster = await LocalCluster.PrepareAsync(directory, config, MirrorProgram.File, cancellation);
        foreach (var (name, agent) in agents)
        {
            cluster.Environments[name] = new Dictionary<string, string> { ["MIRROR_CLUSTER__CONSUL__ADDRESS"] = agent.Url.ToString() };
        }

        Directory.CreateDirectory(Path.Combine(directory, "alpha", "srv", "wiki"));
        return cluster;
    }
}
