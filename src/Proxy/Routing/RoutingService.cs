using Grpc.Core;
using Mirror.Proxy.Holding;
using Wire = Mirror.Node.Wire;

namespace Mirror.Proxy.Routing;

/// <summary>What the primary asks during a planned switchover, on the cluster's own port (mTLS): stop sending, and go on.</summary>
public sealed class RoutingService : Wire.Routing.RoutingBase
{
    // A primary that dies in a switchover must not leave its site closed for longer than users wait.
    private static readonly TimeSpan LongestHold = TimeSpan.FromMinutes(5);
    private readonly RouteTable _routes;

    internal RoutingService(RouteTable routes) => _routes = routes;

    public override async Task<Wire.HoldReply> Hold(Wire.HoldRequest request, ServerCallContext context)
    {
        var gate = GateOf(request.Site);
        var duration = TimeSpan.FromMilliseconds(request.DeadlineMs);
        if (duration <= TimeSpan.Zero || duration > LongestHold)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument,
                $"A hold of {request.DeadlineMs} ms was asked for site '{request.Site}'; give 1 to {LongestHold.TotalMilliseconds} ms."));
        }

        var drain = TimeSpan.FromMilliseconds(Math.Min(request.DrainMs, request.DeadlineMs));
        _routes.Keep(request.Site, request.Epoch);
        var report = await gate.HoldAsync(request.Epoch, duration, drain, context.CancellationToken)
            ?? throw Outdated(request.Site, request.Epoch, gate);
        return new Wire.HoldReply { Drained = report.Drained, InFlight = (uint)report.InFlight, Held = (uint)report.Held };
    }

    public override Task<Wire.ReleaseReply> Release(Wire.ReleaseRequest request, ServerCallContext context)
    {
        var gate = GateOf(request.Site);
        var released = gate.Release(request.Epoch) ?? throw Outdated(request.Site, request.Epoch, gate);
        return Task.FromResult(new Wire.ReleaseReply { Released = (uint)released });
    }

    private SiteGate GateOf(string site) => _routes.Find(site)
        ?? throw new RpcException(new Status(StatusCode.NotFound, $"This proxy has no site '{site}'. Give all members the same mirror.yaml."));

    private static RpcException Outdated(string site, ulong epoch, SiteGate gate) => new(new Status(StatusCode.FailedPrecondition,
        $"Epoch {epoch} of site '{site}' is over: this proxy has seen epoch {gate.Status().HighestEpoch}."));
}
