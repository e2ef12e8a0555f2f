using Mirror.Cli.Demo;
using Mirror.Node.Configuration;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>The sample wiki on three nodes behind a proxy, all on this machine.</summary>
internal static class WikiCluster
{
    /// <param name="lease">Of the cluster.</param>
    /// <param name="change">What is to be otherwise with the site.</param>
    public static async Task<LocalCluster> PrepareAsync(string directory, TimeSpan lease, Func<SiteConfig, SiteConfig> change, CancellationToken cancellation)
    {
        var ports = LocalCluster.FreePorts(9);
        var members = DemoSetup.Nodes.Select((name, index) => DemoSetup.NodeAt(directory, name, ports[2 * index], ports[2 * index + 1], 27400 + 400 * index))
            .Append(DemoSetup.ProxyAt(directory, ports[6], ports[7], ports[8])).ToDictionary(member => member.Name);
        var site = change(DemoSetup.WikiAt(Path.Combine(directory, "{node}", "srv"), Checkout.Path(".build", "wiki", "wiki"), TimeSpan.FromSeconds(60)));
        var config = new MirrorConfig
        {
            Cluster = new ClusterConfig("scenario", lease, Path.Combine(directory, "pki")),
            Members = members,
            Sites = new Dictionary<string, SiteConfig> { [site.Name] = site },
        };
        var cluster = await LocalCluster.PrepareAsync(directory, config, MirrorProgram.File, cancellation);
        Directory.CreateDirectory(DemoSetup.RootOf(cluster, site.Primary, site.Name));
        return cluster;
    }

    public static Uri SiteOf(LocalCluster cluster) => new(cluster.Config.Members[DemoSetup.Proxy].Listen[0]);
}
