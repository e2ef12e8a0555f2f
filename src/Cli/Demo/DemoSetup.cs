using Mirror.Cli.Output;
using Mirror.Node.Configuration;

namespace Mirror.Cli.Demo;

/// <summary>
/// What the demo is made of: three nodes (three votes), a proxy and the sample wiki. With a directory to mirror, a copy of it is a second site beside the wiki: the
/// original is only read.
/// </summary>
internal static class DemoSetup
{
    public const string Wiki = "wiki";
    public const string Files = "files";
    public const string Proxy = "front";
    private const string mirrorHost = "mirror.localhost";
    private const string loopback = "127.0.0.1";
    private const int preferredPort = 8088;

    // Who tries it kills one node after the other.
    private static readonly FailoverConfig oneAfterTheOther = FailoverConfig.Default with { Block = TimeSpan.Zero };

    public static IReadOnlyList<string> Nodes { get; } = ["alpha", "beta", "gamma"];

    public static async Task<LocalCluster> PrepareAsync(string directory, string? mirrored, CancellationToken cancellation)
    {
        var cluster = await LocalCluster.PrepareAsync(directory, Describe(directory, mirrored is not null), Environment.ProcessPath!, cancellation);
        Directory.CreateDirectory(RootOf(cluster, Nodes[0], Wiki));
        if (mirrored is not null)
        {
            await CopyAsync(mirrored, RootOf(cluster, Nodes[0], Files), cancellation);
        }

        return cluster;
    }

    public static string RootOf(LocalCluster cluster, string node, string site) => Path.Combine(cluster.Directory, node, "srv", site);

    public static Uri SiteOf(LocalCluster cluster) => new($"http://localhost:{PortOf(cluster)}/");

    public static Uri MirrorOf(LocalCluster cluster) => new($"http://{mirrorHost}:{PortOf(cluster)}/");

    /// <summary>A node with its ports and directories, as the demo and the scenarios have them.</summary>
    public static MemberConfig NodeAt(string directory, string name, int grpcPort, int clusterPort, int firstAppPort) => new(
        name, MemberKind.Node, loopback, grpcPort, clusterPort, Path.Combine(directory, name, "state"), [], TimeSpan.FromSeconds(30), 1000,
        new PortRange(firstAppPort, firstAppPort + 399));

    public static MemberConfig ProxyAt(string directory, int grpcPort, int clusterPort, int port) => new(
        Proxy, MemberKind.Proxy, loopback, grpcPort, clusterPort, Path.Combine(directory, Proxy, "state"), [$"http://{loopback}:{port}"],
        TimeSpan.FromSeconds(30), 1000, new PortRange(20000, 20999));

    /// <summary>The sample wiki on all nodes, as the demo and the scenarios have it.</summary>
    public static SiteConfig WikiAt(string root, string program, TimeSpan startWithin) => new(
        Wiki, Nodes[0], Nodes, Nodes, new FilesConfig(Path.Combine(root, Wiki), [], TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(5)),
        [new DatabaseConfig("wiki", DatabaseKind.Sqlite, "data/wiki.db", null)],
        [
            new AppConfig(
                "web", [program, "--root", "{root}", "--urls", "http://{address}:{port}"], new Dictionary<string, string>(), "/healthz", startWithin, TimeSpan.FromSeconds(5)),
        ],
        ["*"], [], true)
    {
        Failover = oneAfterTheOther,
    };

    private static int PortOf(LocalCluster cluster) => new Uri(cluster.Config.Members[Proxy].Listen[0]).Port;

    private static MirrorConfig Describe(string directory, bool withFiles)
    {
        var ports = LocalCluster.FreePorts(2 * Nodes.Count + 3);
        var port = LocalCluster.IsFree(preferredPort) ? preferredPort : ports[^1];
        var members = Nodes.Select((name, index) => NodeAt(directory, name, ports[2 * index], ports[2 * index + 1], 21000 + 400 * index))
            .Append(ProxyAt(directory, ports[^3], ports[^2], port))
            .ToDictionary(member => member.Name);

        // {node} is replaced when a member reads the file; state and root lie on one file system, for hard links.
        var root = Path.Combine(directory, "{node}", "srv");
        var sites = new Dictionary<string, SiteConfig>
        {
            [Wiki] = WikiAt(root, WikiProgram(), TimeSpan.FromSeconds(30)) with { MirrorHosts = [mirrorHost] },
        };
        if (withFiles)
        {
            sites[Files] = new SiteConfig(
                Files, Nodes[0], Nodes, Nodes, new FilesConfig(Path.Combine(root, Files), [], TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(5)),
                [], [], ["files.localhost"], [], true)
            {
                Failover = oneAfterTheOther,
            };
        }

        return new MirrorConfig
        {
            Cluster = new ClusterConfig("demo", TimeSpan.FromSeconds(3), Path.Combine(directory, "pki")),
            Members = members,
            Sites = sites,
        };
    }

    private static string WikiProgram()
    {
        var program = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "wiki", "wiki"));
        return File.Exists(program)
            ? program
            : throw new CommandException($"the sample wiki is not at {program}. Run `./build.sh publish` in the checkout, and start the demo with ./mirror.");
    }

    private static async Task CopyAsync(string source, string destination, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(destination)!);
        var result = await CliWrap.Cli.Wrap("cp").WithArguments(["-a", "--", Path.GetFullPath(source), destination])
            .WithStandardErrorPipe(CliWrap.PipeTarget.ToStream(Console.OpenStandardError()))
            .WithValidation(CliWrap.CommandResultValidation.None).ExecuteAsync(cancellation);
        if (result.ExitCode != 0)
        {
            throw new CommandException($"{source} could not be copied into the demo's scratch directory (cp ended with {result.ExitCode}).");
        }
    }
}
