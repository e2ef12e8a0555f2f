using Mirror.Leadership.Core;

namespace Mirror.Leadership.Consul;

/// <summary>
/// May this node take a site's lock? Pure, like the rules for votes, which come after these. Consul keeps a lock that was lost from others for a lease; these rules keep it as long once more, by
/// each node's own clock, since a Consul whose servers have all been started anew knows of no delay.
/// </summary>
internal static class LockRules
{
    /// <param name="view">As for <see cref="Candidacy"/>.</param>
    /// <param name="word">An operator said so.</param>
    /// <returns>Null: nothing about the lock speaks against it.</returns>
    public static Verdict? Decide(LockSight sight, CandidateView view, bool word, SiteRules rules, TimeSpan now)
    {
        var (node, verified) = (view.Node, view.Verified);
        var until = sight.FreeSince + rules.Lease;
        if (sight.Entry is not { } entry)
        {
            return view.KnownEpoch == 0 ? null
                : now < until ? Wait(until, $"There is no lock of site {rules.Site}, which has reached epoch {view.KnownEpoch}: waits out a lease that others may believe in.")
                : word ? null
                : DecideWithoutRecord(view, rules);
        }

        if (sight.Record is not { } record)
        {
            return No($"The key {entry.Key} in Consul holds what Mirror did not write, so nobody knows what is consistent. Delete the key when no node serves site {rules.Site} and all its nodes run.");
        }

        if (sight.IsHeld && record.Holder != node)
        {
            return No($"{record.Holder} is primary in epoch {sight.Epoch}: it holds the lock.");
        }

        // Compared in the step that takes the lock, too: that fails when the record has changed.
        if (verified < sight.Consistent)
        {
            return No($"{node} holds {Text(verified)}, and {sight.Consistent} was called consistent: whoever lacks it does not take the lock.");
        }

        if (sight.IsHeld || now >= until)
        {
            return null;
        }

        if (record is { GivenBack: false } && record.Holder != node)
        {
            return Wait(until, $"{record.Holder} lost the lock in epoch {sight.Epoch} and did not give it back: waits out its lease.");
        }

        return record is { GivenBack: true, Successor: { } successor } && successor != node
            ? Wait(until, $"{successor} is to succeed {record.Holder} after epoch {sight.Epoch}; this node leaves it the time.")
            : null;
    }

    // A site that voted before, or whose key was deleted: nobody knows what is consistent, so it has to be the best of all.
    private static Verdict? DecideWithoutRecord(CandidateView view, SiteRules rules)
    {
        var silent = rules.Nodes.Where(name => name != view.Node && !view.Holdings.Any(holding => holding.Node == name && holding.Reachable)).ToList();
        if (silent.Count > 0)
        {
            return No(
                $"There is no lock of site {rules.Site}, which has reached epoch {view.KnownEpoch}, and so no record of what is consistent: waits to hear from {string.Join(", ", silent)}; mirror promote does not.");
        }

        var better = view.Holdings.Where(holding => rules.Nodes.Contains(holding.Node)).MaxBy(static holding => holding.Verified);
        return better is not null && better.Verified > view.Verified
            ? No($"There is no record of what is consistent in site {rules.Site}: {better.Node} holds {better.Verified}, {view.Node} {Text(view.Verified)}.")
            : null;
    }

    private static string Text(Position position) => position == default ? "nothing" : position.ToString();

    private static Verdict Wait(TimeSpan until, string sentence) => new(Stand.Wait, until, sentence);

    private static Verdict No(string sentence) => new(Stand.No, TimeSpan.Zero, sentence);
}
