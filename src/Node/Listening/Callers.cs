using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Http;
using Mirror.Node.Identity;

namespace Mirror.Node.Listening;

/// <summary>Who calls. What a listener let in is either a member (or administrator) with a certificate, or somebody on this machine through the control socket.</summary>
/// <param name="Name">CN of the certificate; null through the control socket.</param>
/// <param name="Kind">node, proxy, witness, admin; or <c>local</c>.</param>
public sealed record Caller(string? Name, string Kind)
{
    public bool IsLocal => Name is null;
}

public static class Callers
{
    /// <exception cref="RpcException">PERMISSION_DENIED: the call came neither with a certificate nor through the control socket.</exception>
    public static Caller CallerOf(ServerCallContext context) => CallerOf(context.GetHttpContext())
        ?? throw new RpcException(new Status(StatusCode.PermissionDenied, "This service is for members of the cluster, by their certificate, and for the control socket of this machine."));

    /// <summary>Name in the caller's certificate; null for the local control socket.</summary>
    /// <exception cref="RpcException">PERMISSION_DENIED: neither.</exception>
    public static string? PeerName(ServerCallContext context) => CallerOf(context).Name;

    /// <summary>Null for a stranger, such as a reader on a proxy's public port.</summary>
    public static Caller? CallerOf(HttpContext context)
    {
        if (context.Connection.ClientCertificate is { } certificate)
        {
            return (MemberIdentity.NameOf(certificate), MemberIdentity.KindOf(certificate)) is ({ } name, { } kind) ? new Caller(name, kind) : null;
        }

        return context.Features.Get<ControlConnection>() is not null ? new Caller(null, "local") : null;
    }
}

/// <summary>Mark of a connection that came in by the control socket; only its listener sets it.</summary>
internal sealed class ControlConnection;

/// <summary>Refuses every gRPC call of a stranger, whichever port it found: a proxy serves the public and its peers from one process.</summary>
public sealed class OnlyCallersInterceptor : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        Callers.CallerOf(context);
        return continuation(request, context);
    }

    public override Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Callers.CallerOf(context);
        return continuation(requestStream, context);
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Callers.CallerOf(context);
        return continuation(request, responseStream, context);
    }

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        Callers.CallerOf(context);
        return continuation(requestStream, responseStream, context);
    }
}
