using Google.Protobuf;
using Grpc.Core;
using Mirror.Leadership.Membership;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Replica.Receive;

/// <summary>
/// The other nodes of a site as lenders of contents. Replicas come before the primary, which has other work, and who is away by gossip comes last: gossip may be wrong.
/// </summary>
public sealed class SitePeers(SiteConfig site, string node, PeerChannels peers, ICatalogue catalogue, TimeProvider time) : IContentPeers
{
    private static readonly TimeSpan answerWithin = TimeSpan.FromSeconds(30);

    public IReadOnlyList<string> Names
    {
        get
        {
            var now = catalogue.Current;
            var primary = now.PrimaryOf(site.Name)?.Node;
            return [.. site.Nodes.Where(name => name != node)
                .OrderByDescending(name => now.Members.TryGetValue(name, out var member) && member.Reachable)
                .ThenBy(name => name == primary)];
        }
    }

    public async Task<IReadOnlySet<ContentHash>> FindAsync(string peer, IReadOnlyList<ContentHash> wanted, CancellationToken cancellation)
    {
        try
        {
            var found = await To(peer).FindContentsAsync(
                new FindContentsRequest { Site = site.Name, Wanted = ToWire(wanted) }, deadline: time.GetUtcNow().UtcDateTime + answerWithin, cancellationToken: cancellation);
            return found.Has.Length == (wanted.Count + 7) / 8
                ? wanted.Where((_, at) => (found.Has[at / 8] >> (at % 8) & 1) != 0).ToHashSet()
                : throw new PeerException($"it answered {found.Has.Length} bytes about {wanted.Count} contents");
        }
        catch (RpcException failure)
        {
            cancellation.ThrowIfCancellationRequested();
            throw Failed(failure);
        }
    }

    public async Task FetchAsync(string peer, VersionId manifestOf, IReadOnlyList<ContentHash> wanted, Stream pack, long most, CancellationToken cancellation)
    {
        var request = new FetchContentsRequest { Site = site.Name, Wanted = ToWire(wanted) };
        if (!manifestOf.IsNone)
        {
            request.ManifestOf = new VersionPosition { Epoch = manifestOf.Epoch, Sequence = manifestOf.Sequence };
        }

        // No deadline: what is large takes its time. A peer that hangs is noticed by the channel's pings.
        using var call = To(peer).FetchContents(request, cancellationToken: cancellation);
        long received = 0;
        while (await NextAsync(call.ResponseStream, cancellation))
        {
            var piece = call.ResponseStream.Current.Data;
            if ((received += piece.Length) > most)
            {
                throw new PeerException($"it sent more than {most} bytes, which is more than was asked for");
            }

            await pack.WriteAsync(piece.Memory, cancellation);
        }
    }

    private static async Task<bool> NextAsync(IAsyncStreamReader<PackBytes> stream, CancellationToken cancellation)
    {
        try
        {
            return await stream.MoveNext(cancellation);
        }
        catch (RpcException failure)
        {
            cancellation.ThrowIfCancellationRequested();
            throw Failed(failure);
        }
    }

    private Replication.ReplicationClient To(string peer) => new(peers.To(peer));

    private static ByteString ToWire(IReadOnlyList<ContentHash> wanted)
    {
        var bytes = new byte[wanted.Count * ContentHash.Length];
        for (var at = 0; at < wanted.Count; at++)
        {
            wanted[at].CopyTo(bytes.AsSpan(at * ContentHash.Length));
        }

        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    private static PeerException Failed(RpcException failure) => new($"{failure.StatusCode}: {failure.Status.Detail}", failure);
}
