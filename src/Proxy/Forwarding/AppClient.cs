using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Yarp.ReverseProxy.Forwarder;

namespace Mirror.Proxy.Forwarding;

/// <summary>Nothing could be reached at an app's address, so nothing was sent there.</summary>
internal sealed class AppUnreachableException(string message, Exception? inner) : IOException(message, inner);

/// <summary>
/// The HTTP client towards apps. It answers the one question that retrying hangs on: can the app have seen this request?
/// Connecting is done here, so a failure to connect has a type of its own, and request bodies are watched, so that it is known
/// whether sending began. A write without a body gets an empty one: <see cref="SocketsHttpHandler"/> repeats a bodiless request
/// by itself when a kept connection dies under it, and a write must not be repeated behind our back.
/// </summary>
internal sealed class AppClient(TimeProvider time) : HttpMessageInvoker(NewHandler(time), disposeHandler: true)
{
    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(2);

    // Shorter than the keep-alive of common servers (5 s), so that a write rarely meets a connection being closed.
    private static readonly TimeSpan KeepIdleFor = TimeSpan.FromSeconds(2);

    public override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Options.TryGetValue(Attempt.Key, out var attempt))
        {
            if (request.Content is not null || !attempt.Errand.Idempotent)
            {
                request.Content = new WatchedContent(request.Content, attempt);
            }
            else
            {
                attempt.Sent = true;
            }
        }

        return base.SendAsync(request, cancellationToken);
    }

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
        ActivityHeadersPropagator = new ReverseProxyPropagator(System.Diagnostics.DistributedContextPropagator.Current),
        PooledConnectionIdleTimeout = KeepIdleFor,
        ConnectCallback = async (target, cancellation) =>
            new NetworkStream(await ConnectAsync(target.DnsEndPoint.Host, target.DnsEndPoint.Port, time, cancellation), ownsSocket: true),
    };

    /// <summary>Passes a body through and notes that sending began.</summary>
    private sealed class WatchedContent : HttpContent
    {
        private readonly HttpContent? _body;
        private readonly Attempt _attempt;

        // Kept apart: asking the header collection for a length it was not given asks this content, which would ask again.
        private readonly long? _length;

        public WatchedContent(HttpContent? body, Attempt attempt)
        {
            _body = body;
            _attempt = attempt;
            if (body is null)
            {
                _length = 0;
                Headers.ContentLength = 0;
                return;
            }

            foreach (var header in body.Headers.NonValidated)
            {
                Headers.TryAddWithoutValidation(header.Key, header.Value);
                if (header.Key.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)
                    && long.TryParse(header.Value.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var length))
                {
                    _length = length;
                }
            }
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            _attempt.Sent = true;
            return _body?.CopyToAsync(stream, context, cancellationToken) ?? Task.CompletedTask;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _length ?? 0;
            return _length is not null;
        }
    }
}
