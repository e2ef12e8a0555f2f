using System.Diagnostics;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Mirror.Primary.Capture;
using Mirror.Primary.Publish;
using Mirror.Replica.Receive;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;
using Xunit;

namespace Mirror.Cli.Tests.Hosting;

/// <summary>Nodes that lend each other what they lack, over mutual TLS: three stores with one history, of which the first has lost all its packs.</summary>
public sealed class LendingTests : IAsyncLifetime, IDisposable
{
    private const string Site = "saved";
    private static readonly string[] nodes = ["alpha", "beta", "gamma"];

    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));
    private readonly TemporaryDirectory files = new();
    private readonly List<IAsyncDisposable> servers = [];
    private readonly List<VersionStore> stores = [];
    private readonly List<IDisposable> links = [];
    private MirrorConfig config = null!;
    private SiteConfig site = null!;

    public async Task InitializeAsync()
    {
        var source = files.Make("source");
        for (var version = 1; version <= 3; version++)
        {
            File.WriteAllBytes(Path.Combine(source, "noise"), Noise(version, 3_000_000));
            File.WriteAllText(Path.Combine(source, "page"), $"page {version}");
            await SaveAsync(source);
            Copy(source, files[$"as-{version}"]);
        }

        Copy(files["alpha"], files["beta"]);
        Copy(files["alpha"], files["gamma"]);
        foreach (var pack in Directory.GetFiles(Path.Combine(files["alpha"], "history"), "*.pack"))
        {
            File.Delete(pack);
        }

        CertificateAuthority.Create(files["pki"], "home", TimeProvider.System);
        foreach (var (name, kind) in nodes.Select(name => (name, "node")).Append(("stranger", "node")).Append(("front", "proxy")))
        {
            CertificateAuthority.Issue(files["pki"], name, kind, ["127.0.0.1"], TimeProvider.System);
        }

        site = Snapshots.Site(withApp: false) with { Name = Site };
        var made = Snapshots.Config(site);
        config = made with
        {
            Cluster = made.Cluster with { Pki = files["pki"] },
            Members = made.Members.ToDictionary(pair => pair.Key, pair => pair.Value with { GrpcPort = FreePort.Next() }),
        };
    }

    public async Task DisposeAsync()
    {
        links.ForEach(link => link.Dispose());
        foreach (var server in servers)
        {
            await server.DisposeAsync();
        }

        foreach (var store in stores)
        {
            await store.DisposeAsync();
        }
    }

    public void Dispose()
    {
        files.Dispose();
        limit.Dispose();
    }

    [Fact]
    public async Task A_node_without_its_packs_restores_every_version_with_what_others_lend()
    {
        await ServeAsync("beta");
        var store = await AlphaAsync();
        for (ulong version = 1; version <= 3; version++)
        {
            var report = await store.RestoreAsync(new VersionId(1, version), files[$"restored-{version}"], null, limit.Token);

            TreeAssert.SameDirectories(files[$"as-{version}"], files[$"restored-{version}"]);
            Assert.Equal(version == 3 ? [] : [new PeerShare("beta", 2, 3_000_006)], report.Peers);
        }
    }

    [Fact]
    public async Task A_node_that_dies_while_it_lends_costs_nothing_but_time()
    {
        // What it sends ends after the first piece, and so does the connection.
        await ServeAsync("beta", async (piece, context) =>
        {
            if (piece > 1)
            {
                context.GetHttpContext().Abort();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
            }
        });
        await ServeAsync("gamma");

        var report = await (await AlphaAsync()).RestoreAsync(new VersionId(1, 1), files["restored"], null, limit.Token);

        TreeAssert.SameDirectories(files["as-1"], files["restored"]);
        Assert.Equal([new PeerShare("gamma", 2, 3_000_006)], report.Peers);
        Assert.Contains(report.Detours, detour => detour.Damaged.StartsWith("beta: ", StringComparison.Ordinal) && detour.Instead == "the node gamma");
    }

    [Fact]
    public async Task Nodes_that_are_down_are_named_when_nobody_is_left()
    {
        var error = await Assert.ThrowsAsync<StoreException>(async () =>
            await (await AlphaAsync()).RestoreAsync(new VersionId(1, 1), files["restored"], null, limit.Token));

        Assert.Contains("Asked in vain: beta (Unavailable", error.Message, StringComparison.Ordinal);
        Assert.Contains("gamma (Unavailable", error.Message, StringComparison.Ordinal);
        Assert.False(Path.Exists(files["restored"]));
    }

    [Fact]
    public async Task Only_nodes_of_the_site_are_answered()
    {
        await ServeAsync("beta");
        var request = new FindContentsRequest { Site = Site, Wanted = ByteString.CopyFrom(new byte[32]) };
        Assert.Equal([0], (await ClientOf("alpha").FindContentsAsync(request, cancellationToken: limit.Token)).Has.ToArray());

        foreach (var name in new[] { "stranger", "front" })
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => ClientOf(name).FindContentsAsync(request, cancellationToken: limit.Token).ResponseAsync);
            Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
            using var call = ClientOf(name).FetchContents(new FetchContentsRequest { Site = Site }, cancellationToken: limit.Token);
            Assert.Equal(StatusCode.PermissionDenied, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(limit.Token))).StatusCode);
        }

        // Without a certificate there is not even a connection.
        using var alpha = MemberIdentity.Load(files["pki"], "alpha", TimeProvider.System);
        using var handler = new SocketsHttpHandler { UseProxy = false, SslOptions = { RemoteCertificateValidationCallback = alpha.ServerMustBe("beta") } };
        using var bare = GrpcChannel.ForAddress($"https://127.0.0.1:{config.Members["beta"].GrpcPort}", new GrpcChannelOptions { HttpHandler = handler });
        var unknown = await Assert.ThrowsAsync<RpcException>(() => new Replication.ReplicationClient(bare).FindContentsAsync(request, cancellationToken: limit.Token).ResponseAsync);
        Assert.True(unknown.StatusCode is StatusCode.Unavailable or StatusCode.Internal, unknown.Status.ToString());
    }

    [Fact]
    public async Task A_list_that_is_malformed_or_too_long_is_refused()
    {
        await ServeAsync("beta");
        foreach (var length in new[] { 31, 33, 32 * 16_385 })
        {
            var request = new FindContentsRequest { Site = Site, Wanted = ByteString.CopyFrom(new byte[length]) };
            var refused = await Assert.ThrowsAsync<RpcException>(() => ClientOf("alpha").FindContentsAsync(request, cancellationToken: limit.Token).ResponseAsync);
            Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        }
    }

    [Fact]
    public void The_primary_is_asked_after_replicas_and_who_is_away_last()
    {
        var peers = new SitePeers(
            site, "alpha", Channels(), new Said(Snapshots.Of(["gamma"], Snapshots.Holding("beta", SiteRole.Primary, 1, 1) with { Site = Site })), TimeProvider.System);
        Assert.Equal(["beta", "gamma"], peers.Names);

        peers = new SitePeers(site, "alpha", Channels(), new Said(Snapshots.Of([], Snapshots.Holding("beta", SiteRole.Primary, 1, 1) with { Site = Site })), TimeProvider.System);
        Assert.Equal(["gamma", "beta"], peers.Names);
    }

    private async Task<VersionStore> AlphaAsync()
    {
        var store = await OpenAsync("alpha");
        store.BorrowFrom(new SitePeers(site, "alpha", Channels(), new Said(Snapshots.Of([])), TimeProvider.System));
        return store;
    }

    private PeerChannels Channels()
    {
        var channels = new PeerChannels(config, MemberIdentity.Load(files["pki"], "alpha", TimeProvider.System));
        links.Add(channels);
        return channels;
    }

    private Replication.ReplicationClient ClientOf(string name)
    {
        var channel = PeerChannels.Open(config.Members["beta"], MemberIdentity.Load(files["pki"], name, TimeProvider.System));
        links.Add(channel);
        return new Replication.ReplicationClient(channel);
    }

    private async Task<VersionStore> OpenAsync(string name)
    {
        var store = await VersionStore.OpenAsync(files[name], Site, TimeProvider.System, limit.Token);
        stores.Add(store);
        return store;
    }

    /// <param name="beforePiece">Called before each piece of a pack is sent, with its number.</param>
    private async Task ServeAsync(string name, Func<int, ServerCallContext, Task>? beforePiece = null)
    {
        var served = new ServedSites();
        served.Open(await OpenAsync(name));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc(grpc => grpc.Interceptors.Add<Slowed>(beforePiece ?? ((_, _) => Task.CompletedTask)));
        builder.Services.AddSingleton(TimeProvider.System).AddSingleton(config).AddSingleton(served)
            .AddSingleton<IEpochGate>(new EpochGate(files[$"epochs-{name}"])).AddSingleton<ReplicationService>();
        builder.ListenForPeers(config.Members[name], MemberIdentity.Load(files["pki"], name, TimeProvider.System));
        var host = builder.Build();
        host.MapGrpcService<ReplicationService>();
        await host.StartAsync();
        servers.Add(host);
    }

    private async Task SaveAsync(string source)
    {
        await using var store = await VersionStore.OpenAsync(files["alpha"], Site, TimeProvider.System, limit.Token);
        var captured = await SiteCapture.CaptureAsync(
            store, new Primary.Capture.CaptureRequest(source, null, new PathFilter([], []), "here", 1, [], false), store.InboxDirectory, TimeProvider.System, limit.Token);
        await store.StageAsync(captured.Pack!, null, limit.Token);
        await store.FlipAsync(limit.Token);
    }

    private static void Copy(string from, string to)
    {
        using var copying = Process.Start("cp", ["-a", from, to]);
        copying.WaitForExit();
        Assert.Equal(0, copying.ExitCode);
    }

    private static byte[] Noise(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private sealed class Said(ClusterSnapshot snapshot) : ICatalogue
    {
        public ClusterSnapshot Current => snapshot;

        public Task<ClusterSnapshot> ChangedSinceAsync(ClusterSnapshot seen, CancellationToken cancellation) => throw new NotSupportedException();

        public Task PublishAsync(SiteHolding holding, CancellationToken cancellation) => throw new NotSupportedException();
    }

    private sealed class Slowed(Func<int, ServerCallContext, Task> beforePiece) : Grpc.Core.Interceptors.Interceptor
    {
        public override Task ServerStreamingServerHandler<TRequest, TResponse>(
            TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
            continuation(request, request is FetchContentsRequest { Wanted.IsEmpty: false } ? new Writer<TResponse>(responseStream, beforePiece, context) : responseStream, context);

        private sealed class Writer<T>(IServerStreamWriter<T> writer, Func<int, ServerCallContext, Task> beforePiece, ServerCallContext context) : IServerStreamWriter<T>
        {
            private int pieces;

            public WriteOptions? WriteOptions
            {
                get => writer.WriteOptions;
                set => writer.WriteOptions = value;
            }

            public async Task WriteAsync(T message)
            {
                await beforePiece(++pieces, context);
                await writer.WriteAsync(message);
            }

            public async Task WriteAsync(T message, CancellationToken cancellationToken)
            {
                await beforePiece(++pieces, context);
                await writer.WriteAsync(message, cancellationToken);
            }
        }
    }
}
