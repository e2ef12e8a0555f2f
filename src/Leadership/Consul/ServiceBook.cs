using System.Globalization;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using Mirror.Node.Consul;

namespace Mirror.Leadership.Consul;

/// <summary>A service as Consul is to know it, and how it is now.</summary>
internal sealed record KnownService(ServiceAsk Ask, string Note);

/// <summary>
/// Which services a member is, from what it says of its sites: itself (an instance of <c>mirror</c>, tagged with its name and kind), and each site it holds (called like the site, tagged
/// <c>primary</c> or <c>replica</c>, at the address of its app). So <c>primary.wiki.service.consul</c> is the app of the primary, and nothing while there is none.
/// </summary>
internal static class ServiceBook
{
    public const string Primary = "primary";
    public const string Replica = "replica";

    public static IEnumerable<KnownService> Of(MirrorConfig config, MemberConfig member, ClusterSnapshot snapshot)
    {
        yield return Member(config.Cluster, member);
        foreach (var site in config.Sites.Values.Where(site => site.Nodes.Contains(member.Name)))
        {
            yield return Site(config.Cluster, site, member, snapshot.Of(site.Name).FirstOrDefault(holding => holding.Node == member.Name));
        }
    }

    private static KnownService Member(ClusterConfig cluster, MemberConfig member)
    {
        var kind = GossipCatalogue.KindOf(member);
        var meta = new Dictionary<string, string>
        {
            ["cluster"] = cluster.Name, ["kind"] = kind, ["cluster-port"] = member.ClusterPort.ToString(CultureInfo.InvariantCulture),
        };
        return new(
            new(ConsulConfig.MemberId(cluster.Name, member.Name), ConsulConfig.MemberService, [member.Name, kind], Known(member.Address), member.GrpcPort, meta, cluster.Lease, ServiceHealth.Passing),
            $"{kind} {member.Name} runs");
    }

    // A member may be found by the very name that is registered here: then its address is that of the agent's node.
    private static string Known(string address) => address.EndsWith(".consul", StringComparison.OrdinalIgnoreCase) ? "" : address;

    private static KnownService Site(ClusterConfig cluster, SiteConfig site, MemberConfig node, SiteHolding? holding)
    {
        var role = holding?.Role switch
        {
            SiteRole.Primary or SiteRole.HandingOver => Primary,
            SiteRole.Replica => Replica,
            _ => null,
        };
        var app = Uri.TryCreate(holding?.AppAddress, UriKind.Absolute, out var address) ? address : null;

        // While it is being handed over requests wait at the proxies; who comes by DNS would find an app that stops.
        var serves = holding?.Role is SiteRole.Primary or SiteRole.Replica && (app is not null || site.Apps.Count == 0);
        var meta = new Dictionary<string, string> { ["cluster"] = cluster.Name, ["node"] = node.Name };
        if (role == Primary)
        {
            meta["epoch"] = holding!.Epoch.ToString(CultureInfo.InvariantCulture);
        }

        return new(
            new(
                ConsulConfig.SiteId(cluster.Name, site.Name, node.Name), site.Name, role is null ? [] : [role], Known(app?.Host ?? node.Address), app?.Port ?? node.GrpcPort, meta,
                cluster.Lease, serves ? ServiceHealth.Passing : ServiceHealth.Critical),
            holding?.Sentence ?? "starting");
    }
}
