using Grpc.Net.Client;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;

namespace Mirror.Node.Channels;

/// <summary>One mTLS gRPC channel per member of the cluster, made on first use and kept; large windows, keep-alive pings, no retry of its own.</summary>
public sealed class PeerChannels(MirrorConfig config, MemberIdentity identity) : IDisposable
{
    /// <exception cref="KeyNotFoundException">No such member.</exception>
    public GrpcChannel To(string member) => throw new NotImplementedException(config.Cluster.Name + identity.Name);

    public void Dispose() => throw new NotImplementedException();
}
