using Mirror.Leadership.Core;

namespace Mirror.Leadership.Voting;

/// <summary>What came of an operator's word.</summary>
/// <param name="Order">As it was numbered; null when too few voters answered to number it, and nothing was changed.</param>
/// <param name="IsCertain">A majority has it safe. False with an order: some may have it, and nobody knows.</param>
public sealed record OrderOutcome(FailoverOrder? Order, bool IsCertain, IReadOnlyList<ToldVoter> Voters);

/// <param name="Known">What it knew before; null when it did not answer.</param>
public sealed record ToldVoter(string Voter, bool Accepted, FailoverOrder? Known, string Reason);

/// <summary>
/// Pausing and resuming, said to the voters: without a majority of them nothing moves, so what a majority knows holds. First all are asked for the latest number, then told the next one.
/// Who is not reached hears of it from the others.
/// </summary>
public sealed class Operators
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(2);
    private readonly SiteRules rules;
    private readonly IReadOnlyList<IVoterLink> voters;
    private readonly TimeProvider time;

    internal Operators(SiteRules rules, IReadOnlyList<IVoterLink> voters, TimeProvider time)
    {
        this.rules = rules;
        this.voters = voters;
        this.time = time;
    }

    /// <param name="paused">True: nothing moves by itself from now on. False: it may again, and failovers so far are acknowledged.</param>
    /// <param name="dryRun">Only ask what is known.</param>
    public async Task<OrderOutcome> SayAsync(bool paused, string by, string reason, bool dryRun, CancellationToken cancellation)
    {
        var known = await AllAsync(null, cancellation);
        var answered = known.Where(reply => reply.Known is not null).ToList();
        if (answered.Count < rules.Majority || dryRun)
        {
            return new(null, answered.Count >= rules.Majority, [.. known.Select(reply => new ToldVoter(reply.Voter, reply.Known is not null, reply.Known, reply.Reason))]);
        }

        var latest = answered.Select(reply => reply.Known!).MaxBy(order => order.Number)!;
        var order = new FailoverOrder(
            latest.Number + 1, paused, paused ? latest.Acknowledged : Math.Max(latest.Acknowledged, answered.Max(reply => reply.Epoch)),
            OrderText.Cut(by, OrderText.LongestName), OrderText.Cut(reason, OrderText.LongestReason));
        var told = await AllAsync(order, cancellation);
        var before = known.ToDictionary(reply => reply.Voter, reply => reply.Known);
        return new(order, told.Count(reply => reply.Accepted) >= rules.Majority, [.. told.Select(reply => new ToldVoter(reply.Voter, reply.Accepted, before[reply.Voter], reply.Reason))]);
    }

    private async Task<OrderReply[]> AllAsync(FailoverOrder? order, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(AnswerWithin, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        var replies = await Task.WhenAll(voters.Select(voter => voter.HearAsync(order, both.Token)));
        cancellation.ThrowIfCancellationRequested();
        return replies;
    }
}
