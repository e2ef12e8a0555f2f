using Microsoft.AspNetCore.Http;
using Mirror.Proxy.Durability;
using Mirror.Proxy.Listening;
using Yarp.ReverseProxy.Forwarder;

namespace Mirror.Proxy.Forwarding;

internal enum Outcome
{
    /// <summary>The client has its answer, whole or broken off, or is gone. Nothing more can be done.</summary>
    Over,

    /// <summary>Nothing answers at the address; nothing was sent.</summary>
    Unreachable,

    /// <summary>Lost before any of it was sent.</summary>
    NotSent,

    /// <summary>Lost after it was sent: the app may have executed it. The client has seen nothing yet.</summary>
    Lost,

    /// <summary>The app kept the connection and was silent for longer than any answer may take.</summary>
    TooSlow,

    /// <summary>The app has answered, and other nodes did not have what it did in time. The client has seen nothing yet.</summary>
    NotSettled,
}

/// <summary>
/// Sends one attempt with YARP's forwarder and says what became of it.
/// The forwarder is used directly, without YARP's routes and clusters: a held request needs its destination looked up anew for each
/// attempt, and there must be no load balancing behind our back that could pick a fenced primary.
/// </summary>
internal sealed class AppSender(IHttpForwarder forwarder, AppClient client, TrustedProxies trusted, WrittenCookie written, TimeSpan answerWithin, TimeProvider time)
{
    private readonly ForwarderRequestConfig _plain = Settings(System.Net.HttpVersion.Version11, answerWithin);

    // gRPC is HTTP/2 all the way; without TLS both sides have to know.
    private readonly ForwarderRequestConfig _grpc = Settings(System.Net.HttpVersion.Version20, answerWithin);

    public async Task<Outcome> SendAsync(
        HttpContext context, Errand errand, Uri app, KeyValuePair<string, string>[] responseHeaders, CancellationToken cut, Seal? seal = null)
    {
        errand.Prepare();
        using var attempt = new Attempt(client, errand, responseHeaders) { Seal = seal };
        var error = await forwarder.SendAsync(context, app.ToString(), attempt, IsGrpc(context.Request) ? _grpc : _plain, new AppTransformer(attempt, trusted, written, time), cut);
        if (error == ForwarderError.None || context.RequestAborted.IsCancellationRequested || context.Response.HasStarted)
        {
            return Outcome.Over;
        }

        if (error == ForwarderError.RequestBodyClient && !cut.IsCancellationRequested)
        {
            // The client's own fault, such as a body that breaks off; the forwarder has set a fitting status.
            return Outcome.Over;
        }

        context.Response.Clear();
        var exception = context.Features.Get<IForwarderErrorFeature>()?.Exception;
        context.Features.Set<IForwarderErrorFeature>(null);
        if (IsUnreachable(exception))
        {
            return Outcome.Unreachable;
        }

        if (seal is { IsBroken: true })
        {
            return Outcome.NotSettled;
        }

        if (!attempt.Sent)
        {
            return Outcome.NotSent;
        }

        return error == ForwarderError.RequestTimedOut ? Outcome.TooSlow : Outcome.Lost;
    }

    private static bool IsGrpc(HttpRequest request) =>
        HttpProtocol.IsHttp2(request.Protocol) && request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    // Silence is bounded, not duration: a stream may live for days.
    private static ForwarderRequestConfig Settings(Version version, TimeSpan silence) =>
        new() { ActivityTimeout = silence, Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

    private static bool IsUnreachable(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is AppUnreachableException)
            {
                return true;
            }
        }

        return false;
    }
}
