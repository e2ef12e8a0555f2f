using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;
using Mirror.Node.Channels;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Xunit.Abstractions;
using static Mirror.Leadership.Tests.Core.Given;
using VotingWire = Mirror.Node.Wire.Voting;

namespace Mirror.Leadership.Tests.Voting;

/// <summary>Real voters behind real gRPC with real certificates, three of them in this process.</summary>
public sealed class VotingServiceTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    // A machine that stalls for some seconds loses no lease.
    private readonly LocalCluster cluster = new(TimeSpan.FromSeconds(8));
    private readonly Dictionary<string, Member> members = [];
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));
    private readonly Dictionary<string, Position> verified = new() { ["a"] = default, ["b"] = default, ["c"] = default };

    public async Task InitializeAsync()
    {
        foreach (var name in cluster.Config.Members.Keys)
        {
            members[name] = await StartAsync(name);
        }
    }

    public async Task DisposeAsync()
    {
        foreach (var member in members.Values)
        {
            await member.DisposeAsync();
        }
    }

    public void Dispose()
    {
        limit.Dispose();
        cluster.Dispose();
    }

    [Fact]
    public async Task Over_the_wire_a_primary_is_appointed_and_when_it_is_gone_another()
    {
        var lease = await WinAsync("a");
        verified["b"] = V(1, 5);
        var next = WinAsync("b");
        await Task.Delay(cluster.Config.Cluster.Lease * 1.5, TimeProvider.System);
        Assert.True(lease.IsHeld);
        Assert.False(next.IsCompleted);

        // As when the process is killed: no more renewals, and its voter is gone.
        var killed = TimeProvider.System.GetTimestamp();
        await lease.DisposeAsync();
        await members["a"].DisposeAsync();
        await using var taken = await next;
        var took = TimeProvider.System.GetElapsedTime(killed);
        output.WriteLine($"appointed {took.TotalSeconds:0.000} s after the kill, lease {cluster.Config.Cluster.Lease.TotalSeconds:0} s");
        Assert.True(taken.Epoch > lease.Epoch, $"{taken.Epoch} after {lease.Epoch}");
        Assert.True(took > TimeSpan.FromSeconds(1), "the lease ran out first");
    }

    [Fact]
    public async Task Given_back_to_a_successor_over_the_wire_it_is_taken_at_once()
    {
        var lease = await WinAsync("a");
        verified["c"] = V(1, 5);
        var next = WinAsync("c");
        await lease.GiveBackAsync("c", limit.Token);
        var given = TimeProvider.System.GetTimestamp();
        await using var taken = await next;

        output.WriteLine($"taken {TimeProvider.System.GetElapsedTime(given).TotalMilliseconds:0} ms after it was given back");
        Assert.True(taken.Epoch > lease.Epoch, $"{taken.Epoch} after {lease.Epoch}");
        Assert.InRange(TimeProvider.System.GetElapsedTime(given), TimeSpan.Zero, cluster.Config.Cluster.Lease * 0.8);
    }

    [Fact]
    public async Task Nobody_asks_or_gives_back_in_anothers_name()
    {
        using var channels = new PeerChannels(cluster.Config, members["b"].Identity);
        var client = new VotingWire.VotingClient(channels.To("c"));

        var ask = await client.RequestGrantAsync(new GrantRequest { Site = "wiki", Epoch = 1, Candidate = "a", LeaseMs = 1000 });
        Assert.False(ask.Granted);
        Assert.Contains("asks only in its own name", ask.Reason);

        await using var lease = await WinAsync("a");
        var back = await client.GiveBackAsync(new GiveBackRequest { Site = "wiki", Epoch = lease.Epoch, Holder = "a" });
        Assert.False(back.Accepted);
        Assert.True(lease.IsHeld);
    }

    [Fact]
    public async Task An_unknown_site_is_refused()
    {
        using var channels = new PeerChannels(cluster.Config, members["b"].Identity);

        var ask = await new VotingWire.VotingClient(channels.To("c")).RequestGrantAsync(new GrantRequest { Site = "shop", Epoch = 1, Candidate = "b", LeaseMs = 1000 });
        Assert.False(ask.Granted);
        Assert.Contains("no voter for that site", ask.Reason);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_does_not_get_in()
    {
        using var stranger = cluster.Identity("a", "foreign");
        using var channels = new PeerChannels(cluster.Config, stranger);

        await Assert.ThrowsAsync<RpcException>(async () =>
            await new VotingWire.VotingClient(channels.To("c")).RequestGrantAsync(new GrantRequest { Site = "wiki", Epoch = 1, Candidate = "a", LeaseMs = 1000 }));
        Assert.Equal(0ul, members["c"].Elections.Own.Of("wiki")!.Ballot!.Epoch);
    }

    private Task<Lease> WinAsync(string name) =>
        members[name].Elections.Of("wiki").WinAsync(() => verified[name], sentence => cluster.Logs.CreateLogger(name).LogInformation("{Name}: {Sentence}", name, sentence), limit.Token);

    private async Task<Member> StartAsync(string name)
    {
        var identity = cluster.Identity(name);
        var channels = new PeerChannels(cluster.Config, identity);
        var gate = new EpochGate(cluster.At($"{name}/epochs"));
        var elections = new Elections(
            cluster.Config, cluster.Config.Members[name], channels, _ => verified[name], new HandCatalogue(), gate, TimeProvider.System, cluster.Logs);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(new VotingService(elections.Own));
        builder.ListenForPeers(cluster.Config.Members[name], identity);
        var app = builder.Build();
        app.MapLeadership();
        await app.StartAsync();
        return new(app, elections, channels, identity);
    }

    private sealed record Member(WebApplication App, Elections Elections, PeerChannels Channels, MemberIdentity Identity) : IAsyncDisposable
    {
        private bool disposed;

        public async ValueTask DisposeAsync()
        {
            if (!disposed)
            {
                disposed = true;
                await App.DisposeAsync();
                Channels.Dispose();
                Identity.Dispose();
            }
        }
    }
}
