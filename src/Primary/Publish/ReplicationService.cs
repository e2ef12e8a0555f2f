using System.Buffers;
using System.Collections.Concurrent;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Voting;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Primary.Publish;

/// <summary>
/// The sending end of replication. Every call is checked first: the caller is a node of the site, and neither side knows a higher epoch than the other serves.
/// Following and filling need the primary role; history and old contents are served by whoever has them.
/// </summary>
public sealed partial class ReplicationService(
    MirrorConfig config, ServedSites sites, IEpochGate epochs, TimeProvider time, ILogger<ReplicationService> logger) : Replication.ReplicationBase
{
    private const int chunkLength = 256 << 10;
    private const int mostHaves = 8 << 20;
    private static readonly TimeSpan heartbeat = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, SiteBandwidth> bandwidths = new(StringComparer.Ordinal);

    public override async Task Follow(FollowRequest request, IServerStreamWriter<FollowFrame> responseStream, ServerCallContext context)
    {
        var role = PrimaryFor(request.Site, request.Epoch, context);
        var have = ToId(request.Have);
        var root = request.HaveRoot.IsEmpty ? default : HashOf(request.HaveRoot);
        var resumeTo = ToId(request.ResumeTo);
        var resumeAt = request.ResumeOffset;
        Log.Following(logger, request.Site, request.Replica, have.ToString());
        while (!context.CancellationToken.IsCancellationRequested)
        {
            RequireStillPrimary(request.Site, role);
            if (role.TryNext(have, root, out var upToDate) is { } pack)
            {
                await SendAsync(pack, role.Epoch, pack.To == resumeTo ? resumeAt : 0, responseStream, BandwidthFor(request.Site, context), context.CancellationToken);
                (have, root) = (pack.To, pack.ToRoot);
                continue;
            }

            if (!upToDate)
            {
                var reason = have.IsNone ? "the first version is no longer at hand as one pack" : $"no chain of packs leads on from {have}";
                await responseStream.WriteAsync(new FollowFrame { Epoch = role.Epoch, Refill = new Refill { Reason = reason } }, context.CancellationToken);
                return;
            }

            await responseStream.WriteAsync(new FollowFrame { Epoch = role.Epoch, Idle = new Idle { Newest = ToWire(have) } }, context.CancellationToken);
            await WaitForNewerAsync(role, have, context.CancellationToken);
        }
    }

    public override async Task Fill(IAsyncStreamReader<FillRequest> requestStream, IServerStreamWriter<PackBytes> responseStream, ServerCallContext context)
    {
        if (!await requestStream.MoveNext(context.CancellationToken))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "A fill begins with the site and the caller's epoch; the stream was empty."));
        }

        var role = PrimaryFor(requestStream.Current.Site, requestStream.Current.Epoch, context);
        var site = requestStream.Current.Site;
        var has = new HashSet<ContentHash>();
        long received = 0;
        do
        {
            var hashes = requestStream.Current.Have.Span;
            if ((received += hashes.Length) > (long)mostHaves * ContentHash.Length || hashes.Length % ContentHash.Length != 0)
            {
                throw new RpcException(new Status(StatusCode.InvalidArgument, $"The list of contents at hand is malformed, or longer than {mostHaves} entries."));
            }

            for (; !hashes.IsEmpty; hashes = hashes[ContentHash.Length..])
            {
                has.Add(ContentHash.From(hashes[..ContentHash.Length]));
            }
        }
        while (await requestStream.MoveNext(context.CancellationToken));

        string path;
        try
        {
            path = await role.WriteFillAsync(has, context.CancellationToken);
        }
        catch (CaptureException failure)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, failure.Message));
        }

        try
        {
            await SendFileAsync(path, role.Epoch, responseStream, BandwidthFor(site, context), context.CancellationToken);
            Log.Filled(logger, site, context.Host, has.Count, new FileInfo(path).Length);
        }
        finally
        {
            File.Delete(path);
        }
    }

    public override async Task FetchPack(FetchPackRequest request, IServerStreamWriter<PackBytes> responseStream, ServerCallContext context)
    {
        var store = StoreFor(request.Site, request.Epoch, context);
        var path = store.FindPack(ToId(request.From), ToId(request.To))
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"This node keeps no pack from {ToId(request.From)} to {ToId(request.To)} of {request.Site}."));
        await SendFileAsync(path, epochs.Highest(request.Site), responseStream, BandwidthFor(request.Site, context), context.CancellationToken);
    }

    public override Task<VersionList> ListVersions(ListVersionsRequest request, ServerCallContext context)
    {
        var store = StoreFor(request.Site, request.Epoch, context);
        var list = new VersionList { Epoch = epochs.Highest(request.Site) };
        list.Versions.AddRange(store.Versions.Select(VersionSummaries.Of));
        return Task.FromResult(list);
    }

    public override Task<HoldingAck> Report(HoldingReport request, ServerCallContext context)
    {
        var role = PrimaryFor(request.Site, request.Epoch, context);
        var holding = new ReplicaHolding(ToId(request.Stored), ToId(request.Verified), ToId(request.Warm)) { IsProtected = !request.Unprotected };
        role.Report(Callers.PeerName(context) ?? request.Replica, holding, request.Run, request.Number);
        return Task.FromResult(new HoldingAck { Epoch = role.Epoch });
    }

    private static async Task SendAsync(
        OutboxPack pack, ulong epoch, ulong offset, IServerStreamWriter<FollowFrame> responseStream, Bandwidth? bandwidth, CancellationToken cancellation)
    {
        await using var file = OpenSequential(pack.Path);
        using var sending = pack.BeginSending();
        var from = (long)Math.Min(offset, (ulong)file.Length);
        await responseStream.WriteAsync(
            new FollowFrame
            {
                Epoch = epoch,
                Begins = new PackBegins { From = ToWire(pack.From), To = ToWire(pack.To), Length = (ulong)file.Length, Offset = (ulong)from },
            },
            cancellation);
        file.Position = from;
        await ForEachChunkAsync(
            file,
            bandwidth,
            async chunk =>
            {
                await SpendAsync(bandwidth, chunk.Length, cancellation);
                await responseStream.WriteAsync(new FollowFrame { Epoch = epoch, Data = UnsafeByteOperations.UnsafeWrap(chunk) }, cancellation);
            },
            cancellation);

        // Over the whole pack, also when the transfer resumed inside it.
        await responseStream.WriteAsync(
            new FollowFrame { Epoch = epoch, Ends = new PackEnds { Sha256 = ByteString.CopyFrom(await sending.Sha256.WaitAsync(cancellation)) } }, cancellation);
    }

    private static async Task SendFileAsync(string path, ulong epoch, IServerStreamWriter<PackBytes> responseStream, Bandwidth? bandwidth, CancellationToken cancellation)
    {
        await using var file = OpenSequential(path);
        await responseStream.WriteAsync(new PackBytes { Epoch = epoch, Length = (ulong)file.Length }, cancellation);
        await ForEachChunkAsync(
            file,
            bandwidth,
            async chunk =>
            {
                await SpendAsync(bandwidth, chunk.Length, cancellation);
                await responseStream.WriteAsync(new PackBytes { Epoch = epoch, Data = UnsafeByteOperations.UnsafeWrap(chunk) }, cancellation);
            },
            cancellation);
    }

    private static Task SpendAsync(Bandwidth? bandwidth, int bytes, CancellationToken cancellation) => bandwidth?.SpendAsync(bytes, cancellation) ?? Task.CompletedTask;

    private Bandwidth? BandwidthFor(string site, ServerCallContext context) =>
        bandwidths.GetOrAdd(site, name => new SiteBandwidth(config.Sites[name].Replication, time)).For(context.GetHttpContext().Connection.RemoteIpAddress);

    // WriteAsync has handed the bytes on when it returns, so one buffer serves the whole file.
    private static async Task ForEachChunkAsync(FileStream file, Bandwidth? bandwidth, Func<ReadOnlyMemory<byte>, Task> send, CancellationToken cancellation)
    {
        var length = bandwidth?.Piece ?? chunkLength;
        var buffer = ArrayPool<byte>.Shared.Rent(chunkLength);
        try
        {
            int read;
            while ((read = await file.ReadAtLeastAsync(buffer.AsMemory(0, length), length, throwOnEndOfStream: false, cancellation)) > 0)
            {
                await send(buffer.AsMemory(0, read));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static FileStream OpenSequential(string path) =>
        new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.Asynchronous | FileOptions.SequentialScan);

    private async Task WaitForNewerAsync(PrimaryRole role, VersionId have, CancellationToken cancellation)
    {
        using var beat = new CancellationTokenSource(heartbeat, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(beat.Token, cancellation);
        try
        {
            await role.NewerThanAsync(have, either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Nothing newer within a heartbeat.
        }
    }

    private PrimaryRole PrimaryFor(string site, ulong callerEpoch, ServerCallContext context)
    {
        StoreFor(site, callerEpoch, context);
        var role = sites.PrimaryOf(site)
            ?? throw new RpcException(new Status(StatusCode.FailedPrecondition, $"This node is not the primary of {site}."));
        RequireStillPrimary(site, role);
        return role;
    }

    private VersionStore StoreFor(string site, ServerCallContext context)
    {
        var store = sites.StoreOf(site) ?? throw new RpcException(new Status(StatusCode.NotFound, $"This node does not hold the site {site}."));
        var caller = Callers.PeerName(context);
        return !config.Sites.TryGetValue(site, out var configured) || (caller is not null && !configured.Nodes.Contains(caller))
            ? throw new RpcException(new Status(StatusCode.PermissionDenied, $"{caller} is not a node of the site {site}."))
            : store;
    }

    private VersionStore StoreFor(string site, ulong callerEpoch, ServerCallContext context)
    {
        var store = StoreFor(site, context);
        if (callerEpoch > epochs.Highest(site))
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition, $"The caller knows epoch {callerEpoch} of {site}; this node has only seen {epochs.Highest(site)} and serves nothing older."));
        }

        return store;
    }

    private void RequireStillPrimary(string site, PrimaryRole role)
    {
        if (sites.PrimaryOf(site) != role || epochs.Highest(site) > role.Epoch)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, $"Epoch {role.Epoch} of {site} is over."));
        }
    }

    private static ContentHash HashOf(ByteString bytes) => bytes.Length == ContentHash.Length
        ? ContentHash.From(bytes.Span)
        : throw new RpcException(new Status(StatusCode.InvalidArgument, $"A root has {ContentHash.Length} bytes; got {bytes.Length}."));

    private static VersionId ToId(VersionPosition? position) => position is null ? default : new VersionId(position.Epoch, position.Sequence);

    private static VersionPosition ToWire(VersionId id) => new() { Epoch = id.Epoch, Sequence = id.Sequence };

    private static partial class Log
    {
        [LoggerMessage(3020, LogLevel.Information, "{Site}: {Replica} follows from {Version}")]
        public static partial void Following(ILogger logger, string site, string replica, string version);

        [LoggerMessage(3021, LogLevel.Information, "{Site}: fill sent to {Replica}, which had {Contents} contents: {Bytes} bytes")]
        public static partial void Filled(ILogger logger, string site, string replica, int contents, long bytes);
    }
}
