using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.Net.Client;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;

namespace Mirror.Node.Channels;

/// <summary>
/// One mTLS gRPC channel per member of the cluster, made on first use and kept; large windows, keep-alive pings, no retry of its own.
/// A channel is bound to its member: a server with another member's certificate is refused, though it is of the cluster.
/// </summary>
public sealed class PeerChannels(MirrorConfig config, MemberIdentity identity) : IDisposable
{
    private const int LargestMessage = 64 * 1024 * 1024;
    private const int StreamWindow = 16 * 1024 * 1024;
    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PingWithin = TimeSpan.FromSeconds(5);

    // Lazy, so that two first callers do not open two channels of which one is never closed.
    private readonly ConcurrentDictionary<string, Lazy<GrpcChannel>> _channels = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, QuestionChannel> _questions = new(StringComparer.Ordinal);
    private volatile bool _disposed;

    /// <exception cref="KeyNotFoundException">No such member.</exception>
    public GrpcChannel To(string member)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var peer = PeerOf(member);
        return _channels.GetOrAdd(member, _ => new Lazy<GrpcChannel>(() => Open(peer, identity))).Value;
    }

    /// <summary>A way of its own for small questions, one for all who have some.</summary>
    /// <exception cref="KeyNotFoundException">No such member.</exception>
    public QuestionChannel ForQuestionsTo(string member, TimeProvider time)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var peer = PeerOf(member);
        return _questions.GetOrAdd(member, _ => new QuestionChannel(() => Open(peer, identity), time));
    }

    /// <summary>A channel to one member with the certificate of <paramref name="self"/>; for callers that keep it themselves.</summary>
    public static GrpcChannel Open(MemberConfig member, MemberIdentity self) => Open(member.Name, member.Address, member.GrpcPort, self);

    internal static GrpcChannel Open(string member, string address, int port, MemberIdentity self)
    {
        var handler = new SocketsHttpHandler
        {
            // A proxy from the environment is for the web, not for the cluster.
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = ConnectWithin,
            KeepAlivePingDelay = PingEvery,
            KeepAlivePingTimeout = PingWithin,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.Always,
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = StreamWindow,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = member,
                EnabledSslProtocols = SslProtocols.Tls13,
                ClientCertificates = [self.Certificate],
                RemoteCertificateValidationCallback = self.ServerMustBe(member),
            },
            // With a connect callback the channel dials anew for every call that finds no connection. Without one gRPC backs off, up to two minutes,
            // in which a member that is back would still count as away.
            ConnectCallback = DialAsync,
        };
        return GrpcChannel.ForAddress(new UriBuilder("https", address, port).Uri, new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = LargestMessage,
            MaxSendMessageSize = LargestMessage,
        });
    }

    public void Dispose()
    {
        _disposed = true;
        foreach (var channel in _channels.Values.Where(channel => channel.IsValueCreated))
        {
            channel.Value.Dispose();
        }

        _channels.Clear();
        foreach (var channel in _questions.Values)
        {
            channel.Dispose();
        }

        _questions.Clear();
    }

    private MemberConfig PeerOf(string member) => config.Members.TryGetValue(member, out var peer)
        ? peer
        : throw new KeyNotFoundException($"'{member}' is not a member of the cluster {config.Cluster.Name}; its members are {string.Join(", ", config.Members.Keys)}.");

    private static async ValueTask<Stream> DialAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(new DnsEndPoint(context.DnsEndPoint.Host.Trim('[', ']'), context.DnsEndPoint.Port), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
