using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Voting;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Mirror.Primary.Publish;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Publish;

/// <summary>The services as their peers reach them: over mTLS, by members of the site and one that is not.</summary>
public sealed class ReplicationServiceTests : IAsyncLifetime, IDisposable
{
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));
    private readonly List<GrpcChannel> channels = [];
    private LiveSite site = null!;
    private PrimaryRole role = null!;
    private EpochGate epochs = null!;
    private WebApplication host = null!;
    private MirrorConfig config = null!;
    private readonly ServedSites served = new();

    public async Task InitializeAsync()
    {
        site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("big", LiveSite.Noise(1, 700_000)).File("page", "1"));
        var pki = site.Files["pki"];
        CertificateAuthority.Create(pki, "test", TimeProvider.System);
        foreach (var name in new[] { "a", "b", "stranger" })
        {
            CertificateAuthority.Issue(pki, name, "node", ["127.0.0.1"], TimeProvider.System);
        }

        CertificateAuthority.Issue(pki, "front", "proxy", ["127.0.0.1"], TimeProvider.System);

        var member = new MemberConfig("a", MemberKind.Node, "127.0.0.1", FreePort(), 1, site.Files["state"], [], TimeSpan.Zero, 0, new(1, 2));
        config = new MirrorConfig
        {
            Cluster = new("test", TimeSpan.FromSeconds(4), pki),
            Members = new Dictionary<string, MemberConfig> { ["a"] = member, ["front"] = member with { Name = "front", Kind = MemberKind.Proxy } },
            Sites = new Dictionary<string, SiteConfig> { [LiveSite.Name] = site.Config },
        };
        epochs = new EpochGate(site.Files["epochs"]);
        epochs.Admit(LiveSite.Name, 1);
        role = await site.EnterAsync();
        served.Open(site.Store);
        served.Enter(LiveSite.Name, role);

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(TimeProvider.System).AddSingleton(config).AddSingleton(served).AddSingleton<IEpochGate>(epochs).AddSingleton<ReplicationService>().AddSingleton<DurabilityService>();
        builder.ListenForPeers(member, MemberIdentity.Load(pki, "a", TimeProvider.System));
        host = builder.Build();
        host.MapGrpcService<ReplicationService>();
        host.MapGrpcService<DurabilityService>();
        await host.StartAsync();
    }

    public async Task DisposeAsync()
    {
        channels.ForEach(channel => channel.Dispose());
        await host.DisposeAsync();
        await role.DisposeAsync();
        await site.DisposeAsync();
    }

    public void Dispose() => limit.Dispose();

    [Fact]
    public async Task Who_has_nothing_gets_every_pack_and_then_what_comes()
    {
        await CaptureAsync("2");
        var replica = await site.ReplicaAsync();
        using var call = Client().Follow(new FollowRequest { Site = LiveSite.Name, Replica = "b" }, cancellationToken: limit.Token);
        await LiveSite.StageAsync(replica, await ReceiveAsync(call));
        await LiveSite.StageAsync(replica, await ReceiveAsync(call));
        Assert.Equal(new VersionId(1, 2), replica.Head!.Id);

        await CaptureAsync("3");
        await LiveSite.StageAsync(replica, await ReceiveAsync(call));

        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    [Fact]
    public async Task A_broken_transfer_goes_on_where_it_stopped()
    {
        const int at = 300_007;
        using var whole = Client().Follow(new FollowRequest { Site = LiveSite.Name, Replica = "b" }, cancellationToken: limit.Token);
        var pack = await File.ReadAllBytesAsync(await ReceiveAsync(whole));
        using var call = Client().Follow(
            new FollowRequest { Site = LiveSite.Name, Replica = "b", ResumeTo = new() { Epoch = 1, Sequence = 1 }, ResumeOffset = at }, cancellationToken: limit.Token);

        var rest = await ReceiveAsync(call, [.. pack.AsSpan(0, at)]);

        Assert.Equal(pack, await File.ReadAllBytesAsync(rest));
    }

    [Fact]
    public async Task A_limited_push_takes_its_time_and_goes_on_where_it_was_broken_off()
    {
        const int rate = 512 << 10;
        ((Dictionary<string, SiteConfig>)config.Sites)[LiveSite.Name] = site.Config with { Replication = new ReplicationConfig(rate, []) };
        var whole = await File.ReadAllBytesAsync(Directory.GetFiles(site.Store.OutboxDirectory, "*.pack").Single());
        var began = TimeProvider.System.GetTimestamp();
        var begun = new List<byte>();
        using (var call = Client().Follow(new FollowRequest { Site = LiveSite.Name, Replica = "b" }, cancellationToken: limit.Token))
        {
            while (begun.Count < 200_000)
            {
                Assert.True(await call.ResponseStream.MoveNext(limit.Token));
                begun.AddRange(call.ResponseStream.Current.Data.Span);
                Assert.InRange(call.ResponseStream.Current.Data.Length, 0, rate / 16);
            }
        }

        using var again = Client().Follow(
            new FollowRequest { Site = LiveSite.Name, Replica = "b", ResumeTo = new() { Epoch = 1, Sequence = 1 }, ResumeOffset = (ulong)begun.Count }, cancellationToken: limit.Token);
        var rest = await ReceiveAsync(again, [.. begun]);

        Assert.Equal(whole, await File.ReadAllBytesAsync(rest));

        // What may go ahead of the rate: what is saved up, and a piece.
        Assert.True(TimeProvider.System.GetElapsedTime(began).TotalSeconds >= ((double)whole.Length / rate) - 0.1 - (1.0 / 16));
    }

    [Fact]
    public async Task Who_is_up_to_date_hears_that_there_is_nothing_newer()
    {
        using var call = Client().Follow(
            new FollowRequest { Site = LiveSite.Name, Have = new() { Epoch = 1, Sequence = 1 }, HaveRoot = Wire(role.Newest!.Root) }, cancellationToken: limit.Token);
        for (var beat = 0; beat < 2; beat++)
        {
            Assert.True(await call.ResponseStream.MoveNext(limit.Token));
            Assert.Equal(1ul, call.ResponseStream.Current.Idle.Newest.Sequence);
        }
    }

    [Theory]
    [InlineData(1ul, 1ul)]
    [InlineData(0ul, 9ul)]
    public async Task Who_holds_what_this_history_does_not_know_is_told_to_fill(ulong epoch, ulong sequence)
    {
        using var call = Client().Follow(
            new FollowRequest { Site = LiveSite.Name, Have = new() { Epoch = epoch, Sequence = sequence }, HaveRoot = ByteString.CopyFrom(LiveSite.Noise(9, 32)) },
            cancellationToken: limit.Token);
        Assert.True(await call.ResponseStream.MoveNext(limit.Token));
        Assert.Contains($"{epoch}.{sequence}", call.ResponseStream.Current.Refill.Reason, StringComparison.Ordinal);
        Assert.False(await call.ResponseStream.MoveNext(limit.Token));
    }

    [Fact]
    public async Task A_fill_brings_the_newest_tree_without_what_the_caller_has()
    {
        site.Write("page", "written a moment ago");
        var big = ContentHash.From(SHA256.HashData(LiveSite.Noise(1, 700_000)));

        var path = await FillAsync([.. big.ToArray()]);

        using (var reader = PackReader.Open(path))
        {
            Assert.True(reader.Header.From.IsNone);
            Assert.Equal(role.Newest!.Id, reader.Version.Id);
            Assert.Equal([20L], reader.Blobs.Select(blob => blob.Size));
        }

        var whole = await FillAsync([]);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, whole);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
        Assert.DoesNotContain(site.Outbox(), name => name.StartsWith("fill", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Half_a_digest_is_refused()
    {
        var failure = await Assert.ThrowsAsync<RpcException>(() => FillAsync(new byte[33]));
        Assert.Equal(StatusCode.InvalidArgument, failure.StatusCode);
    }

    [Fact]
    public async Task Who_knows_a_higher_epoch_is_not_served()
    {
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
            await Client().ReportAsync(new HoldingReport { Site = LiveSite.Name, Epoch = 2 }, cancellationToken: limit.Token));
        Assert.Equal(StatusCode.FailedPrecondition, failure.StatusCode);
        Assert.Empty(role.Replicas);
    }

    [Fact]
    public async Task A_stream_ends_when_a_higher_epoch_is_heard_of()
    {
        using var call = Client().Follow(
            new FollowRequest { Site = LiveSite.Name, Have = new() { Epoch = 1, Sequence = 1 }, HaveRoot = Wire(role.Newest!.Root) }, cancellationToken: limit.Token);
        Assert.True(await call.ResponseStream.MoveNext(limit.Token));
        epochs.Admit(LiveSite.Name, 2);
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(limit.Token))
            {
            }
        });
        Assert.Equal(StatusCode.FailedPrecondition, failure.StatusCode);
    }

    [Fact]
    public async Task A_node_that_is_not_of_the_site_gets_nothing()
    {
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
            await Client("stranger").ListVersionsAsync(new ListVersionsRequest { Site = LiveSite.Name }, cancellationToken: limit.Token));
        Assert.Equal(StatusCode.PermissionDenied, failure.StatusCode);
        var unknown = await Assert.ThrowsAsync<RpcException>(async () =>
            await Client().ListVersionsAsync(new ListVersionsRequest { Site = "other" }, cancellationToken: limit.Token));
        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
    }

    [Fact]
    public async Task A_node_that_is_no_primary_says_so_and_still_tells_its_history()
    {
        served.Leave(LiveSite.Name);
        using var call = Client().Follow(new FollowRequest { Site = LiveSite.Name }, cancellationToken: limit.Token);
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(limit.Token));
        Assert.Equal(StatusCode.FailedPrecondition, failure.StatusCode);
        var list = await Client().ListVersionsAsync(new ListVersionsRequest { Site = LiveSite.Name }, cancellationToken: limit.Token);
        Assert.Equal(Wire(site.Store.Head!.Root), Assert.Single(list.Versions).Root);
    }

    [Fact]
    public async Task Copies_are_counted_from_reports_under_the_callers_own_name()
    {
        var copies = role.WaitForCopiesAsync(new(1, 1), 2, limit.Token);
        var position = new VersionPosition { Epoch = 1, Sequence = 1 };
        await Client().ReportAsync(new HoldingReport { Site = LiveSite.Name, Replica = "c", Stored = position }, cancellationToken: limit.Token);
        Assert.False(copies.IsCompleted);
        await Client().ReportAsync(new HoldingReport { Site = LiveSite.Name, Replica = "c", Stored = position, Verified = position }, cancellationToken: limit.Token);
        Assert.Equal(2, await copies);
        Assert.Equal(["b"], role.Replicas.Keys);
    }

    [Fact]
    public async Task Who_waits_for_copies_is_let_go_when_the_role_is_left()
    {
        var copies = role.WaitForCopiesAsync(new(1, 1), 3, limit.Token);
        await role.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => copies);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => role.CaptureAsync(false, limit.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => role.WriteFillAsync(new HashSet<ContentHash>(), limit.Token));
    }

    [Fact]
    public async Task A_proxy_waits_until_others_have_what_was_written_and_is_told_when_they_have_not()
    {
        var proxy = Waiting();
        await File.WriteAllTextAsync(Path.Combine(site.Root, "page"), "2", limit.Token);
        var settling = proxy.SettleAsync(new SettleRequest { Site = LiveSite.Name, Epoch = 1, WithinMs = 60_000 }, cancellationToken: limit.Token).ResponseAsync;
        await role.NewerThanAsync(new(1, 1), limit.Token);
        role.Report("b", new ReplicaHolding(role.Newest!.Id, role.Newest.Id, default));
        Assert.True((await settling).Settled);

        await File.WriteAllTextAsync(Path.Combine(site.Root, "page"), "3", limit.Token);
        Assert.False((await proxy.SettleAsync(new SettleRequest { Site = LiveSite.Name, Epoch = 1, WithinMs = 50 }, cancellationToken: limit.Token)).Settled);
    }

    [Fact]
    public async Task Who_asks_before_the_role_is_entered_is_to_ask_again_and_who_asks_after_its_reign_is_told_so()
    {
        served.Leave(LiveSite.Name);
        Assert.Equal(StatusCode.Unavailable, await RefusalAsync(Waiting(), new SettleRequest { Site = LiveSite.Name, Epoch = 1, WithinMs = 1000 }));
        epochs.Admit(LiveSite.Name, 2);
        Assert.Equal(StatusCode.FailedPrecondition, await RefusalAsync(Waiting(), new SettleRequest { Site = LiveSite.Name, Epoch = 1, WithinMs = 1000 }));
    }

    [Fact]
    public async Task A_stranger_may_not_wait_nor_anybody_for_another_site_or_without_end()
    {
        Assert.Equal(StatusCode.PermissionDenied, await RefusalAsync(Waiting("stranger"), new SettleRequest { Site = LiveSite.Name, Epoch = 1, WithinMs = 1000 }));
        Assert.Equal(StatusCode.PermissionDenied, await RefusalAsync(Waiting(), new SettleRequest { Site = "other", Epoch = 1, WithinMs = 1000 }));
        Assert.Equal(StatusCode.InvalidArgument, await RefusalAsync(Waiting(), new SettleRequest { Site = LiveSite.Name, Epoch = 1 }));
        Assert.Equal(StatusCode.InvalidArgument, await RefusalAsync(Waiting(), new SettleRequest { Site = LiveSite.Name, Epoch = 1, WithinMs = uint.MaxValue }));
    }

    private async Task<StatusCode> RefusalAsync(Durability.DurabilityClient client, SettleRequest request) =>
        (await Assert.ThrowsAsync<RpcException>(async () => await client.SettleAsync(request, cancellationToken: limit.Token))).StatusCode;

    private Durability.DurabilityClient Waiting(string name = "front")
    {
        var channel = PeerChannels.Open(config.Members["a"], MemberIdentity.Load(config.Cluster.Pki, name, TimeProvider.System));
        channels.Add(channel);
        return new(channel);
    }

    private Replication.ReplicationClient Client(string name = "b")
    {
        var channel = PeerChannels.Open(config.Members["a"], MemberIdentity.Load(config.Cluster.Pki, name, TimeProvider.System));
        channels.Add(channel);
        return new(channel);
    }

    private async Task CaptureAsync(string content)
    {
        // The watch may have been quicker.
        var before = role.Newest!.Id;
        site.Write("page", content);
        await role.CaptureAsync(false, limit.Token);
        Assert.Equal(before.Next, role.Newest!.Id);
    }

    private async Task<string> ReceiveAsync(AsyncServerStreamingCall<FollowFrame> call, byte[]? begun = null)
    {
        using var pack = new MemoryStream();
        pack.Write(begun);
        PackBegins? begins = null;
        while (await call.ResponseStream.MoveNext(limit.Token))
        {
            var frame = call.ResponseStream.Current;
            Assert.Equal(1ul, frame.Epoch);
            switch (frame.BodyCase)
            {
                case FollowFrame.BodyOneofCase.Begins:
                    begins = frame.Begins;
                    Assert.Equal((ulong)pack.Length, begins.Offset);
                    break;
                case FollowFrame.BodyOneofCase.Data:
                    pack.Write(frame.Data.Span);
                    break;
                case FollowFrame.BodyOneofCase.Ends:
                    Assert.Equal(begins!.Length, (ulong)pack.Length);
                    Assert.Equal(SHA256.HashData(pack.ToArray()), frame.Ends.Sha256.ToByteArray());
                    return await SaveAsync(pack);
            }
        }

        throw new InvalidOperationException("The stream ended inside a pack.");
    }

    private async Task<string> FillAsync(byte[] have)
    {
        using var call = Client().Fill(cancellationToken: limit.Token);
        await call.RequestStream.WriteAsync(new FillRequest { Site = LiveSite.Name, Replica = "b", Have = ByteString.CopyFrom(have) });
        await call.RequestStream.CompleteAsync();
        using var pack = new MemoryStream();
        ulong length = 0;
        await foreach (var bytes in call.ResponseStream.ReadAllAsync(limit.Token))
        {
            length = Math.Max(length, bytes.Length);
            pack.Write(bytes.Data.Span);
        }

        Assert.Equal(length, (ulong)pack.Length);
        return await SaveAsync(pack);
    }

    private async Task<string> SaveAsync(MemoryStream pack)
    {
        var path = site.Files[$"{Guid.NewGuid():N}.pack"];
        await File.WriteAllBytesAsync(path, pack.ToArray());
        return path;
    }

    private static ByteString Wire(ContentHash hash) => ByteString.CopyFrom(hash.ToArray());

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
