using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;

namespace Mirror.Proxy.Routing;

/// <summary>Who says it is primary, in which reign, and where its app answers (null while it boots).</summary>
internal sealed record PrimaryClaim(string Node, ulong Epoch, bool HandingOver, Uri? App);

/// <summary>A warm copy that can answer reads.</summary>
/// <param name="Lag">How far its newest version is behind the primary's; null when either is unknown.</param>
/// <param name="Captured">When its warm version was captured, by the primary's clock; null when not known.</param>
internal sealed record WarmReplica(string Node, Uri App, Position Version, TimeSpan? Lag, DateTimeOffset? Captured);

/// <summary>
/// What one snapshot of the catalogue means for the traffic of one site. Immutable, no I/O.
/// It reports claims; <see cref="Holding.SiteGate"/> judges them against the highest epoch seen.
/// </summary>
/// <param name="HighestEpoch">Highest epoch that any node names, primary or not.</param>
/// <param name="Claims">All nodes that say they are primary in that epoch. More than one is a fault and is trusted by nobody.</param>
/// <param name="Speakers">Every node that says anything of the site. Silence of a node is no evidence that its reign ended; another role is.</param>
internal sealed record SiteView(
    ulong HighestEpoch, IReadOnlyList<PrimaryClaim> Claims, IReadOnlySet<string> Speakers, IReadOnlyList<WarmReplica> Replicas)
{
    public static SiteView Empty { get; } = new(0, [], new HashSet<string>(), []);

    public static SiteView Read(ClusterSnapshot snapshot, string site)
    {
        var holdings = snapshot.Of(site).ToList();
        if (holdings.Count == 0)
        {
            return Empty;
        }

        var highest = holdings.Max(holding => holding.Epoch);
        var primaries = holdings
            .Where(holding => holding.Epoch == highest && holding.Role is (SiteRole.Primary or SiteRole.HandingOver))
            .ToList();
        var newest = primaries.Count == 1 ? primaries[0].NewestTime : null;
        return new SiteView(
            highest,
            [.. primaries.Select(holding => new PrimaryClaim(holding.Node, holding.Epoch, holding.Role == SiteRole.HandingOver, AppOf(holding)))],
            holdings.Select(holding => holding.Node).ToHashSet(StringComparer.Ordinal),
            [.. holdings
                .Where(holding => holding.Role == SiteRole.Replica && AppOf(holding) is not null)
                .Select(holding => new WarmReplica(holding.Node, AppOf(holding)!, holding.Warm, LagOf(holding, newest), holding.Warm == holding.Verified ? holding.NewestTime : null))]);
    }

    private static TimeSpan? LagOf(SiteHolding holding, DateTimeOffset? newest)
    {
        if (holding.NewestTime is not { } own || newest is not { } primary)
        {
            return null;
        }

        return primary > own ? primary - own : TimeSpan.Zero;
    }

    // The address came over the wire: anything but a plain HTTP origin is no address.
    private static Uri? AppOf(SiteHolding holding) =>
        Uri.TryCreate(holding.AppAddress, UriKind.Absolute, out var address) && address.Scheme is ("http" or "https")
            ? new Uri(address.GetLeftPart(UriPartial.Authority))
            : null;
}
