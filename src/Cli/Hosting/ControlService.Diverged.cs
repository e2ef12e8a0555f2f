using Grpc.Core;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Mirror.Primary.Publish;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

// Branches that diverged. Each node has its own: nobody else ever saw what is in them.
internal sealed partial class ControlService
{
    public override async Task<DivergedReply> ListDiverged(DivergedRequest request, ServerCallContext context)
    {
        if (!config.Sites.TryGetValue(request.Site, out var site))
        {
            throw new RpcException(new Status(StatusCode.NotFound, $"There is no site {request.Site} in the configuration."));
        }

        var reply = new DivergedReply();
        if (sites.Find(site.Name)?.Context.Store is { } store)
        {
            reply.Branches.AddRange(await Task.Run(() => store.Divergences.Select(branch => Describe(store, branch)).ToList(), context.CancellationToken));
        }

        if (request.OnlyHere)
        {
            return reply;
        }

        foreach (var other in await Task.WhenAll(site.Nodes.Where(node => node != member.Name).Select(AskAsync)))
        {
            reply.MergeFrom(other);
        }

        return reply;

        async Task<DivergedReply> AskAsync(string node)
        {
            try
            {
                var asked = new DivergedRequest { Site = site.Name, OnlyHere = true };
                return await new Control.ControlClient(peers.To(node)).ListDivergedAsync(asked, deadline: (time.GetUtcNow() + answerWithin).UtcDateTime, cancellationToken: context.CancellationToken);
            }
            catch (RpcException) when (!context.CancellationToken.IsCancellationRequested)
            {
                var silent = new DivergedReply();
                silent.Silent.Add(node);
                return silent;
            }
        }
    }

    public override async Task ShowDiverged(ShowDivergedRequest request, IServerStreamWriter<DivergedLine> responseStream, ServerCallContext context)
    {
        var report = await StoreOf(request.Site).ReadAsync(store => store.CompareDivergence(ToId(request.Label)), context.CancellationToken);
        await responseStream.WriteAsync(new DivergedLine { Branch = Describe(report), Present = ToWire(report.Present) }, context.CancellationToken);
        foreach (var path in report.Paths)
        {
            var now = path.Now switch { PresentState.Same => "same", PresentState.AsBefore => "untouched", PresentState.Changed => "changed", _ => "" };
            await responseStream.WriteAsync(new DivergedLine { Path = new DivergedPathLine { Change = HistoryAnswers.Of(path.Change), Now = now } }, context.CancellationToken);
        }
    }

    public override async Task<DropDivergedReply> DropDiverged(DropDivergedRequest request, ServerCallContext context)
    {
        RequireAdministrator(context);
        var store = StoreOf(request.Site);
        var plan = await store.GiveUpAsync(ToId(request.Label), request.Reason, dryRun: true, null, context.CancellationToken);
        var described = await Task.Run(() => Describe(store, plan.Branch), context.CancellationToken);
        if (!request.DryRun)
        {
            // Said before it is done: what is gone without a word of who wanted it is worse than a word too many.
            var caller = Callers.CallerOf(context);
            var by = caller.IsLocal ? $"{(request.By.Length > 0 ? request.By : "somebody")} on {member.Name}" : caller.Name!;
            sites.Find(request.Site)!.Context.Status.Note($"{by} gives up the diverged branch {plan.Branch.Label} ({DivergedText(described)}): {request.Reason.Trim()}");
            plan = await store.GiveUpAsync(plan.Branch.Label, request.Reason, dryRun: false, null, context.CancellationToken);
        }

        var reply = new DropDivergedReply { Branch = described, BytesBefore = (ulong)plan.BytesBefore, BytesAfter = (ulong)plan.BytesAfter };
        reply.Stay.AddRange(plan.Stay.OrderBy(pair => pair.Key).Select(pair => new ForgetLine { Id = ToWire(pair.Key), Kept = true, Reason = pair.Value }));
        return reply;
    }

    private DivergedBranch Describe(VersionStore store, Divergence branch)
    {
        try
        {
            return Describe(store.CompareDivergence(branch.Label));
        }
        catch (StoreException unreadable)
        {
            // That it is there, and whose it is, can be told all the same.
            var described = Record(branch);
            described.Fault = unreadable.Message;
            return described;
        }
    }

    private DivergedBranch Describe(DivergenceReport report)
    {
        var branch = Record(report.Branch);
        branch.Changes = HistoryAnswers.Counts(report.Branch.Left, [.. report.Paths.Select(path => path.Change)]);
        branch.Bytes = (ulong)report.Paths.Sum(path => path.Change is { Kind: not PathChangeKind.Metadata, After: { HardlinkOf: null } after } ? after.Size : 0);
        branch.OnlyHere = (ulong)report.Paths.Count(path => path.Now is not PresentState.Same);
        return branch;
    }

    private DivergedBranch Record(Divergence branch)
    {
        var described = new DivergedBranch
        {
            Node = member.Name, Label = ToWire(branch.Label), Left = ToWire(branch.Left), KeptUnixMs = branch.Kept.ToUnixTimeMilliseconds(), Note = branch.Note, GivenUp = branch.IsGivenUp,
            PackBytes = (ulong)branch.PackBytes,
        };
        described.Versions.AddRange(branch.Versions.Select(version => VersionSummaries.Of(version, restorable: true, branch.Note)));
        return described;
    }

    private static string DivergedText(DivergedBranch branch) =>
        $"{branch.Versions.Count} version(s) of {branch.Versions[0].Origin}, {(branch.Changes is { } changes ? $"{changes.Added + changes.Removed + changes.Moved + changes.Changed + changes.Metadata} path(s)" : "of unknown content")}";
}
