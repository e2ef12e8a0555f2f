using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;

namespace Mirror.Cli.Hosting;

/// <summary>
/// What a service throws becomes an answer that can be understood, in this one place: a failure that explains itself is passed on in its own words; one that nobody
/// foresaw is logged whole, and the caller learns what it was and where that log is.
/// </summary>
internal sealed partial class FailureInterceptor(MemberConfig member, IHostApplicationLifetime lifetime, ILogger<FailureInterceptor> logger) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception failure) when (failure is not RpcException)
        {
            throw Explained(failure, context);
        }
    }

    public override async Task<TResponse> ClientStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, ServerCallContext context, ClientStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(requestStream, context);
        }
        catch (Exception failure) when (failure is not RpcException)
        {
            throw Explained(failure, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception failure) when (failure is not RpcException)
        {
            throw Explained(failure, context);
        }
    }

    public override async Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        DuplexStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(requestStream, responseStream, context);
        }
        catch (Exception failure) when (failure is not RpcException)
        {
            throw Explained(failure, context);
        }
    }

    private RpcException Explained(Exception failure, ServerCallContext context)
    {
        var status = StatusOf(failure, context);
        if (status.StatusCode == StatusCode.Internal)
        {
            Log.Unforeseen(logger, context.Method, failure);
        }
        else if (status.StatusCode != StatusCode.Cancelled)
        {
            Log.Refused(logger, context.Method, failure.Message);
        }

        return new RpcException(status);
    }

    private Status StatusOf(Exception failure, ServerCallContext context)
    {
        // A call that its caller gave up, or let time out, ends in many ways, and nobody hears which.
        if (context.CancellationToken.IsCancellationRequested)
        {
            return new Status(StatusCode.Cancelled, "The caller did not wait for the answer.");
        }

        if (failure is OperationCanceledException or ObjectDisposedException && lifetime.ApplicationStopping.IsCancellationRequested)
        {
            return new Status(StatusCode.Unavailable, $"{member.Name} is stopping.");
        }

        if (failure is OperationCanceledException)
        {
            return new Status(
                StatusCode.Aborted, $"{member.Name} gave it up, because its role changed meanwhile. `mirror status` shows who is primary now; then try again.");
        }

        return KnownFailures.Explains(failure)
            ? new Status(StatusCode.FailedPrecondition, failure.Message)
            : new Status(
                StatusCode.Internal,
                $"{member.Name} met a fault that nobody foresaw in {context.Method}: {failure.GetType().Name}: {failure.Message} More is in {LogPlace.Describe()}, under [{Log.UnforeseenId}]; please report it.");
    }

    private static partial class Log
    {
        public const int UnforeseenId = 7090;

        [LoggerMessage(7040, LogLevel.Warning, "{Method} failed: {Reason}")]
        public static partial void Refused(ILogger logger, string method, string reason);

        [LoggerMessage(UnforeseenId, LogLevel.Error, "{Method} met a fault that nobody foresaw", EventName = "UnforeseenInService")]
        public static partial void Unforeseen(ILogger logger, string method, Exception fault);
    }
}
