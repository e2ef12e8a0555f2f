using Grpc.Core;
using Mirror.Leadership.Voting;
using Mirror.Node.Listening;
using Mirror.Node.Wire;

namespace Mirror.Cli.Hosting;

internal sealed partial class ControlService
{
    private const int usualHistory = 50;
    private const uint longestHistory = 10_000;
    private static readonly TimeSpan answerWithin = TimeSpan.FromSeconds(2);

    // Answered by any member: the voters are who has to know.
    public override async Task<FailoverReply> SetFailover(FailoverRequest request, ServerCallContext context)
    {
        RequireOperator(context);
        if (!config.Sites.TryGetValue(request.Site, out var site))
        {
            throw new RpcException(new Status(StatusCode.NotFound, $"There is no site {request.Site} in the configuration."));
        }

        if (elections.OperatorsOf(site.Name) is not { } operators)
        {
            throw new RpcException(new Status(
                StatusCode.FailedPrecondition, $"Consul's lock decides who is primary of {site.Name}, and it remembers no pause. Set `automatic-failover: false` for the site and restart its nodes, or `arbiter: false` to let members vote."));
        }

        var caller = Callers.CallerOf(context);
        var by = caller.IsLocal ? $"{(request.By.Length > 0 ? request.By : "somebody")} on {member.Name}" : caller.Name!;
        var outcome = await operators.SayAsync(request.Paused, by, request.Reason, request.DryRun, context.CancellationToken);
        if (outcome.Order is not null && sites.Find(site.Name) is { } runner)
        {
            runner.Context.Status.Note($"{by} {(request.Paused ? "pauses" : "resumes")} automatic failover{(request.Reason.Length > 0 ? $": {request.Reason}" : "")}");
            await runner.Context.Status.SayAgainAsync(context.CancellationToken);
        }

        var reply = new FailoverReply { Certain = outcome.IsCertain, Number = outcome.Order?.Number ?? 0, Sentence = Sentence(site.Name, request, outcome) };
        reply.Voters.AddRange(outcome.Voters.Select(voter =>
            new ToldVoterLine { Voter = voter.Voter, Told = voter.Accepted, WasPaused = voter.Known?.Paused ?? false, Reason = voter.Reason }));
        return reply;
    }

    public override async Task<HistoryReply> GetHistory(HistoryRequest request, ServerCallContext context)
    {
        if (!config.Sites.TryGetValue(request.Site, out var site))
        {
            throw new RpcException(new Status(StatusCode.NotFound, $"There is no site {request.Site} in the configuration."));
        }

        var most = request.Last == 0 ? usualHistory : (int)Math.Min(request.Last, longestHistory);
        var reply = new HistoryReply();
        var own = sites.Find(site.Name)?.Context.Status.History(most) ?? [];
        if (request.OnlyHere)
        {
            reply.Decisions.AddRange(own);
            return reply;
        }

        var others = await Task.WhenAll(site.Nodes.Where(node => node != member.Name).Select(AskAsync));
        reply.Decisions.AddRange(own.Concat(others.SelectMany(other => other.Decisions)).OrderBy(line => line.UnixMs).TakeLast(most));
        reply.Silent.AddRange(others.SelectMany(other => other.Silent));
        return reply;

        async Task<HistoryReply> AskAsync(string node)
        {
            try
            {
                var asked = new HistoryRequest { Site = site.Name, Last = (uint)most, OnlyHere = true };
                return await new Control.ControlClient(peers.To(node)).GetHistoryAsync(asked, deadline: (time.GetUtcNow() + answerWithin).UtcDateTime, cancellationToken: context.CancellationToken);
            }
            catch (RpcException) when (!context.CancellationToken.IsCancellationRequested)
            {
                var silent = new HistoryReply();
                silent.Silent.Add(node);
                return silent;
            }
        }
    }

    private static string Sentence(string site, FailoverRequest request, OrderOutcome outcome)
    {
        var told = outcome.Voters.Count(voter => voter.Accepted);
        var verb = request.Paused ? "paused" : "resumed";
        return (outcome.Order, outcome.IsCertain) switch
        {
            (null, true) => $"automatic failover of {site} would be {verb}; nothing was changed",
            (null, false) => $"only {told} of {outcome.Voters.Count} voters answer, which is no majority; nothing was changed",
            (_, true) => $"automatic failover of {site} is {verb}: {told} of {outcome.Voters.Count} voters know{(told < outcome.Voters.Count ? ", the others will hear of it from them" : "")}",
            _ => $"the outcome is unknown: only {told} of {outcome.Voters.Count} voters confirmed it, which is no majority; say it again when more of them answer",
        };
    }
}
