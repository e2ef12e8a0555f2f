using Grpc.Core;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Proxy.Holding;
using Wire = Mirror.Node.Wire;

namespace Mirror.Proxy.Routing;

/// <summary>What the primary asks during a planned switchover, on the cluster's own port (mTLS): stop sending, and go on. Only nodes of the site may ask.</summary>
public sealed class RoutingService : Wire.Routing.RoutingBase
{
    // A primary that dies in a switchover must not leave its site closed for longer than users wait.
    private static readonly TimeSpan LongestHold = TimeSpan.FromMinutes(5);
    private readonly MirrorConfig _config;
    private readonly RouteTable _routes;

    internal RoutingService(MirrorConfig config, RouteTable routes)
    {
        _config = config;
        _routes = routes;
    }

    public override async Task<Wire.HoldReply> Hold(Wire.HoldRequest request, ServerCallContext context)
    {
        var gate = GateFor(request.Site, context);
        var duration = TimeSpan.FromMilliseconds(request.DeadlineMs);
        if (duration <= TimeSpan.Zero || duration > LongestHold)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument,
                $"A hold of {request.DeadlineMs} ms was asked for site '{request.Site}'; give 1 to {LongestHold.TotalMilliseconds} ms."));
        }

        var drain = TimeSpan.FromMilliseconds(Math.Min(request.DrainMs, request.DeadlineMs));
        var report = await gate.HoldAsync(request.Epoch, duration, drain, context.CancellationToken)
            ?? throw Outdated(request.Site, request.Epoch, gate);
        return new Wire.HoldReply { Drained = report.Drained, InFlight = (uint)report.InFlight, Held = (uint)report.Held };
    }

    public override Task<Wire.ReleaseReply> Release(Wire.ReleaseRequest request, ServerCallContext context)
    {
        var gate = GateFor(request.Site, context);
        var released = gate.Release(request.Epoch) ?? throw Outdated(request.Site, request.Epoch, gate);
        return Task.FromResult(new Wire.ReleaseReply { Released = (uint)released });
    }

    private SiteGate GateFor(string site, ServerCallContext context)
    {
        var gate = _routes.Find(site)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"This proxy has no site '{site}'. Give all members the same mirror.yaml."));
        var certificate = context.GetHttpContext().Connection.ClientCertificate;
        var caller = certificate is null ? null : MemberIdentity.NameOf(certificate);
        if (caller is null || !_config.Sites[site].Nodes.Contains(caller))
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, $"'{caller ?? "a caller without a name"}' is no node of site '{site}', and only those may hold its requests."));
        }

        return gate;
    }

    private static RpcException Outdated(string site, ulong epoch, SiteGate gate) => new(new Status(StatusCode.FailedPrecondition,
        $"Epoch {epoch} of site '{site}' is over: this proxy has seen epoch {gate.Status().HighestEpoch}."));
}
