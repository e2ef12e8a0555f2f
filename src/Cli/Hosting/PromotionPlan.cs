using System.Globalization;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;

namespace Mirror.Cli.Hosting;

/// <summary>Which node would become primary, and every rule it has to meet: node × rule × value × limit. Printed by --dry-run, and checked before anything moves.</summary>
/// <param name="Stake">What would be lost; null for nothing.</param>
internal sealed record PromotionPlan(string Target, IReadOnlyList<RuleCheck> Checks, PromoteStake? Stake)
{
    private const string Force = "--force";
    private const string Loss = "--allow-data-loss";

    /// <summary>Every rule is met.</summary>
    public bool Lawful => IsLawful(new());

    /// <summary>Every rule is met, or overruled by what the operator said.</summary>
    public bool IsLawful(PromoteRequest request) => Target.Length > 0 && Checks.Where(check => check.Node == Target).All(check => check.Ok || IsOverruled(check, request));

    /// <summary>Who could overrule what is not met; empty when nobody can.</summary>
    public string Remedy(PromoteRequest request)
    {
        var open = Checks.Where(check => check.Node == Target && !check.Ok && !IsOverruled(check, request)).ToList();
        return open.Count == 0 || open.Any(check => check.OverruledBy.Length == 0) ? "" : $"; {string.Join(" and ", open.Select(check => check.OverruledBy).Distinct())} would overrule that";
    }

    /// <param name="primary">The one that reigns, or is said to; when it cannot be reached it hands nothing over.</param>
    /// <param name="to">The wanted node; empty for the best: warm, nearest to the primary, first in the configuration, not excluded.</param>
    /// <param name="epoch">The one the operator knows; 0 for whatever it is.</param>
    public static PromotionPlan Of(MirrorConfig config, SiteConfig site, ClusterSnapshot snapshot, SiteHolding? primary, string to, ulong epoch = 0)
    {
        var holdings = snapshot.Of(site.Name).ToDictionary(holding => holding.Node);
        var handsOver = primary is not null && IsReachable(snapshot, primary.Node);
        var newest = holdings.Values.MaxBy(holding => holding.Verified);
        var reference = handsOver ? primary!.Verified : newest?.Verified ?? default;
        var present = holdings.Values.Select(holding => holding.Epoch).DefaultIfEmpty().Max();
        var checks = new List<RuleCheck>();
        foreach (var node in site.Nodes.Where(node => to.Length == 0 ? node != primary?.Node : node == to))
        {
            var holding = holdings.GetValueOrDefault(node);
            var reachable = IsReachable(snapshot, node);
            Check(node, "is not the primary already", node == primary?.Node ? "primary" : "replica", "replica", node != primary?.Node);
            Check(node, "is reachable", reachable ? "yes" : "no", "yes", reachable);
            CheckVersion(node, holding);
            Check(node, "runs the apps, warm", holding?.AppAddress ?? "no", "yes", site.Apps.Count == 0 || holding?.AppAddress is not null, Force);
            Check(node, "is not excluded (failover.never)", site.Failover.Never.Contains(node) ? "excluded" : "no", "no", !site.Failover.Never.Contains(node), Force);
            if (epoch > 0)
            {
                Check(node, "the epoch is the one you named", Text(present), Text(epoch), present == epoch);
            }
        }

        if (to.Length > 0 && checks.Count == 0)
        {
            Check(to, "is a node of the site", "no", string.Join(", ", site.Nodes), false);
        }

        var target = to.Length > 0
            ? to
            : checks.GroupBy(check => check.Node).Where(rules => rules.All(check => check.Ok || check.OverruledBy == Loss))
                .OrderByDescending(rules => rules.All(check => check.Ok)).ThenByDescending(rules => holdings[rules.Key].Verified).Select(rules => rules.Key)
                .FirstOrDefault() ?? checks.FirstOrDefault()?.Node ?? "";
        return new PromotionPlan(target, checks, StakeOf(target));

        void Check(string node, string rule, string value, string limit, bool ok, string overruledBy = "") =>
            checks.Add(new RuleCheck { Node = node, Rule = rule, Value = value, Limit = limit, Ok = ok, OverruledBy = ok ? "" : overruledBy });

        // What only nodes have that cannot be reached may be given up. What another one has that can, it is to be promoted for: the voters would refuse anybody else.
        void CheckVersion(string node, SiteHolding? holding)
        {
            const string Rule = "has the site's newest version";
            if (handsOver)
            {
                Check(node, Rule, holding?.Verified.ToString() ?? "nothing", holding?.Verified >= reference ? $"{reference}" : $"{reference}, sent first", holding is not null);
                return;
            }

            var better = holdings.Values.FirstOrDefault(other => other.Verified > (holding?.Verified ?? default) && IsReachable(snapshot, other.Node));
            var limit = better is null ? $"{reference}" : $"{reference}; {better.Node} holds {better.Verified}";
            Check(node, Rule, holding?.Verified.ToString() ?? "nothing", limit, holding is not null && holding.Verified >= reference, holding is not null && holding.Verified != default && better is null ? Loss : "");
        }

        PromoteStake? StakeOf(string node)
        {
            if (handsOver || newest is null || !holdings.TryGetValue(node, out var holding) || holding.Verified >= newest.Verified)
            {
                return null;
            }

            var stake = new PromoteStake
            {
                Node = node, Holds = ToWire(holding.Verified), Newest = ToWire(newest.Verified), Versions = Candidacy.Missing(newest.Verified, holding.Verified),
                Seconds = newest.NewestTime - holding.NewestTime is { } behind ? behind.TotalSeconds : 0,
            };
            stake.OnlyOn.AddRange(holdings.Values.Where(other => other.Verified > holding.Verified).Select(other => other.Node).Order(StringComparer.Ordinal));
            return stake;
        }
    }

    private static bool IsOverruled(RuleCheck check, PromoteRequest request) => check.OverruledBy switch
    {
        Force => request.Force,
        Loss => request.AllowDataLoss,
        _ => false,
    };

    private static bool IsReachable(ClusterSnapshot snapshot, string node) => snapshot.Members.TryGetValue(node, out var member) && member.Reachable;

    private static VersionPosition ToWire(Position position) => new() { Epoch = position.Epoch, Sequence = position.Sequence };

    private static string Text(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
