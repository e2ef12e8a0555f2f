using System.Net;
using System.Net.Sockets;

namespace Mirror.Proxy.Forwarding;

/// <summary>Nothing could be reached at an app's address, so nothing was sent there.</summary>
internal sealed class AppUnreachableException(string message, Exception? inner) : IOException(message, inner);

/// <summary>
/// The connections to apps, kept for all requests. Connecting is done here, so a failure to connect has a type of its own: then the app cannot have seen the request.
/// </summary>
internal sealed class AppClient(TimeProvider time) : IDisposable
{
    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(2);

    // Shorter than the keep-alive of common servers (5 s), so that a write rarely meets a connection being closed.
    private static readonly TimeSpan KeepIdleFor = TimeSpan.FromSeconds(2);

    public SocketsHttpHandler Handler { get; } = NewHandler(time);

    public void Dispose() => Handler.Dispose();

    /// <exception cref="AppUnreachableException">Refused, unreachable, or no answer in time.</exception>
    public static async Task<Socket> ConnectAsync(string host, int port, TimeProvider time, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(ConnectWithin, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(new DnsEndPoint(host.Trim('[', ']'), port), either.Token);
            return socket;
        }
        catch (Exception exception)
        {
            socket.Dispose();
            if (exception is SocketException || (late.IsCancellationRequested && !cancellation.IsCancellationRequested))
            {
                throw new AppUnreachableException($"No connection to {host}:{port}: {exception.Message}", exception);
            }

            throw;
        }
    }

    private static SocketsHttpHandler NewHandler(TimeProvider time) => new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,

        // Trace headers pass like all others: this proxy adds no span of its own.
        ActivityHeadersPropagator = null,
        PooledConnectionIdleTimeout = KeepIdleFor,
        ConnectCallback = async (target, cancellation) =>
            new NetworkStream(await ConnectAsync(target.DnsEndPoint.Host, target.DnsEndPoint.Port, time, cancellation), ownsSocket: true),
    };
}
