using System.Collections.Concurrent;
using Google.Protobuf;
using Grpc.Core;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;
using Mirror.Node.Wire;
using Mirror.Primary.Publish;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>The sites this node runs, for whoever asks about them.</summary>
internal sealed class RunningSites
{
    private readonly ConcurrentDictionary<string, SiteRunner> runners = new(StringComparer.Ordinal);

    public void Add(SiteRunner runner) => runners[runner.Context.Site.Name] = runner;

    public SiteRunner? Find(string site) => runners.GetValueOrDefault(site);
}

/// <summary>
/// What the command line asks of a running process. Every member answers about the cluster; what concerns one node's store or the primary is answered by nodes, and
/// passed on to the primary where it has to be.
/// </summary>
internal sealed partial class ControlService(
    MirrorConfig config, MemberConfig member, ICatalogue catalogue, Agreement agreement, Elections elections, PeerChannels peers, RunningSites sites, TimeProvider time)
    : Control.ControlBase
{
    private static readonly TimeSpan usualWait = TimeSpan.FromSeconds(20);

    public override Task<VersionsReply> GetVersions(VersionsRequest request, ServerCallContext context)
    {
        var store = StoreOf(request.Site);
        var reply = new VersionsReply { Current = ToWire(store.Current?.Id ?? default) };
        reply.Versions.AddRange(store.Versions.Select(VersionSummaries.Of));
        return Task.FromResult(reply);
    }

    public override async Task ShowVersion(ShowRequest request, IServerStreamWriter<ShowReply> responseStream, ServerCallContext context)
    {
        var store = StoreOf(request.Site);
        var id = ToId(request.Version);
        var kept = store.Versions.FirstOrDefault(version => version.Record.Id == id)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"{member.Name} keeps no version {id} of {request.Site}; `mirror versions` lists what it keeps."));
        var manifest = await store.ReadAsync(at => at.ManifestOf(id), context.CancellationToken);
        await responseStream.WriteAsync(new ShowReply { Version = VersionSummaries.Of(kept) });
        if (HistoryAnswers.Counts(store, kept.Record) is { } changes)
        {
            await responseStream.WriteAsync(new ShowReply { Changes = changes });
        }

        foreach (var entry in manifest.Entries)
        {
            await responseStream.WriteAsync(new ShowReply { Entry = EntryLines.Of(entry) }, context.CancellationToken);
        }
    }

    public override async Task DiffVersions(DiffRequest request, IServerStreamWriter<ChangeLine> responseStream, ServerCallContext context)
    {
        var changes = await StoreOf(request.Site).ReadAsync(store => HistoryAnswers.Diff(store, ToId(request.From), ToId(request.To)), context.CancellationToken);
        foreach (var line in changes)
        {
            await responseStream.WriteAsync(line, context.CancellationToken);
        }
    }

    public override async Task FindPath(FindRequest request, IServerStreamWriter<ChangeLine> responseStream, ServerCallContext context)
    {
        foreach (var line in HistoryAnswers.Find(StoreOf(request.Site), request.Pattern.Span))
        {
            await responseStream.WriteAsync(line, context.CancellationToken);
        }
    }

    public override async Task ReadContent(ReadContentRequest request, IServerStreamWriter<ContentBytes> responseStream, ServerCallContext context)
    {
        // What is in files is more than what they are called: not for everybody who may ask for a list.
        RequireOperator(context);
        var (store, version, path) = (StoreOf(request.Site), ToId(request.Version), EntryPath.Parse(request.Path.Span));
        await using var answer = new ContentAnswer(responseStream);
        if (sites.Find(request.Site)?.Reign is not { } reign || !await reign.Role.TryCopyLogAsync(version, path, answer, context.CancellationToken))
        {
            await store.CopyContentAsync(version, path, answer, context.CancellationToken);
        }
    }

    public override async Task Promote(PromoteRequest request, IServerStreamWriter<PromoteProgress> responseStream, ServerCallContext context)
    {
        RequireOperator(context);
        var site = config.Sites.GetValueOrDefault(request.Site)
            ?? throw new RpcException(new Status(StatusCode.NotFound, $"There is no site {request.Site} in the configuration."));
        var snapshot = catalogue.Current;
        var primary = snapshot.PrimaryOf(site.Name);
        if (request.AllowDataLoss && string.IsNullOrWhiteSpace(request.Reason))
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, "Whoever gives versions up says why: --reason. Nothing was changed."));
        }

        var plan = PromotionPlan.Of(config, site, snapshot, primary, request.To, request.Epoch);
        var present = snapshot.Of(site.Name).Select(holding => holding.Epoch).DefaultIfEmpty().Max();
        var rules = new PromoteProgress { Step = "rules", Primary = plan.Target, Epoch = present, Stake = plan.Stake };
        rules.Checks.AddRange(plan.Checks);
        await responseStream.WriteAsync(rules);
        var lawful = plan.IsLawful(request);
        if (!lawful || request.DryRun)
        {
            var met = plan.Checks.Where(check => check.Node == plan.Target).All(check => check.Ok) ? "all rules are met" : "what is not met is overruled";
            var verdict = $"{(lawful ? met : "not every rule is met")}; nothing was changed{(lawful ? "" : plan.Remedy(request))}";
            await responseStream.WriteAsync(new PromoteProgress { Step = verdict, Done = true, Ok = lawful, Primary = primary?.Node ?? "", Epoch = present, Stake = plan.Stake });
            return;
        }

        // Whoever has to act does: the primary hands over; without one, the target stands for election.
        var actor = primary is null || !Reachable(snapshot, primary.Node) ? plan.Target : primary.Node;
        if (actor != member.Name)
        {
            using var call = new Control.ControlClient(peers.To(actor)).Promote(
                new PromoteRequest(request) { To = plan.Target }, cancellationToken: context.CancellationToken);
            await foreach (var progress in call.ResponseStream.ReadAllAsync(context.CancellationToken))
            {
                await responseStream.WriteAsync(progress);
            }

            return;
        }

        var runner = sites.Find(site.Name) ?? throw new RpcException(new Status(StatusCode.FailedPrecondition, $"{member.Name} does not run {site.Name}."));
        var epoch = runner.Reign?.Lease.Epoch ?? present;
        runner.Context.Status.Note(Wish(request, plan));
        if (runner.Reign is { } reign)
        {
            var end = await new Handover(runner.Context, reign, plan.Target).RunAsync(
                step => responseStream.WriteAsync(new PromoteProgress { Step = step }), context.CancellationToken);
            if (end.Undone)
            {
                await responseStream.WriteAsync(new PromoteProgress { Step = end.Sentence, Done = true, Ok = false, Primary = member.Name, Epoch = epoch });
                return;
            }

            await responseStream.WriteAsync(new PromoteProgress { Step = end.Sentence });
        }
        else
        {
            runner.StandNow();
            await responseStream.WriteAsync(new PromoteProgress { Step = $"{member.Name} stands for election" });
        }

        await responseStream.WriteAsync(await OutcomeAsync(site.Name, plan.Target, epoch, request.WaitMs == 0 ? usualWait : TimeSpan.FromMilliseconds(request.WaitMs), context.CancellationToken));
    }

    public override Task Restore(RestoreRequest request, IServerStreamWriter<Progress> responseStream, ServerCallContext context) =>
        request.Databases is not null ? ReloadDatabases(request, responseStream, context) : ReportAsync(responseStream, context, async (progress, cancellation) =>
        {
            var store = StoreOf(request.Site);
            var id = ToId(request.Version);
            if (!Path.IsPathFullyQualified(request.Destination))
            {
                throw new StoreException($"The destination {request.Destination} is not an absolute path.");
            }

            var options = HistoryAnswers.Options(request);
            var outcome = request.DryRun
                ? HistoryAnswers.Of(await store.PlanRestoreAsync(id, request.Destination, options, cancellation))
                : HistoryAnswers.Of(await store.RestoreAsync(id, request.Destination, options, progress, cancellation), request.Destination);
            var step = request.DryRun ? $"{id} can be restored to {request.Destination}" : $"{id} is in {request.Destination}";
            return new Progress { Step = step, Finished = true, Ok = true, Version = outcome.Version, Restore = outcome };
        });

    public override Task Verify(VerifyRequest request, IServerStreamWriter<Progress> responseStream, ServerCallContext context) =>
        ReportAsync(responseStream, context, async (progress, cancellation) =>
        {
            var findings = await StoreOf(request.Site).VerifyAsync(request.ReadData, progress, cancellation);
            var last = new Progress { Step = findings.Count == 0 ? "everything checked is in order" : $"{findings.Count} finding(s)", Finished = true, Ok = findings.Count == 0 };
            last.Findings.AddRange(findings.Select(finding => $"{finding.What} {finding.Remedy}"));
            return last;
        });

    // Long work on a store: progress as it comes, and a last message with the outcome.
    private async Task ReportAsync(
        IServerStreamWriter<Progress> responseStream, ServerCallContext context, Func<IProgress<StoreProgress>, CancellationToken, Task<Progress>> work)
    {
        RequireOperator(context);
        var latest = new LatestProgress();
        var working = work(latest, context.CancellationToken);
        while (!working.IsCompleted)
        {
            // Whoever gave the call up has cancelled the work too: its end is waited for either way.
            await Task.WhenAny(working, Task.Delay(TimeSpan.FromMilliseconds(200), time, CancellationToken.None));
            if (!working.IsCompleted && !context.CancellationToken.IsCancellationRequested && latest.Take() is { } now)
            {
                await responseStream.WriteAsync(new Progress { Step = now.Step, Done = (ulong)now.Done, Total = (ulong)now.Total });
            }
        }

        await responseStream.WriteAsync(await working);
    }

    private async Task<PromoteProgress> OutcomeAsync(string site, string target, ulong before, TimeSpan within, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(within, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        var snapshot = catalogue.Current;
        try
        {
            while (true)
            {
                if (snapshot.PrimaryOf(site) is { Role: SiteRole.Primary } now && now.Epoch > before)
                {
                    return new PromoteProgress
                    {
                        Step = $"{now.Node} is primary in epoch {now.Epoch}", Done = true, Ok = now.Node == target, Primary = now.Node, Epoch = now.Epoch,
                    };
                }

                snapshot = await catalogue.ChangedSinceAsync(snapshot, either.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new PromoteProgress { Step = $"the outcome is unknown: no new primary was seen within {within.TotalSeconds:0.#} s; look at `mirror status`", Done = true, Ok = false };
        }
    }

    private static string Wish(PromoteRequest request, PromotionPlan plan)
    {
        var loss = plan.Stake is { } stake ? $", giving up {stake.Versions} version(s) up to {stake.Newest.Epoch}.{stake.Newest.Sequence}" : "";
        return $"{(request.By.Length > 0 ? request.By : "somebody")} promotes {plan.Target}{(request.Force ? " by force" : "")}{loss}{(request.Reason.Length > 0 ? $": {request.Reason}" : "")}";
    }

    private Control.ControlClient PrimaryOf(string site)
    {
        var primary = catalogue.Current.PrimaryOf(site)
            ?? throw new RpcException(new Status(StatusCode.FailedPrecondition, $"The site {site} has no primary at the moment; `mirror status` says why."));
        return primary.Node == member.Name
            ? throw new RpcException(new Status(StatusCode.Unavailable, $"{member.Name} is entering or leaving the role of primary; try again."))
            : new Control.ControlClient(peers.To(primary.Node));
    }

    private VersionStore StoreOf(string site) => sites.Find(site)?.Context.Store
        ?? throw new RpcException(new Status(StatusCode.NotFound, $"{member.Name} does not hold the site {site}; ask one of its nodes with --node."));

    // Proxies face strangers and witnesses hold nothing: neither has a reason to change anything.
    private static void RequireOperator(ServerCallContext context)
    {
        var caller = Callers.CallerOf(context);
        if (!caller.IsLocal && caller.Kind is not ("admin" or "node"))
        {
            throw new RpcException(new Status(StatusCode.PermissionDenied, $"{caller.Name} is a {caller.Kind}; only an admin, a node, or the control socket may ask for this."));
        }
    }

    private static bool Reachable(ClusterSnapshot snapshot, string node) => snapshot.Members.TryGetValue(node, out var found) && found.Reachable;

    private static VersionId ToId(VersionPosition? position) => position is null ? default : new VersionId(position.Epoch, position.Sequence);

    private static VersionPosition ToWire(VersionId id) => new() { Epoch = id.Epoch, Sequence = id.Sequence };

    /// <summary>Keeps only the newest report: the stream asks when it is ready.</summary>
    private sealed class LatestProgress : IProgress<StoreProgress>
    {
        private StoreProgress? latest;

        public void Report(StoreProgress value) => Interlocked.Exchange(ref latest, value);

        public StoreProgress? Take() => Interlocked.Exchange(ref latest, null);
    }
}
