namespace Mirror.Leadership.Core;

/// <summary>What is known of one node's copy of a site.</summary>
/// <param name="Base">The version that the epoch of <paramref name="Verified"/> grew from; default when not known.</param>
public sealed record NodeHolding(string Node, Position Verified, Position Base, bool Reachable)
{
    /// <summary>
    /// Its vote protects it: held before the node's voter granted any epoch later than that version's. Otherwise a candidate that lacks it may have that vote already.
    /// </summary>
    public bool IsProtected { get; init; } = true;
}

/// <summary>
/// Which version is safe whatever happens next? One that every possible majority of voters protects: verified on so many voting nodes that no majority is
/// without one of them (a voter refuses whoever holds less than itself). Or one that all nodes of the site hold: then every possible primary has it.
/// </summary>
public static class Consistency
{
    /// <summary>How many of the voting nodes must have verified a version; of all nodes where an arbiter decides: most of them, so that one is left when as many as may be lost are.</summary>
    public static int Needed(SiteRules rules) => rules.HasArbiter ? (rules.Nodes.Count / 2) + 1 : rules.Voters.Count - rules.Majority + 1;

    /// <summary>The newest version known to be consistent; default when there is none.</summary>
    public static Position Latest(IEnumerable<NodeHolding> holdings, SiteRules rules)
    {
        var known = holdings.Where(holding => rules.Nodes.Contains(holding.Node)).ToList();
        return known
            .SelectMany(holding => new[] { holding.Verified, holding.Base })
            .Where(version => version != default)
            .Distinct()
            .OrderDescending()
            .FirstOrDefault(version => IsConsistent(version, known, rules));
    }

    /// <summary>
    /// True when a node that verified one version certainly has another: the same, an earlier one of the same epoch, or one that the epoch grew from. Two
    /// versions of different epochs may belong to histories that parted, so without knowing where, the answer is no.
    /// </summary>
    public static bool Has(NodeHolding holding, Position version)
    {
        if (holding.Verified.Epoch == version.Epoch)
        {
            return holding.Verified.Sequence >= version.Sequence;
        }

        return holding.Verified > version && holding.Base.Epoch == version.Epoch && holding.Base.Sequence >= version.Sequence;
    }

    private static bool IsConsistent(Position version, List<NodeHolding> known, SiteRules rules)
    {
        var holders = known.Where(holding => Has(holding, version)).DistinctBy(holding => holding.Node).ToList();
        return holders.Count(holding => holding.IsProtected && rules.Voters.Contains(holding.Node)) >= Needed(rules) || holders.Count == rules.Nodes.Count;
    }
}
