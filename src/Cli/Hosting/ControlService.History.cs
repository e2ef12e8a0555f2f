using Grpc.Core;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Mirror.Primary.Publish;
using Mirror.Store.Retention;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

// What changes how much of the history this node keeps.
internal sealed partial class ControlService
{
    public override async Task Forget(ForgetRequest request, IServerStreamWriter<ForgetProgress> responseStream, ServerCallContext context)
    {
        RequireAdministrator(context);
        var store = StoreOf(request.Site);
        var policy = request.Versions.Count > 0 ? null
            : SiteRetention.PolicyOf(config.Sites[request.Site])
                ?? throw new RpcException(new Status(StatusCode.FailedPrecondition, $"The configuration of {member.Name} has no retention for {request.Site}: name the versions that are to go, or add a policy."));
        var latest = new LatestProgress();
        var working = policy is null
            ? store.ForgetAsync([.. request.Versions.Select(ToId)], request.DryRun, latest, context.CancellationToken)
            : store.ApplyRetentionAsync(policy, SiteRetention.Recent, request.DryRun, latest, context.CancellationToken);
        while (!working.IsCompleted)
        {
            await Task.WhenAny(working, Task.Delay(TimeSpan.FromMilliseconds(200), time, CancellationToken.None));
            if (!working.IsCompleted && !context.CancellationToken.IsCancellationRequested && latest.Take() is { } now)
            {
                await responseStream.WriteAsync(new ForgetProgress { Step = now.Step, Done = (ulong)now.Done, Total = (ulong)now.Total });
            }
        }

        await responseStream.WriteAsync(new ForgetProgress { Outcome = ToWire(await working) });
    }

    public override async Task<ProtectReply> Protect(ProtectRequest request, ServerCallContext context)
    {
        RequireAdministrator(context);
        var store = StoreOf(request.Site);
        var id = ToId(request.Version);
        if (!request.DryRun)
        {
            await (request.Lift ? store.UnprotectAsync(id, context.CancellationToken) : store.ProtectAsync(id, request.Reason, context.CancellationToken));
        }

        var kept = store.Versions.FirstOrDefault(version => version.Record.Id == id)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"{member.Name} keeps no version {id} of {request.Site}; `mirror versions` lists what it keeps."));
        return new ProtectReply { Version = VersionSummaries.Of(kept) };
    }

    public override Task MakeKeyFrame(KeyFrameRequest request, IServerStreamWriter<Progress> responseStream, ServerCallContext context)
    {
        RequireAdministrator(context);
        return ReportAsync(responseStream, context, async (progress, cancellation) =>
        {
            var store = StoreOf(request.Site);
            var id = request.Version is null ? store.Head?.Id ?? default : ToId(request.Version);
            var kept = store.Versions.FirstOrDefault(version => version.Record.Id == id)
                ?? throw new StoreException($"{member.Name} keeps no version {id} of {request.Site}; `mirror versions` lists what it keeps.");
            var made = request.DryRun ? null : await store.MakeKeyFrameAsync(id, progress, cancellation);
            return new Progress { Step = "key frame", Finished = true, Ok = made is not null || kept.Restorable, Done = (ulong)(made?.Bytes ?? 0), Version = VersionSummaries.Of(kept) };
        });
    }

    // A node takes orders from the cluster, and a primary that was stolen has a node's certificate: it can add versions here and take none away.
    private static void RequireAdministrator(ServerCallContext context)
    {
        var caller = Callers.CallerOf(context);
        if (!caller.IsLocal && caller.Kind != "admin")
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, $"{caller.Name} is a {caller.Kind}; what this node keeps is for an admin, or its own control socket, to say."));
        }
    }

    private static ForgetOutcome ToWire(RetentionReport report)
    {
        var outcome = new ForgetOutcome { BytesBefore = (ulong)report.BytesBefore, BytesAfter = (ulong)report.BytesAfter };
        outcome.Lines.AddRange(report.Lines.Select(line => new ForgetLine { Id = ToWire(line.Id), ReceivedUnixMs = line.Received.ToUnixTimeMilliseconds(), Kept = line.Kept, Reason = line.Reason }));
        outcome.Notices.AddRange(report.Notices);
        return outcome;
    }
}
