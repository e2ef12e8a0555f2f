using Mirror.Leadership.Core;

namespace Mirror.Leadership.Membership;

public enum SiteRole
{
    /// <summary>Starting, or waiting to learn who is primary.</summary>
    Joining,
    Replica,
    Primary,

    /// <summary>Primary in a planned switchover: proxies hold its requests.</summary>
    HandingOver,

    /// <summary>Was primary, its lease is gone; serves nothing.</summary>
    Fenced,
}

/// <summary>What one node says of one site. Status, not rights: rights come from votes.</summary>
/// <param name="Stored">Newest version received whole and checked by frame, safe on disk.</param>
/// <param name="Verified">Newest version applied, every file and the root checked.</param>
/// <param name="Warm">Version its running apps serve.</param>
/// <param name="AppAddress">Where its warm app answers; null when none runs.</param>
/// <param name="NewestTime">Capture time of <paramref name="Verified"/>.</param>
/// <param name="Sentence">The last decision and its reason.</param>
/// <param name="ProcessIds">Node, guard and apps.</param>
public sealed record SiteHolding(
    string Site, string Node, SiteRole Role, ulong Epoch, Position Stored, Position Verified, Position Warm,
    string? AppAddress, DateTimeOffset? NewestTime, string Sentence, IReadOnlyList<int> ProcessIds)
{
    /// <summary>The version that the epoch of <see cref="Verified"/> grew from; default when not known. Without it nothing is claimed about versions of earlier epochs.</summary>
    public Position Base { get; init; }

    /// <summary>False when the node's voter granted a later epoch before <see cref="Verified"/> was held: then its vote does not make that version safe.</summary>
    public bool IsProtected { get; init; } = true;

    /// <summary>The newest version that this node had an arbiter remember as consistent; default where votes decide, and for who never was primary.</summary>
    public Position Consistent { get; init; }

    /// <summary>What the node's own vote knows of what holds automatic failover back; null when it has none.</summary>
    public HeldBack? HeldBack { get; init; }
}

/// <param name="BlockedUntil">By the node's clock: until then its vote takes part in no further automatic failover; null when nothing holds it back.</param>
public sealed record HeldBack(FailoverOrder Order, DateTimeOffset? BlockedUntil);

public sealed record ClusterMember(string Name, string Kind, string Address, bool Reachable, string State);

/// <summary>Everything the catalogue says at one moment. Immutable.</summary>
public sealed record ClusterSnapshot(IReadOnlyDictionary<string, ClusterMember> Members, IReadOnlyList<SiteHolding> Holdings)
{
    public static ClusterSnapshot Empty { get; } = new(new Dictionary<string, ClusterMember>(), []);

    public IEnumerable<SiteHolding> Of(string site) => Holdings.Where(holding => holding.Site == site);

    /// <summary>The holding with role Primary or HandingOver and the highest epoch, unless a higher epoch is known for the site; null when there is none.</summary>
    public SiteHolding? PrimaryOf(string site)
    {
        var holdings = Of(site).ToList();
        var highest = holdings.Select(holding => holding.Epoch).DefaultIfEmpty().Max();
        return holdings.FirstOrDefault(holding => holding.Epoch == highest && holding.Role is SiteRole.Primary or SiteRole.HandingOver);
    }

    /// <summary>The newest version of a site that every possible next primary will have; default when none is known.</summary>
    public Position LatestConsistent(SiteRules rules) => rules.HasArbiter
        ? Of(rules.Site).Select(static holding => holding.Consistent).DefaultIfEmpty().Max()
        : Consistency.Latest(Of(rules.Site).Select(ToNodeHolding), rules);

    /// <summary>How much older a node's newest version is than the newest that any node is said to hold, by when they were captured; zero when not known.</summary>
    public TimeSpan BehindOf(string site, string node)
    {
        var newest = Of(site).MaxBy(holding => holding.Verified);
        var own = Of(site).FirstOrDefault(holding => holding.Node == node);
        return newest?.NewestTime - own?.NewestTime is { } behind && behind > TimeSpan.Zero && newest!.Verified > own!.Verified ? behind : TimeSpan.Zero;
    }

    internal NodeHolding ToNodeHolding(SiteHolding holding) =>
        new(holding.Node, holding.Verified, holding.Base, Members.TryGetValue(holding.Node, out var member) && member.Reachable)
        {
            IsProtected = holding.IsProtected,
        };
}

/// <summary>The cluster's shared knowledge: who is there and what each node holds, spread by gossip. Eventually the same everywhere; never a right to write.</summary>
public interface ICatalogue
{
    ClusterSnapshot Current { get; }

    /// <summary>Completes at the next change after <paramref name="seen"/>; at once when <see cref="Current"/> is already another.</summary>
    Task<ClusterSnapshot> ChangedSinceAsync(ClusterSnapshot seen, CancellationToken cancellation);

    /// <summary>Replaces what this node says of a site. Spread at once to all reachable members; returns when they have it or after a short time-out.</summary>
    Task PublishAsync(SiteHolding holding, CancellationToken cancellation);
}
