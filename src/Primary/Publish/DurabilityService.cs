using Grpc.Core;
using Mirror.Leadership.Voting;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Mirror.Primary.Capture;

namespace Mirror.Primary.Publish;

/// <summary>Where a proxy waits with the answer to a change. Many who wait at once share one capture.</summary>
public sealed class DurabilityService(MirrorConfig config, ServedSites sites, IEpochGate epochs) : Durability.DurabilityBase
{
    // A caller that is to wait longer is told so by its own deadline.
    private static readonly TimeSpan longest = TimeSpan.FromMinutes(5);

    public override async Task<SettleReply> Settle(SettleRequest request, ServerCallContext context)
    {
        var caller = Callers.CallerOf(context);
        if (!config.Sites.ContainsKey(request.Site) || !caller.IsLocal && config.Members.GetValueOrDefault(caller.Name!)?.Kind is not (MemberKind.Proxy or MemberKind.Node))
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, $"'{caller.Name}' may not wait for changes of the site '{request.Site}': only proxies and nodes of the cluster may."));
        }

        var within = TimeSpan.FromMilliseconds(request.WithinMs);
        if (within <= TimeSpan.Zero || within > longest)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"Waiting for {request.WithinMs} ms was asked for; give 1 to {longest.TotalMilliseconds} ms."));
        }

        if (sites.PrimaryOf(request.Site) is not { } role || role.Epoch != request.Epoch)
        {
            // Users are let in before the role is entered, and a reign that has ended is known to be over: in between, ask again.
            var isOver = epochs.Highest(request.Site) > request.Epoch;
            throw new RpcException(new Status(
                isOver ? StatusCode.FailedPrecondition : StatusCode.Unavailable, $"This node {(isOver ? "is not" : "does not act as")} the primary of {request.Site} in epoch {request.Epoch}{(isOver ? "" : " yet")}."));
        }

        try
        {
            return new SettleReply { Settled = await role.SettleAsync(within, context.CancellationToken) };
        }
        catch (CaptureException failure)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, failure.Message));
        }
        catch (OperationCanceledException) when (!context.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, $"Epoch {request.Epoch} of {request.Site} has ended here."));
        }
    }
}
