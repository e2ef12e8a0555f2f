using System.Globalization;
using System.Net;
using Mirror.Proxy.Durability;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// One sending of an errand to one app. It answers the one question that retrying hangs on: can the app have seen this request? Request bodies are watched, so that it is known
/// whether sending began. A write without a body gets an empty one: <see cref="SocketsHttpHandler"/> repeats a bodiless request by itself when a kept connection dies under it,
/// and a write must not be repeated behind our back.
/// </summary>
internal sealed class Attempt(AppClient client, Errand errand, KeyValuePair<string, string>[] responseHeaders) : HttpMessageInvoker(client.Handler, disposeHandler: false)
{
    public Errand Errand => errand;

    /// <summary>Closed before the answer goes out; null where nothing is waited for.</summary>
    public Seal? Seal { get; init; }

    /// <summary>Added to whatever the app answers.</summary>
    public KeyValuePair<string, string>[] ResponseHeaders => responseHeaders;

    /// <summary>Some of the request may have reached the app.</summary>
    public bool Sent { get; private set; }

    public override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is not null || !errand.Idempotent)
        {
            request.Content = new WatchedContent(request.Content, this);
        }
        else
        {
            Sent = true;
        }

        return base.SendAsync(request, cancellationToken);
    }

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
