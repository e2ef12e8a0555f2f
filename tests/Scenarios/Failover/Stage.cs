using Grpc.Core;
using Mirror.Cli.Demo;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Testing;

namespace Mirror.Scenarios.Failover;

/// <summary>
/// The sample wiki on three nodes behind a proxy, each on a host of its own, the nodes with disks of their own, and a host for users. What a scenario breaks is mended before the next begins.
/// </summary>
internal sealed class Stage : IAsyncDisposable
{
    public const string Users = "users";

    /// <summary>The default, of which the figures speak.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(4);

    private const int sitePort = 8080;
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(120);

    private readonly TemporaryDirectory scratch;
    private readonly Dictionary<string, HostDisk> disks;
    private readonly Dictionary<string, string[]> preludes;
    private readonly HashSet<string> unplugged = [];

    private Stage(TemporaryDirectory scratch, HostNetwork network, Dictionary<string, HostDisk> disks, Dictionary<string, string[]> preludes, LocalCluster cluster)
    {
        this.scratch = scratch;
        this.disks = disks;
        this.preludes = preludes;
        Network = network;
        Cluster = cluster;
        Watch = new ReignWatch(Nodes.Select(node => (node, cluster.Config.Members[node].ControlSocket.Replace("{node}", node, StringComparison.Ordinal))));
    }

    public static IReadOnlyList<string> Nodes => DemoSetup.Nodes;

    public HostNetwork Network { get; }

    public LocalCluster Cluster { get; }

    public ReignWatch Watch { get; }

    public Uri Site => new($"http://{Network.AddressOf(DemoSetup.Proxy)}:{sitePort}/");

    public static async Task<Stage> BuildAsync()
    {
        var scratch = new TemporaryDirectory();
        var network = new HostNetwork([.. Nodes, DemoSetup.Proxy, Users]);
        var disks = Nodes.ToDictionary(node => node, node => new HostDisk(scratch[$"{node}.disk"], scratch[node], 1024));
        var members = Nodes.Select(node => DemoSetup.NodeAt(scratch.Path, node, 7400, 7401, 20000) with { Address = network.AddressOf(node) })
            .Append(DemoSetup.ProxyAt(scratch.Path, 7400, 7401, sitePort) with
            {
                Address = network.AddressOf(DemoSetup.Proxy), Listen = [$"http://{network.AddressOf(DemoSetup.Proxy)}:{sitePort}"],
            })
            .ToDictionary(member => member.Name);
        var site = DemoSetup.WikiAt(Path.Combine(scratch.Path, "{node}", "srv"), Checkout.Path(".build", "wiki", "wiki"), TimeSpan.FromSeconds(60));
        var config = new MirrorConfig
        {
            Cluster = new ClusterConfig("scenario", Lease, scratch["pki"]),
            Members = members,
            Sites = new Dictionary<string, SiteConfig> { [site.Name] = site },
        };
        var preludes = new Dictionary<string, string[]>();
        var cluster = await LocalCluster.PrepareAsync(
            scratch.Path, config, member => [.. network.Enter(member), .. preludes.GetValueOrDefault(member, []), MirrorProgram.File], CancellationToken.None);
        Directory.CreateDirectory(DemoSetup.RootOf(cluster, site.Primary, site.Name));
        return new Stage(scratch, network, disks, preludes, cluster);
    }

    public HostDisk DiskOf(string node) => disks[node];

    /// <summary>What a member is started with from now on: a command that ends by executing the one that follows it.</summary>
    public void StartWith(string member, params string[] prelude) => preludes[member] = prelude;

    public string Scratch(string name) => scratch[name];

    /// <summary>Everything is mended and started, and everybody is where he belongs.</summary>
    public async Task<SiteState> SettleAsync(CancellationToken cancellation)
    {
        Network.Heal();
        foreach (var host in unplugged.ToArray())
        {
            Plug(host);
        }

        foreach (var disk in disks.Values)
        {
            disk.Release();
            disk.MakeRoom();
        }

        foreach (var member in Cluster.Config.Members.Keys.Where(member => !Cluster.IsStarted(member)))
        {
            Cluster.Start(member);
        }

        // Each by itself: what others say of one that is away may be old.
        foreach (var node in Nodes)
        {
            await Cluster.UntilAsync(node, $"{node} did not settle", DemoStory.IsSettled, patience, cancellation);
        }

        return await UntilAsync("the cluster did not settle", DemoStory.IsSettled, cancellation);
    }

    /// <summary>Until the proxy sees the site as wanted.</summary>
    public async Task<SiteState> UntilAsync(string what, Func<ClusterStatus, bool> wanted, CancellationToken cancellation) =>
        (await Cluster.UntilAsync(DemoSetup.Proxy, what, wanted, patience, cancellation)).Sites[0];

    /// <summary>As planned, by the verb.</summary>
    public async Task PromoteAsync(string node, CancellationToken cancellation)
    {
        using var call = Cluster.ControlOf(node).Promote(new PromoteRequest { Site = DemoSetup.Wiki, To = node }, cancellationToken: cancellation);
        var last = await call.ResponseStream.ReadAllAsync(cancellation).LastAsync(cancellation);
        Assert.True(last is { Done: true, Ok: true }, last.Step);
    }

    public void Unplug(string host)
    {
        Network.Unplug(host);
        unplugged.Add(host);
    }

    public void Plug(string host)
    {
        Network.Plug(host);
        unplugged.Remove(host);
    }

    /// <summary>kill -9 of the node's process alone.</summary>
    public Task KillAsync(string node, CancellationToken cancellation) => Cluster.MeltAsync(node, [], cancellation);

    /// <summary>A machine that is dead says nothing, not even that nobody is there.</summary>
    public async Task MeltAsync(string node, CancellationToken cancellation)
    {
        Unplug(node);
        await Cluster.MeltAsync(node, Network.ProcessesOf(node), cancellation);
    }

    /// <summary>The machine is switched on again.</summary>
    public void Boot(string node)
    {
        Plug(node);
        Cluster.Start(node);
    }

    public async ValueTask DisposeAsync()
    {
        await Watch.DisposeAsync();
        await Cluster.DisposeAsync();
        Network.Dispose();
        foreach (var disk in disks.Values)
        {
            disk.Dispose();
        }

        scratch.Dispose();
    }
}
