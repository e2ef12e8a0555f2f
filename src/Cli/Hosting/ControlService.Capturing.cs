using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Primary;
using Mirror.Primary.Publish;

namespace Mirror.Cli.Hosting;

// A version now, and the certainty that others hold it; and how capturing goes.
internal sealed partial class ControlService
{
    private static readonly TimeSpan primaryWithin = TimeSpan.FromSeconds(1);

    public override async Task<ClusterStatus> GetStatus(StatusRequest request, ServerCallContext context)
    {
        var snapshot = catalogue.Current;
        var status = StatusReport.Of(config, member.Name, snapshot, time.GetUtcNow(), agreement.Differing);
        foreach (var site in status.Sites)
        {
            site.Capture = sites.Find(site.Site)?.Reign is { } reign ? CaptureText.Of(reign.Role.Status, time.GetUtcNow()) : null;
        }

        if (!request.OnlyHere)
        {
            // How capturing goes changes all the time, so it is not gossip: who captures is asked.
            var elsewhere = status.Sites.Where(site => site.Capture is null && site.Primary != member.Name && Reachable(snapshot, site.Primary)).GroupBy(site => site.Primary);
            await Task.WhenAll(elsewhere.Select(sites => AskAsync(sites.Key, [.. sites], context.CancellationToken)));
        }

        return status;
    }

    // A primary that does not answer is no reason to show nothing.
    private async Task AskAsync(string primary, IReadOnlyList<SiteState> about, CancellationToken cancellation)
    {
        try
        {
            var said = await new Control.ControlClient(peers.To(primary)).GetStatusAsync(
                new StatusRequest { OnlyHere = true }, deadline: (time.GetUtcNow() + primaryWithin).UtcDateTime, cancellationToken: cancellation);
            foreach (var site in about)
            {
                site.Capture = said.Sites.FirstOrDefault(other => other.Site == site.Site)?.Capture;
            }
        }
        catch (RpcException failure) when (failure.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded or StatusCode.PermissionDenied)
        {
            // The status says of every member whether it can be reached.
        }
    }

    public override async Task<CaptureReply> Capture(CaptureRequest request, ServerCallContext context)
    {
        RequireOperator(context);
        if (sites.Find(request.Site)?.Reign is not { } reign)
        {
            return await PrimaryOf(request.Site).CaptureAsync(request, cancellationToken: context.CancellationToken);
        }

        var role = reign.Role;
        var goal = request.Goal is { } asked ? GoalOf(asked) : null;
        if (goal is not null && role.Unreachable(goal) is { } why)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, why));
        }

        var captured = request.Everything || request.AllowMassDelete
            ? await role.CaptureNowAsync(request.AllowMassDelete, context.CancellationToken)
            : await role.BarrierAsync(allowMassDelete: false, context.CancellationToken);
        var reply = new CaptureReply
        {
            Version = VersionSummaries.Of(captured.Newest, true, ""),
            Changed = captured.Made is not null,
            CaptureMs = captured.Took.TotalMilliseconds,
            Copies = 1,
            Reached = true,
            Everything = captured.Everything,
        };
        var limit = TimeSpan.FromMilliseconds(request.TimeoutMs);
        if (goal is not null)
        {
            Add(reply, await role.WaitForCopiesAsync(captured.Newest.Id, goal, limit, context.CancellationToken));
        }
        else if (request.WaitCopies > 0)
        {
            reply.Copies = await CopiesAsync(role, captured, request.WaitCopies, limit, context.CancellationToken);
        }

        return reply;
    }

    private async Task<uint> CopiesAsync(PrimaryRole role, CaptureOutcome captured, uint copies, TimeSpan within, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(within, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            return (uint)await role.WaitForCopiesAsync(captured.Newest.Id, (int)copies, either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new RpcException(new Status(
                StatusCode.Aborted, $"The version was captured, but fewer than {copies} nodes held it within {within.TotalMilliseconds} ms. `mirror status` shows who lags."));
        }
    }

    private static void Add(CaptureReply reply, CopiesWaited waited)
    {
        reply.Reached = waited.Reached;
        reply.WaitedMs = waited.Took.TotalMilliseconds;
        reply.Copies = 1 + (uint)waited.Replicas.Count(replica => replica.After is not null);
        foreach (var replica in waited.Replicas)
        {
            var line = new Node.Wire.WaitedReplica { Node = replica.Node };
            if (replica.Holding is { } holding)
            {
                (line.Stored, line.Verified, line.Warm) = (ToWire(holding.Stored), ToWire(holding.Verified), ToWire(holding.Warm));
            }

            if (replica.After is { } after)
            {
                line.AfterMs = after.TotalMilliseconds;
            }

            reply.Replicas.Add(line);
        }
    }

    private static Primary.CopiesGoal GoalOf(Node.Wire.CopiesGoal asked) => asked.Stage switch
    {
        Node.Wire.CopiesGoal.Types.Stage.Stored => new(HoldingStage.Stored, Count(asked)),
        Node.Wire.CopiesGoal.Types.Stage.Verified => new(HoldingStage.Verified, Count(asked)),
        Node.Wire.CopiesGoal.Types.Stage.Warm => new(HoldingStage.Warm, Count(asked)),
        Node.Wire.CopiesGoal.Types.Stage.Consistent => new(HoldingStage.Consistent, 0),
        var unknown => throw new RpcException(new Status(
            StatusCode.InvalidArgument, $"The primary knows no stage {(int)unknown} to wait for; the caller may be of a later version. Ask for stored, verified, warm or consistent.")),
    };

    private static int Count(Node.Wire.CopiesGoal asked) => asked.Replicas is >= 1 and <= int.MaxValue
        ? (int)asked.Replicas
        : throw new RpcException(new Status(StatusCode.InvalidArgument, $"A goal names at least one replica; this one asks for {asked.Replicas}."));
}
