using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Mirror.Proxy.Listening;
using Yarp.ReverseProxy.Forwarder;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// What changes between client and app: nothing but the forwarded headers. Host and path stay as the client wrote them.
/// Forwarded headers are replaced, not believed, unless a trusted proxy sent them.
/// </summary>
internal sealed class AppTransformer(Attempt attempt, TrustedProxies trusted, WrittenCookie written, TimeProvider time) : HttpTransformer
{
    private static readonly UriCreationOptions AsWritten = new() { DangerousDisablePathAndQueryCanonicalization = true };

    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);

        // Decoding and encoding again would change names such as "A%2FB".
        if (httpContext.Features.Get<IHttpRequestFeature>()?.RawTarget is ['/', ..] target
            && Uri.TryCreate(destinationPrefix.TrimEnd('/') + target, AsWritten, out var address))
        {
            proxyRequest.RequestUri = address;
        }

        var request = httpContext.Request;
        proxyRequest.Headers.Remove("Forwarded");
        var peer = httpContext.Connection.RemoteIpAddress;
        var believed = trusted.Include(peer);
        Replace(proxyRequest, "X-Forwarded-For", Joined(believed ? request.Headers["X-Forwarded-For"].ToString() : "", TrustedProxies.TextOf(peer)));
        Replace(proxyRequest, "X-Forwarded-Proto", believed && request.Headers["X-Forwarded-Proto"] is [{ Length: > 0 } scheme] ? scheme : request.Scheme);
        Replace(proxyRequest, "X-Forwarded-Host", believed && request.Headers["X-Forwarded-Host"] is [{ Length: > 0 } host] ? host : request.Host.Value);
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        var early = proxyResponse is not null && (attempt.Errand.Repeatable || attempt.Seal is not null) ? await EarlyBody.FetchAsync(proxyResponse, time, cancellationToken) : null;
        // Of what was not done, or did not work, nothing has to last.
        if (attempt.Seal is { } seal && proxyResponse is { StatusCode: < HttpStatusCode.BadRequest } && !await seal.CloseAsync(cancellationToken))
        {
            early?.Dispose();
            throw new TimeoutException("Other nodes did not have what was changed in time.");
        }

        var copies = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        foreach (var (name, value) in attempt.ResponseHeaders)
        {
            httpContext.Response.Headers[name] = value;
        }

        if (attempt.Errand.WrittenDomain is { } domain && httpContext.Response.StatusCode < StatusCodes.Status400BadRequest)
        {
            httpContext.Response.Headers.Append("Set-Cookie", written.After(domain));
        }

        if (early is null || !copies)
        {
            return copies;
        }

        // All of it is here: it goes out with the headers, and there is nothing left to copy.
        using (early)
        {
            httpContext.Response.ContentLength ??= early.Bytes.Length;
            httpContext.Response.BodyWriter.Write(early.Bytes);
            return false;
        }
    }

    private static string Joined(string hops, string peer) => hops.Length == 0 ? peer : $"{hops}, {peer}";

    private static void Replace(HttpRequestMessage request, string name, string? value)
    {
        request.Headers.Remove(name);
        if (!string.IsNullOrEmpty(value))
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
