using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;

namespace Mirror.Leadership.Tests.Membership;

/// <summary>Members that do not go by the same configuration, or bear one name: real hosts with real certificates, and the rules alone.</summary>
public sealed class AgreementTests : IAsyncLifetime, IDisposable
{
    private readonly LocalCluster cluster = new(TimeSpan.FromSeconds(8));
    private readonly List<WebApplication> hosts = [];
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await limit.CancelAsync();
        foreach (var host in hosts)
        {
            await host.DisposeAsync();
        }
    }

    public void Dispose()
    {
        limit.Dispose();
        cluster.Dispose();
    }

    [Fact]
    public async Task A_member_with_other_voters_is_told_so_at_both_ends_and_appointed_by_nobody()
    {
        var wiki = cluster.Config.Sites["wiki"];
        var other = cluster.Config with { Sites = new Dictionary<string, SiteConfig> { ["wiki"] = wiki with { Voters = ["b", "c"], Failover = wiki.Failover with { LagVersions = 5 } } } };
        var a = await StartAsync("a", cluster.Config);
        var b = await StartAsync("b", cluster.Config);
        var c = await StartAsync("c", other);
        await LocalCluster.UntilAsync(() => Differing(a, "c") == 2 && Differing(c, "a") == 2 && Differing(c, "b") == 2, "all know what differs");
        Assert.Equal(0, Differing(a, "b"));
        Assert.Contains(cluster.Lines, line => line.Contains("a says sites.wiki.voters = a, b, c, c says b, c", StringComparison.Ordinal));
        Assert.Contains(cluster.Lines, line => line.Contains("c says sites.wiki.voters = b, c, a says a, b, c", StringComparison.Ordinal));
        Assert.Contains(cluster.Lines, line => line.Contains("c says sites.wiki.failover.lag-versions = 5, b says 0", StringComparison.Ordinal));

        var said = new List<string>();
        await using var lease = await WinAsync(a, said);
        Assert.Equal(1ul, lease.Epoch);
        var heard = new List<string>();
        var standing = c.Services.GetRequiredService<Elections>().Of("wiki").StandNowAsync(() => default, sentence => Add(heard, sentence), limit.Token);
        await LocalCluster.UntilAsync(() => Said(heard, "c says sites.wiki.voters = b, c, this voter says a, b, c"), "c hears why it is refused");
        Assert.False(standing.IsCompleted);
        Assert.True(lease.IsHeld);
        Assert.All(new[] { a, b }, voter => Assert.Equal("a", voter.Services.GetRequiredService<Elections>().Own.Of("wiki")!.Ballot!.Holder));
    }

    [Fact]
    public async Task Of_two_processes_with_one_name_the_later_takes_no_part_and_both_say_so()
    {
        await StartAsync("a", cluster.Config);

        // Another machine with the same file, name and certificate: at the address of that name the first one answers.
        var elsewhere = new LocalCluster(TimeSpan.FromSeconds(8));
        var second = await StartAsync("a", cluster.Config, cluster.Config.Members["a"] with
        {
            GrpcPort = elsewhere.Config.Members["a"].GrpcPort, ClusterPort = elsewhere.Config.Members["a"].ClusterPort, State = elsewhere.At("a"),
        });
        var said = new List<string>();
        var standing = second.Services.GetRequiredService<Elections>().Of("wiki").WinAsync(() => default, sentence => Add(said, sentence), limit.Token);
        await LocalCluster.UntilAsync(() => Said(said, "Another process bears the name a, and answers at 127.0.0.1:"), "the later one says so");
        Assert.False(standing.IsCompleted);
        Assert.Contains(cluster.Lines, line => line.StartsWith("Error Another process bears the name a, and asked from ", StringComparison.Ordinal));
        Assert.Null(hosts[0].Services.GetRequiredService<Agreement>().Objection("wiki"));
        await limit.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => standing);
        elsewhere.Dispose();
    }

    [Fact]
    public async Task While_another_decides_by_locks_a_member_that_votes_does_not_stand_and_goes_on_when_that_is_gone()
    {
        var time = new FakeTimeProvider();
        var agreement = new Agreement(cluster.Config, "a", time, NullLogger.Instance);
        var stands = new Standing();
        var said = new List<string>();
        var election = new AgreedElection(stands, agreement, "wiki");
        var winning = election.WinAsync(() => default, sentence => Add(said, sentence), limit.Token);
        Assert.Equal(0, stands.Count);

        var words = new Dictionary<string, string>(agreement.Words) { [SharedWords.ArbiterKey("wiki")] = "the lock mirror/test/wiki in Consul" };
        agreement.Hear("b", words);
        agreement.EndRound(TimeSpan.FromSeconds(15));
        await LocalCluster.UntilAsync(() => Said(said, "a says sites.wiki.arbiter = votes, b says the lock mirror/test/wiki in Consul"), "it says why it does not stand");
        Assert.Equal(0, stands.Count);

        // What b says now is the same; then it says otherwise again, while a stands.
        agreement.Hear("b", agreement.Words);
        await LocalCluster.UntilAsync(() => stands.Count == 1, "it stands");
        agreement.Hear("b", words);
        await LocalCluster.UntilAsync(() => stands.Ended == 1, "it stands no more");

        // Who is gone for long counts no more.
        time.Advance(TimeSpan.FromSeconds(16));
        agreement.EndRound(TimeSpan.FromSeconds(15));
        await LocalCluster.UntilAsync(() => stands.Count == 2, "it stands again");
        Assert.False(winning.IsCompleted);
        await limit.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => winning);
    }

    [Fact]
    public void What_members_decide_by_together_is_compared_and_what_is_each_ones_own_is_not()
    {
        var config = cluster.Config;
        var site = config.Sites["wiki"];
        Assert.Empty(SharedWords.Compare(SharedWords.Of(config), SharedWords.Of(config with
        {
            Cluster = config.Cluster with { Pki = "/elsewhere" }, Sites = new Dictionary<string, SiteConfig> { ["wiki"] = site with { Files = site.Files with { Root = "/data/wiki" }, Voters = ["c", "b", "a"] } },
        })));
        var differences = SharedWords.Compare(SharedWords.Of(config), SharedWords.Of(config with
        {
            Cluster = config.Cluster with { Lease = TimeSpan.FromSeconds(5) },
            Members = config.Members.Where(member => member.Key != "c").ToDictionary(),
            Sites = new Dictionary<string, SiteConfig> { ["wiki"] = site with { Nodes = ["b", "a", "c"], Primary = "b", Failover = site.Failover with { Never = ["c"] }, Durability = site.Durability with { Quorum = true } } },
        }));
        Assert.Equal(["cluster.lease", "nodes.c", "sites.wiki.durability.mode", "sites.wiki.failover.never", "sites.wiki.nodes", "sites.wiki.primary"], differences.Select(difference => difference.Key));
        Assert.Equal("a says cluster.lease = 8s, b says 5s", differences[0].Sentence("a", "b"));
        Assert.EndsWith("b says nothing", differences[1].Sentence("a", "b"), StringComparison.Ordinal);
        Assert.Equal("a says sites.wiki.failover.never = none, b says c", differences[3].Sentence("a", "b"));
    }

    private static void Add(List<string> said, string sentence)
    {
        lock (said)
        {
            said.Add(sentence);
        }
    }

    private static bool Said(List<string> said, string part)
    {
        lock (said)
        {
            return said.Exists(sentence => sentence.Contains(part, StringComparison.Ordinal));
        }
    }

    private static int Differing(WebApplication host, string member) =>
        host.Services.GetRequiredService<Agreement>().Differing.TryGetValue(member, out var differences) ? differences.Count : 0;

    private Task<Lease> WinAsync(WebApplication host, List<string> said) =>
        host.Services.GetRequiredService<Elections>().Of("wiki").WinAsync(() => default, sentence => Add(said, sentence), limit.Token);

    private async Task<WebApplication> StartAsync(string name, MirrorConfig config, MemberConfig? at = null)
    {
        var member = at ?? config.Members[name];
        var identity = cluster.Identity(name);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(TimeProvider.System).AddSingleton(cluster.Logs).AddSingleton(new PeerChannels(config, identity)).AddLeadership(config, member, identity, _ => _ => default(Position));
        builder.ListenForPeers(member, identity);
        var host = builder.Build();
        host.MapLeadership();
        await host.StartAsync();
        hosts.Add(host);
        return host;
    }

    /// <summary>Stands until it is told not to.</summary>
    private sealed class Standing : IElection
    {
        private int count;
        private int ended;

        public int Count => Volatile.Read(ref count);

        public int Ended => Volatile.Read(ref ended);

        public async Task<Lease> WinAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation)
        {
            Interlocked.Increment(ref count);
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation);
            }
            finally
            {
                Interlocked.Increment(ref ended);
            }

            throw new InvalidOperationException();
        }

        public Task<Lease> StandNowAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation) => WinAsync(verified, decided, cancellation);
    }
}
