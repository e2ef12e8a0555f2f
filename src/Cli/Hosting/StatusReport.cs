using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;

namespace Mirror.Cli.Hosting;

/// <summary>The catalogue, as `mirror status` shows it.</summary>
internal static class StatusReport
{
    /// <param name="differing">Members whose configuration differs from this one's; null: nobody was asked.</param>
    public static ClusterStatus Of(
        MirrorConfig config, string answeredBy, ClusterSnapshot snapshot, DateTimeOffset now, IReadOnlyDictionary<string, IReadOnlyList<ConfigDifference>>? differing = null)
    {
        var status = new ClusterStatus { Cluster = config.Cluster.Name, AnsweredBy = answeredBy };
        status.Members.AddRange(snapshot.Members.Values.OrderBy(found => found.Name, StringComparer.Ordinal).Select(found =>
            new MemberState { Name = found.Name, Role = found.Kind, Address = found.Address, State = found.Reachable || found.State == "unreachable" ? found.State : $"{found.State}, unreachable" }));
        foreach (var (name, differences) in differing ?? new Dictionary<string, IReadOnlyList<ConfigDifference>>())
        {
            if (status.Members.FirstOrDefault(found => found.Name == name) is not { } differs)
            {
                status.Members.Add(differs = new MemberState { Name = name, Role = "?", Address = "?", State = "not in this configuration" });
            }

            differs.Differs.AddRange(differences.Select(difference => difference.Sentence(answeredBy, name)));
        }

        status.Sites.AddRange(config.Sites.Values.Select(site => Of(config, site, snapshot, now)));
        return status;
    }

    private static SiteState Of(MirrorConfig config, SiteConfig site, ClusterSnapshot snapshot, DateTimeOffset now)
    {
        var holdings = snapshot.Of(site.Name).OrderBy(holding => holding.Node, StringComparer.Ordinal).ToList();
        var primary = snapshot.PrimaryOf(site.Name);
        var newest = holdings.Select(holding => holding.Verified).DefaultIfEmpty().Max();
        var newestTime = holdings.Where(holding => holding.Verified == newest).Max(holding => holding.NewestTime);
        var consistent = snapshot.LatestConsistent(Elections.RulesOf(site, config.Cluster));
        var state = new SiteState
        {
            Site = site.Name,
            Primary = primary?.Node ?? "",
            Epoch = holdings.Select(holding => holding.Epoch).DefaultIfEmpty().Max(),
            Failover = FailoverOf(config, site, holdings, now),
            Newest = ToWire(newest),
            Consistent = ToWire(consistent),
            Sentence = primary?.Sentence ?? holdings.MaxBy(holding => holding.Epoch)?.Sentence ?? "no node of this site has reported yet",
        };
        state.Holdings.AddRange(holdings.Select(holding =>
        {
            var line = new HoldingState
            {
                Node = holding.Node,
                Role = holding.Role.ToString().ToLowerInvariant(),
                Epoch = holding.Epoch,
                Stored = ToWire(holding.Stored),
                Verified = ToWire(holding.Verified),
                Warm = ToWire(holding.Warm),
                LagSeconds = holding.Verified == newest || holding.NewestTime is not { } own || newestTime is not { } top ? 0 : (top - own).TotalSeconds,
                AppAddress = holding.AppAddress ?? "",
                Sentence = holding.Sentence,
                Reachable = Reachable(snapshot, holding.Node),
            };
            line.ProcessIds.AddRange(holding.ProcessIds);
            return line;
        }));
        return state;
    }

    // Of what the nodes' votes know, the latest word and the longest block.
    private static FailoverState FailoverOf(MirrorConfig config, SiteConfig site, List<SiteHolding> holdings, DateTimeOffset now)
    {
        if (!site.AutomaticFailover)
        {
            var why = !config.Cluster.HasArbiter && site.Voters.Distinct().Count() < 3 ? $"{site.Voters.Count} voters cannot tell a dead primary from a cut line, 3 are needed" : "it is switched off in the configuration";
            return new() { State = "off", Sentence = $"no automatic failover: {why}; mirror promote works" };
        }

        var order = holdings.Select(holding => holding.HeldBack?.Order).MaxBy(order => order?.Number ?? 0);
        if (order is { Paused: true })
        {
            return new() { State = "paused", By = order.By, Reason = order.Reason, Sentence = $"automatic failover is paused by {order.By}{(order.Reason.Length > 0 ? $" ({order.Reason})" : "")}; mirror resume ends that" };
        }

        return holdings.Max(holding => holding.HeldBack?.BlockedUntil) is { } until && until > now
            ? new() { State = "blocked", UntilUnixMs = until.ToUnixTimeMilliseconds(), Sentence = $"no second automatic failover for another {(until - now).TotalSeconds:F0} s; mirror resume acknowledges the last" }
            : new() { State = "on", Sentence = "automatic failover is on" };
    }

    private static bool Reachable(ClusterSnapshot snapshot, string node) => snapshot.Members.TryGetValue(node, out var found) && found.Reachable;

    private static VersionPosition ToWire(Position position) => new() { Epoch = position.Epoch, Sequence = position.Sequence };
}
