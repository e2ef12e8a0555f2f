using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// What changes between client and app: nothing but the forwarded headers. Host and path stay as the client wrote them.
/// Users reach this proxy directly, so forwarded headers they send themselves are replaced, not believed.
/// </summary>
internal sealed class AppTransformer(Attempt attempt, TimeProvider time) : HttpTransformer
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
        Replace(proxyRequest, "X-Forwarded-For", AddressOf(httpContext.Connection.RemoteIpAddress));
        Replace(proxyRequest, "X-Forwarded-Proto", request.Scheme);
        Replace(proxyRequest, "X-Forwarded-Host", request.Host.Value);
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        var early = proxyResponse is not null && attempt.Errand.Repeatable ? await EarlyBody.FetchAsync(proxyResponse, time, cancellationToken) : null;
        var copies = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        foreach (var (name, value) in attempt.ResponseHeaders)
        {
            httpContext.Response.Headers[name] = value;
        }

        if (early is null || !copies)
        {
            return copies;
        }

        // All of it is here: it goes out with the headers, and there is nothing left to copy.
        using (early)
        {
            httpContext.Response.BodyWriter.Write(early.Bytes);
            return false;
        }
    }

    // A socket that takes both families shows IPv4 clients as ::ffff:1.2.3.4.
    private static string? AddressOf(IPAddress? client) => client is { IsIPv4MappedToIPv6: true } ? client.MapToIPv4().ToString() : client?.ToString();

    private static void Replace(HttpRequestMessage request, string name, string? value)
    {
        request.Headers.Remove(name);
        if (!string.IsNullOrEmpty(value))
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
