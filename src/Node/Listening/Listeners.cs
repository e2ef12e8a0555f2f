using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Authentication;
using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;

namespace Mirror.Node.Listening;

/// <summary>
/// The three ways into a process: peers over mTLS, the command line over a Unix socket, and, on proxies, readers over plain http. What cannot be opened says which
/// member wanted which port for what, and what to do.
/// </summary>
public static class Listeners
{
    private const int ConnectionWindow = 64 * 1024 * 1024;
    private const int StreamWindow = 16 * 1024 * 1024;
    private const int LongestSocketPath = 107;
    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PingWithin = TimeSpan.FromSeconds(5);

    /// <summary>TLS 1.3 and HTTP/2 on the member's address and grpc-port; only clients with a certificate of the cluster get in.</summary>
    public static WebApplicationBuilder ListenForPeers(this WebApplicationBuilder builder, MemberConfig member, MemberIdentity identity)
    {
        var endpoint = EndPointFor(member.Address, member.GrpcPort);
        builder.RefuseStrangers();
        builder.Bind(endpoint, taken => Explain(taken, member, "grpc-port", endpoint));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.InitialConnectionWindowSize = ConnectionWindow;
            kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindow;
            kestrel.Limits.Http2.KeepAlivePingDelay = PingEvery;
            kestrel.Limits.Http2.KeepAlivePingTimeout = PingWithin;
            kestrel.Listen(endpoint, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UseHttps(new HttpsConnectionAdapterOptions
                {
                    ServerCertificate = identity.Certificate,
                    SslProtocols = SslProtocols.Tls13,
                    ClientCertificateMode = ClientCertificateMode.RequireCertificate,
                    ClientCertificateValidation = (certificate, _, _) => identity.Trusts(certificate, client: true),
                    CheckCertificateRevocation = false,
                });
            });
        });
        return builder;
    }

    /// <summary>HTTP/2 on a Unix socket that only this user (and root) may open. A socket left by a process that died is removed; one that answers is not.</summary>
    /// <exception cref="ListenException">Another process answers there, the path is no socket, or too long for one.</exception>
    public static WebApplicationBuilder ListenForControl(this WebApplicationBuilder builder, string socketPath)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(socketPath) > LongestSocketPath)
        {
            throw new ListenException($"{socketPath} is too long for a socket: Unix allows {LongestSocketPath} bytes.", "Choose a shorter `state` directory.");
        }

        RemoveStale(socketPath);
        var endpoint = new UnixDomainSocketEndPoint(socketPath);
        builder.Bind(endpoint, taken => new ListenException(
            $"The control socket {socketPath} cannot be opened: {taken.Message}.", "Check the owner and mode of the state directory, and that no other process uses it."));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(socketPath, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(next => connection =>
            {
                connection.Features.Set(new ControlConnection());
                return next(connection);
            });
        }));
        return builder;
    }

    /// <summary>Plain http/1.1 on every `listen` address of a proxy.</summary>
    public static WebApplicationBuilder ListenForReaders(this WebApplicationBuilder builder, MemberConfig proxy)
    {
        builder.RefuseStrangers();
        foreach (var text in proxy.Listen)
        {
            if (!ListenAddress.TryParse(text, out var address) || address.Tls)
            {
                throw new ListenException($"{text} is not an address to listen on.", "Write http://, an IP address or localhost, and a port: http://0.0.0.0:80.");
            }

            var endpoint = new IPEndPoint(address.Ip, address.Port);
            builder.Bind(endpoint, taken => Explain(taken, proxy, "listen", endpoint));
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(endpoint, listen => listen.Protocols = HttpProtocols.Http1));
        }

        return builder;
    }

    /// <summary>Why a port cannot be listened on, with a remedy; null when it can.</summary>
    /// <param name="key">The key it comes from, e.g. <c>cluster-port</c>.</param>
    public static ListenException? WhyNot(MemberConfig member, string key, IPEndPoint endpoint)
    {
        try
        {
            using var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
            // Two sockets may be bound to one port when neither listens yet.
            socket.Listen();
            return null;
        }
        catch (SocketException exception)
        {
            return Explain(exception, member, key, endpoint);
        }
    }

    /// <summary>
    /// Where a member listens: on its own address where that is an address of this machine, otherwise (a host name, or an address translated on the way) on all.
    /// </summary>
    public static IPEndPoint EndPointFor(string address, int port)
    {
        if (string.Equals(address, "localhost", StringComparison.OrdinalIgnoreCase))
        {
            return new IPEndPoint(IPAddress.Loopback, port);
        }

        if (IPAddress.TryParse(address, out var ip) && (IPAddress.IsLoopback(ip) || IsLocal(ip)))
        {
            return new IPEndPoint(ip, port);
        }

        return new IPEndPoint(Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : IPAddress.Any, port);
    }

    // Which services stand behind which port is for others to say; that no stranger calls one is settled here, where ports are opened.
    private static void RefuseStrangers(this WebApplicationBuilder builder) => builder.Services.Configure<GrpcServiceOptions>(grpc =>
    {
        if (grpc.Interceptors.All(interceptor => interceptor.Type != typeof(OnlyCallersInterceptor)))
        {
            grpc.Interceptors.Add<OnlyCallersInterceptor>();
        }
    });

    private static bool IsLocal(IPAddress ip) =>
        NetworkInterface.GetAllNetworkInterfaces().SelectMany(face => face.GetIPProperties().UnicastAddresses).Any(unicast => unicast.Address.Equals(ip));

    // Kestrel asks this hook for each socket it listens on. Several listeners chain: each answers for its own endpoint and passes the others on.
    private static void Bind(this WebApplicationBuilder builder, EndPoint mine, Func<SocketException, ListenException> explain) =>
        builder.Services.Configure<SocketTransportOptions>(options =>
        {
            var next = options.CreateBoundListenSocket;
            options.CreateBoundListenSocket = endpoint =>
            {
                if (!Same(endpoint, mine))
                {
                    return next(endpoint);
                }

                try
                {
                    var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
                    if (endpoint is UnixDomainSocketEndPoint)
                    {
                        // Bound but not yet listening: nobody can have connected before the mode is right.
                        File.SetUnixFileMode(endpoint.ToString()!, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                    }

                    return socket;
                }
                catch (SocketException exception)
                {
                    throw explain(exception);
                }
            };
        });

    private static bool Same(EndPoint one, EndPoint other) => (one, other) switch
    {
        (UnixDomainSocketEndPoint, UnixDomainSocketEndPoint) => one.ToString() == other.ToString(),
        _ => one.Equals(other),
    };

    private static ListenException Explain(SocketException exception, MemberConfig member, string key, IPEndPoint endpoint)
    {
        var (why, remedy) = exception.SocketErrorCode switch
        {
            SocketError.AddressAlreadyInUse => ("another process uses the port", $"See which with `ss -ltnp 'sport = :{endpoint.Port}'`, stop it, or choose another {key}."),
            SocketError.AccessDenied => ("this user may not", $"Ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose a higher {key}."),
            SocketError.AddressNotAvailable => ("the address is not one of this machine", "Correct `address` or `listen`, or bring the interface up."),
            _ => (exception.Message, "Check the address and the port."),
        };
        return new ListenException($"{member.Name} cannot listen on {endpoint} ({key}): {why}.", remedy);
    }

    private static void RemoveStale(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            if (!Path.Exists(path))
            {
                return;
            }

            if (LocalChannel.Answers(path))
            {
                throw new ListenException($"Another mirror process already runs with state {Path.GetDirectoryName(path)}: its control socket answers.", "Stop it first, or give this one another `state`.");
            }

            // A socket has no bytes and is no link; whatever else lies there was put there by somebody.
            if (new FileInfo(path) is not { Exists: true, Length: 0, LinkTarget: null })
            {
                throw new ListenException($"{path} is in the way: it is no socket, so Mirror did not make it.", "Move it away.");
            }

            File.Delete(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ListenException($"The control socket {path} cannot be made: {exception.Message}", "Check the owner and mode of the state directory.");
        }
    }
}

/// <summary>A place that cannot be listened on: which, why, and what to do.</summary>
public sealed class ListenException(string what, string remedy) : Exception($"{what} {remedy}")
{
    public string What { get; } = what;

    public string Remedy { get; } = remedy;
}
