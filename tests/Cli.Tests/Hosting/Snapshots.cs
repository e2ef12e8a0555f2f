using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;

namespace Mirror.Cli.Tests.Hosting;

/// <summary>What a cluster of three nodes might say of a wiki.</summary>
internal static class Snapshots
{
    public static readonly DateTimeOffset Noon = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static readonly string[] nodes = ["alpha", "beta", "gamma"];

    public static SiteConfig Site(bool withApp = true) => new(
        "wiki", "alpha", nodes, nodes, new FilesConfig("/srv/wiki", [], TimeSpan.Zero, TimeSpan.Zero), [],
        withApp ? [new AppConfig("web", ["wiki"], new Dictionary<string, string>(), "/healthz", TimeSpan.Zero, TimeSpan.Zero)] : [], ["*"], [], true);

    public static MirrorConfig Config(SiteConfig site) => new()
    {
        Cluster = new ClusterConfig("home", TimeSpan.FromSeconds(4), "/pki"),
        Members = nodes.ToDictionary(name => name, name => new MemberConfig(
            name, MemberKind.Node, "127.0.0.1", 1, 2, "/state", [], TimeSpan.Zero, 0, new PortRange(1, 2))),
        Sites = new Dictionary<string, SiteConfig> { [site.Name] = site },
    };

    public static SiteHolding Holding(
        string node, SiteRole role, ulong epoch, ulong verified, string? app = "http://127.0.0.1:20000", int secondsBeforeNoon = 0) => new(
        "wiki", node, role, epoch, new Position(1, verified), new Position(1, verified), app is null ? default : new Position(1, verified), app,
        Noon.AddSeconds(-secondsBeforeNoon), $"{node} says so", [1, 2]);

    public static ClusterSnapshot Of(string[] unreachable, params SiteHolding[] holdings) => new(
        nodes.ToDictionary(name => name, name => new ClusterMember(name, "node", "127.0.0.1:1", !unreachable.Contains(name), "up")), holdings);
}
