using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Primary.Publish;

// Old contents, for a peer whose own copies of them are gone. A content is what its hash says, in whatever epoch it is asked for.
public sealed partial class ReplicationService : IDisposable
{
    private const int mostInQuestion = 16_384;
    private const int mostInPack = 2048;

    // Making contents of deltas is work for processor and disk: a node that restores a site must not stop another from following its own.
    private readonly SemaphoreSlim lending = new(2, 2);

    public override async Task<ContentsFound> FindContents(FindContentsRequest request, ServerCallContext context)
    {
        var store = StoreFor(request.Site, context);
        var wanted = HashesOf(request.Wanted, mostInQuestion);
        var found = await store.FindContentsAsync(wanted, context.CancellationToken);
        var has = new byte[(wanted.Count + 7) / 8];
        for (var at = 0; at < wanted.Count; at++)
        {
            has[at / 8] |= (byte)(found.Contains(wanted[at]) ? 1 << (at % 8) : 0);
        }

        return new ContentsFound { Has = UnsafeByteOperations.UnsafeWrap(has) };
    }

    public override async Task FetchContents(FetchContentsRequest request, IServerStreamWriter<PackBytes> responseStream, ServerCallContext context)
    {
        var store = StoreFor(request.Site, context);
        var wanted = HashesOf(request.Wanted, mostInPack);
        await lending.WaitAsync(context.CancellationToken);
        try
        {
            await using var answer = new PackAnswer(responseStream, epochs.Highest(request.Site), BandwidthFor(request.Site, context));
            var lent = await store.LendAsync(ToId(request.ManifestOf), wanted, answer, context.CancellationToken);
            Log.Lent(logger, request.Site, Node.Listening.Callers.PeerName(context) ?? "this machine", lent, wanted.Count);
        }
        catch (StoreException failure)
        {
            throw new RpcException(new Status(StatusCode.NotFound, failure.Message));
        }
        finally
        {
            lending.Release();
        }
    }

    public void Dispose() => lending.Dispose();

    private static List<ContentHash> HashesOf(ByteString bytes, int most)
    {
        if (bytes.Length % ContentHash.Length != 0 || bytes.Length / ContentHash.Length > most)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"A list of contents has {ContentHash.Length} bytes for each, and {most} at most; got {bytes.Length} bytes."));
        }

        var hashes = new List<ContentHash>(bytes.Length / ContentHash.Length);
        for (var left = bytes.Span; !left.IsEmpty; left = left[ContentHash.Length..])
        {
            hashes.Add(ContentHash.From(left[..ContentHash.Length]));
        }

        return hashes;
    }

    private static partial class Log
    {
        [LoggerMessage(3022, LogLevel.Information, "{Site}: {Lent} of {Wanted} contents lent to {Peer}")]
        public static partial void Lent(ILogger logger, string site, string peer, int lent, int wanted);
    }
}
