namespace Mirror.Leadership.Core;

public enum Stand
{
    /// <summary>Ask the voters now.</summary>
    Now,

    /// <summary>Look again at <see cref="Verdict.Until"/>, or when something changes.</summary>
    Wait,

    /// <summary>Not before something changes.</summary>
    No,
}

/// <param name="Until">For <see cref="Stand.Wait"/>: monotonic time at which to look again.</param>
/// <param name="Sentence">What was decided and why; empty when there is nothing new to say.</param>
public sealed record Verdict(Stand Stand, TimeSpan Until, string Sentence);

/// <summary>All a node looks at before it stands.</summary>
/// <param name="Node">Itself.</param>
/// <param name="Verified">Newest version it holds applied and checked.</param>
/// <param name="Ballot">Its own voter's memory; null when it is no voter.</param>
/// <param name="KnownEpoch">Highest epoch in which it has heard of a primary; a ballot older than that is out of date.</param>
/// <param name="NotBefore">Earliest time it makes sense to ask again, from the voters' last answers.</param>
/// <param name="Holdings">What the other nodes of the site are said to hold.</param>
public sealed record CandidateView(
    string Node, Position Verified, VoterState? Ballot, ulong KnownEpoch, TimeSpan NotBefore, IReadOnlyList<NodeHolding> Holdings)
{
    /// <summary>How much older its newest version is than the newest that any node is said to hold; zero when not known.</summary>
    public TimeSpan Behind { get; init; }
}

/// <summary>
/// Should this node stand for primary? Nothing here is a right: the voters decide. These rules only see to it that, of several nodes that could be appointed,
/// the best one asks first and the others don't get in its way.
/// </summary>
public static class Candidacy
{
    public static Verdict Decide(CandidateView view, SiteRules rules, TimeSpan now)
    {
        if (!rules.Nodes.Contains(view.Node))
        {
            return No($"{view.Node} is not among the nodes of site {rules.Site}.");
        }

        var ballot = view.Ballot;
        if (ballot is not null && ballot.IsBoundToHolder(now) && ballot.Holder != view.Node)
        {
            return Wait(ballot.Until, $"{ballot.Holder} is primary in epoch {ballot.Epoch}: its lease is good by this node's own vote.");
        }

        if (ballot is not null && ballot.IsReserved(now) && ballot.Successor != view.Node)
        {
            return Wait(ballot.Until, $"{ballot.Successor} is to succeed {ballot.Holder} after epoch {ballot.Epoch}; this node leaves it the time.");
        }

        if (view.Verified == default)
        {
            return DecideEmpty(view, rules, now);
        }

        // The voters were asked a moment ago: they are not asked again before they could answer differently.
        if (now < view.NotBefore)
        {
            return Wait(view.NotBefore, AskedAMomentAgo);
        }

        return ballot switch
        {
            { GivenBack: true, Successor: { } successor } when successor == view.Node && ballot.IsReserved(now) =>
                Now($"{ballot.Holder} handed over after epoch {ballot.Epoch}, and named {view.Node}."),
            { GivenBack: false } when WasLast(view) =>
                Now($"{view.Node} was primary in epoch {ballot.Epoch}, and nobody has taken over since."),
            _ => DecideFailover(view, rules, now),
        };
    }

    private static Verdict DecideEmpty(CandidateView view, SiteRules rules, TimeSpan now)
    {
        var holder = view.Holdings.FirstOrDefault(holding => holding.Verified != default);
        if (holder is not null)
        {
            return No($"{view.Node} holds no version of site {rules.Site} yet, and {holder.Node} holds {holder.Verified}.");
        }

        if (view.Node != rules.Primary)
        {
            return No($"{view.Node} holds no version of site {rules.Site} yet: {rules.Primary} is to be its first primary.");
        }

        if (view.KnownEpoch > 0 && !WasLast(view))
        {
            return No($"{view.Node} holds no version of site {rules.Site}, which has reached epoch {view.KnownEpoch}: it must get a copy first.");
        }

        return now < view.NotBefore
            ? Wait(view.NotBefore, AskedAMomentAgo)
            : Now($"No node holds a version of site {rules.Site} yet, and {view.Node} is its configured primary.");
    }

    private static Verdict DecideFailover(CandidateView view, SiteRules rules, TimeSpan now)
    {
        var ballot = view.Ballot;
        var startsFirst = view.KnownEpoch == 0 && view.Node == rules.Primary;
        if (!WasLast(view) && !startsFirst)
        {
            if (rules.Voters.Count < 3 && !rules.HasArbiter)
            {
                return No($"No automatic failover of site {rules.Site}: {rules.Voters.Count} voters are too few to tell a dead primary from a cut line, 3 are needed; mirror promote works.");
            }

            if (!rules.AutomaticFailover)
            {
                return No($"Automatic failover of site {rules.Site} is switched off; mirror promote works.");
            }

            if (Exclusion(view, rules) is { } exclusion)
            {
                return No(exclusion);
            }
        }

        // A last holder that came back would have asked already, for it need not wait; so it is no longer waited for.
        var better = view.Holdings
            .Where(other => other.Reachable && other.Node != view.Node && other.Node != ballot?.Holder && rules.Nodes.Contains(other.Node) && !rules.Never.Contains(other.Node))
            .Where(other => Precedes(other.Node, other.Verified, view, rules))
            .OrderByDescending(other => other.Verified)
            .ThenBy(other => Order(other.Node, rules))
            .ToList();
        var vacant = ballot is { Epoch: > 0 } ? ballot.Until : view.NotBefore;
        var turn = vacant + (better.Count * rules.RankStep);
        if (better.Count > 0 && now < turn)
        {
            var why = better[0].Verified > view.Verified ? $"it holds {better[0].Verified}, this node {view.Verified}" : "it comes first in the configuration";
            return Wait(turn, $"Leaves {better[0].Node} the first try: {why}.");
        }

        return Now(ballot switch
        {
            { Epoch: > 0, GivenBack: true } => $"{ballot.Holder} gave epoch {ballot.Epoch} back; {view.Node} stands with {view.Verified}.",
            { Epoch: > 0 } => $"The lease of {ballot.Holder} in epoch {ballot.Epoch} ran out; {view.Node} stands with {view.Verified}.",
            _ => $"No primary of site {rules.Site} is known here; {view.Node} stands with {view.Verified}.",
        });
    }

    // What would be lost for good reasons a person may accept, and no program: said here, before anybody is asked.
    private static string? Exclusion(CandidateView view, SiteRules rules)
    {
        if (rules.Never.Contains(view.Node))
        {
            return $"{view.Node} is never to be appointed automatically (failover.never); mirror promote works.";
        }

        var newest = view.Holdings.Select(holding => holding.Verified).DefaultIfEmpty().Max();
        if (rules.LagVersions > 0 && Missing(newest, view.Verified) is var missing && missing > (ulong)rules.LagVersions)
        {
            return $"{view.Node} holds {view.Verified} and lacks {missing} versions up to {newest}, {rules.LagVersions} may be lost by themselves (failover.lag-versions); mirror promote --allow-data-loss works.";
        }

        return rules.Lag > TimeSpan.Zero && view.Behind > rules.Lag
            ? $"{view.Node} holds {view.Verified}, which is {Voter.Text(view.Behind)} older than {newest}, {Voter.Text(rules.Lag)} may be lost by themselves (failover.lag); mirror promote --allow-data-loss works."
            : null;
    }

    /// <summary>How many versions lie between two; of another epoch at least so many.</summary>
    public static ulong Missing(Position newest, Position held) =>
        newest <= held ? 0 : newest.Epoch == held.Epoch ? newest.Sequence - held.Sequence : newest.Sequence;

    private static bool WasLast(CandidateView view) =>
        view.Ballot is { Epoch: > 0 } ballot && ballot.Holder == view.Node && ballot.Epoch >= view.KnownEpoch;

    private static bool Precedes(string other, Position verified, CandidateView view, SiteRules rules) =>
        verified != view.Verified ? verified > view.Verified : Order(other, rules) < Order(view.Node, rules);

    private static int Order(string node, SiteRules rules)
    {
        for (var place = 0; place < rules.Nodes.Count; place++)
        {
            if (rules.Nodes[place] == node)
            {
                return place;
            }
        }

        return int.MaxValue;
    }

    // What the voters said stands, with their reasons.
    private const string AskedAMomentAgo = "";

    private static Verdict Now(string sentence) => new(Stand.Now, TimeSpan.Zero, sentence);

    private static Verdict Wait(TimeSpan until, string sentence) => new(Stand.Wait, until, sentence);

    private static Verdict No(string sentence) => new(Stand.No, TimeSpan.Zero, sentence);
}
