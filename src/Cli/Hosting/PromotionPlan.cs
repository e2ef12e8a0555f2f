using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;

namespace Mirror.Cli.Hosting;

/// <summary>Which node would become primary, and every rule it has to meet: node × rule × value × limit. Printed by --dry-run, and checked before anything moves.</summary>
internal sealed record PromotionPlan(string Target, IReadOnlyList<RuleCheck> Checks)
{
    public bool Lawful => Target.Length > 0 && Checks.Where(check => check.Node == Target).All(check => check.Ok);

    /// <param name="to">The wanted node; empty for the best: warm, nearest to the primary, first in the configuration.</param>
    public static PromotionPlan Of(MirrorConfig config, SiteConfig site, ClusterSnapshot snapshot, SiteHolding? primary, string to)
    {
        var holdings = snapshot.Of(site.Name).ToDictionary(holding => holding.Node);
        var reference = primary?.Verified ?? holdings.Values.Select(holding => holding.Verified).DefaultIfEmpty().Max();
        var checks = new List<RuleCheck>();
        foreach (var node in site.Nodes.Where(node => to.Length == 0 ? node != primary?.Node : node == to))
        {
            var holding = holdings.GetValueOrDefault(node);
            var reachable = snapshot.Members.TryGetValue(node, out var member) && member.Reachable;
            Check(node, "is not the primary already", node == primary?.Node ? "primary" : "replica", "replica", node != primary?.Node);
            Check(node, "is reachable", reachable ? "yes" : "no", "yes", reachable);
            Check(node, "has the site's newest version", holding?.Verified.ToString() ?? "nothing", holding?.Verified >= reference || primary is null ? $"{reference}" : $"{reference}, sent first", primary is not null ? holding is not null : holding?.Verified >= reference);
            Check(node, "runs the apps, warm", holding?.AppAddress ?? "no", "yes", site.Apps.Count == 0 || holding?.AppAddress is not null);
        }

        if (to.Length > 0 && checks.Count == 0)
        {
            Check(to, "is a node of the site", "no", string.Join(", ", site.Nodes), false);
        }

        var target = to.Length > 0
            ? to
            : checks.GroupBy(check => check.Node).Where(rules => rules.All(check => check.Ok)).Select(rules => rules.Key)
                .OrderByDescending(node => holdings[node].Verified).FirstOrDefault() ?? checks.FirstOrDefault()?.Node ?? "";
        return new PromotionPlan(target, checks);

        void Check(string node, string rule, string value, string limit, bool ok) =>
            checks.Add(new RuleCheck { Node = node, Rule = rule, Value = value, Limit = limit, Ok = ok });
    }
}
