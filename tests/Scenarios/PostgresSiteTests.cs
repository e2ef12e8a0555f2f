using System.Net.Http;
using Mirror.Cli.Demo;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>A site whose data is in PostgreSQL: dumped, replicated, loaded and booted on the replicas, and served by one of them when the primary dies.</summary>
[Collection("one cluster at a time")]
public sealed class PostgresSiteTests
{
    private static readonly string[] nodes = ["alpha", "beta", "gamma"];

    [Fact]
    public async Task A_postgres_site_is_replicated_warm_and_survives_its_primary()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(6));
        await using var server = await PostgresServer.StartAsync();
        await server.QueryAsync("postgres", "create database shop_alpha");
        await server.QueryAsync("shop_alpha", "create table items(name text primary key); insert into items values ('tea'), ('cake')");
        using var scratch = new TemporaryDirectory();
        await using var cluster = await PrepareAsync(scratch.Path, server, limit.Token);
        cluster.StartAll();
        var status = await cluster.UntilAsync("alpha", "the cluster did not come up", Settled, TimeSpan.FromSeconds(120), limit.Token);
        using var client = new HttpClient();

        // One server for all of them here, so each node's databases bear its name. Every replica runs the app on a database of its own, loaded from the dump.
        foreach (var holding in status.Sites[0].Holdings)
        {
            Assert.Equal("cake,tea", await client.GetStringAsync(new Uri(holding.AppAddress + "/items"), limit.Token));
            Assert.Equal("open", await client.GetStringAsync(new Uri(holding.AppAddress + "/notice"), limit.Token));
        }

        // A row written through the proxy and a file beside it are in one version, and that version is on every replica.
        var site = new Uri(cluster.Config.Members[DemoSetup.Proxy].Listen[0]);
        (await client.PostAsync(new Uri(site, "/items/jam"), null, limit.Token)).EnsureSuccessStatusCode();
        await File.WriteAllTextAsync(Path.Combine(cluster.Directory, "alpha", "srv", "shop", "notice.txt"), "jam is new", limit.Token);
        var capture = await cluster.ControlOf("alpha").CaptureAsync(
            new CaptureRequest { Site = "shop", WaitCopies = 3, TimeoutMs = 120_000 }, cancellationToken: limit.Token);
        Assert.Equal(3u, capture.Copies);

        var before = status.Sites[0].Epoch;
        var victim = (await cluster.StatusAsync("alpha", limit.Token))!.Sites[0].Holdings.First(holding => holding.Node == "alpha");
        await cluster.MeltAsync("alpha", victim.ProcessIds, limit.Token);
        var after = await cluster.UntilAsync(
            DemoSetup.Proxy, "no replica took over", now => now.Sites[0] is { Primary.Length: > 0 } found && found.Epoch > before, TimeSpan.FromSeconds(120), limit.Token);

        Assert.NotEqual("alpha", after.Sites[0].Primary);
        Assert.Equal("cake,jam,tea", await client.GetStringAsync(new Uri(site, "/items"), limit.Token));
        Assert.Equal("jam is new", await client.GetStringAsync(new Uri(site, "/notice"), limit.Token));
    }

    private static bool Settled(ClusterStatus status) => status.Sites[0] is { Primary: "alpha", Holdings.Count: 3 } site
        && site.Holdings.All(holding => holding.AppAddress.Length > 0 && holding.Warm is { Epoch: > 0 });

    private static async Task<LocalCluster> PrepareAsync(string directory, PostgresServer server, CancellationToken cancellation)
    {
        var ports = LocalCluster.FreePorts(9);
        var members = nodes.Select((name, index) => DemoSetup.NodeAt(directory, name, ports[2 * index], ports[2 * index + 1], 23000 + 400 * index))
            .Append(DemoSetup.ProxyAt(directory, ports[6], ports[7], ports[8]))
            .ToDictionary(member => member.Name);
        var app = new AppConfig(
            "web", [Checkout.Path("tests", "ShopApp", "bin", Configuration, "net10.0", "shop-app"), "--root", "{root}", "--urls", "http://{address}:{port}"],
            new Dictionary<string, string> { ["SHOP_DATABASE"] = "{database:shop}" }, "/healthz", TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(5));
        var site = new SiteConfig(
            "shop", "alpha", nodes, nodes,
            new FilesConfig(Path.Combine(directory, "{node}", "srv", "shop"), [], TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(5)),
            [new DatabaseConfig("shop", DatabaseKind.Postgres, null, server.Connection("shop_{node}"))], [app], ["*"], [], true);
        var config = new MirrorConfig
        {
            Cluster = new ClusterConfig("scenario", TimeSpan.FromSeconds(2), Path.Combine(directory, "pki")),
            Members = members,
            Sites = new Dictionary<string, SiteConfig> { ["shop"] = site },
        };
        var cluster = await LocalCluster.PrepareAsync(directory, config, MirrorProgram.File, cancellation);
        var root = Directory.CreateDirectory(Path.Combine(directory, "alpha", "srv", "shop")).FullName;
        await File.WriteAllTextAsync(Path.Combine(root, "notice.txt"), "open", cancellation);
        return cluster;
    }

    private static string Configuration => new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
}
