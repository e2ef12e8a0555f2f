using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Channels;
using Mirror.Node.Listening;
using Xunit.Abstractions;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests;

/// <summary>The whole room as a member wires it: three hosts, their gossip, their votes.</summary>
public sealed class HostingTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    private readonly LocalCluster cluster = new(TimeSpan.FromSeconds(8));
    private readonly Dictionary<string, WebApplication> hosts = [];
    private readonly Dictionary<string, Position> verified = new() { ["a"] = default, ["b"] = default, ["c"] = default };
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));

    public async Task InitializeAsync()
    {
        foreach (var (name, member) in cluster.Config.Members)
        {
            var identity = cluster.Identity(name);
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.Services.AddGrpc();
            builder.Services
                .AddSingleton(TimeProvider.System)
                .AddSingleton(new PeerChannels(cluster.Config, identity))
                .AddLeadership(cluster.Config, member, identity, _ => _ => verified[name]);
            builder.ListenForPeers(member, identity);
            hosts[name] = builder.Build();
            hosts[name].MapLeadership();
            await hosts[name].StartAsync();
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var host in hosts.Values)
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
    public async Task A_primary_is_appointed_seen_by_all_and_replaced_by_the_one_that_holds_most()
    {
        var rules = Elections.RulesOf(cluster.Config.Sites["wiki"], cluster.Config.Cluster);
        var lease = await WinAsync("a");
        await PublishAsync("a", SiteRole.Primary, lease.Epoch, V(1, 6));
        await PublishAsync("b", SiteRole.Replica, lease.Epoch, V(1, 4));
        await PublishAsync("c", SiteRole.Replica, lease.Epoch, V(1, 5));
        await LocalCluster.UntilAsync(
            () => hosts.Keys.All(name => CatalogueOf(name).Current is var seen && seen.PrimaryOf("wiki")?.Node == "a" && seen.LatestConsistent(rules) == V(1, 5)), "all see a and 1.5");

        output.WriteLine(await IdleCostAsync());

        var b = WinAsync("b");
        var c = WinAsync("c");
        await lease.GiveBackAsync(null, limit.Token);
        var began = TimeProvider.System.GetTimestamp();
        var next = await c;
        output.WriteLine($"c appointed {TimeProvider.System.GetElapsedTime(began).TotalMilliseconds:0} ms after a stopped cleanly");
        Assert.True(next.Epoch > lease.Epoch, $"{next.Epoch} after {lease.Epoch}");
        Assert.False(b.IsCompleted);
        Assert.Equal(next.Epoch, hosts["c"].Services.GetRequiredService<IEpochGate>().Highest("wiki"));
        await PublishAsync("c", SiteRole.Primary, next.Epoch, V(1, 5));
        await LocalCluster.UntilAsync(() => hosts.Keys.All(name => CatalogueOf(name).Current.PrimaryOf("wiki")?.Node == "c"), "all see c");
        await next.DisposeAsync();
        await limit.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => b);
    }

    private static async Task<string> IdleCostAsync()
    {
        using var process = Process.GetCurrentProcess();
        var before = process.TotalProcessorTime;
        var began = TimeProvider.System.GetTimestamp();
        await Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System);
        process.Refresh();
        var share = (process.TotalProcessorTime - before) / TimeProvider.System.GetElapsedTime(began) / 3;
        return $"{share:P1} of a core for each idle member (with whatever else ran in this process)";
    }

    private ICatalogue CatalogueOf(string name) => hosts[name].Services.GetRequiredService<ICatalogue>();

    private Task<Lease> WinAsync(string name) =>
        hosts[name].Services.GetRequiredService<Elections>().Of("wiki").WinAsync(
            () => verified[name], sentence => output.WriteLine($"{TimeProvider.System.GetUtcNow():ss.fff} {name}: {sentence}"), limit.Token);

    private Task PublishAsync(string name, SiteRole role, ulong epoch, Position held)
    {
        verified[name] = held;
        return CatalogueOf(name).PublishAsync(new("wiki", name, role, epoch, held, held, held, null, null, "", []), limit.Token);
    }
}
