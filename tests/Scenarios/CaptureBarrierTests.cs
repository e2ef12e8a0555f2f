using System.Text.Json;
using Mirror.Cli.Demo;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>`mirror capture --wait` on a live cluster: what was written before the command is where it says it is when it ends.</summary>
[Collection("one cluster at a time")]
public sealed class CaptureBarrierTests : IDisposable
{
    private static readonly string[] nodes = ["alpha", "beta", "gamma"];

    private readonly TemporaryDirectory scratch = new();
    private LocalCluster cluster = null!;

    private string Root => Path.Combine(scratch.Path, "alpha", "srv", "wiki");

    public void Dispose() => scratch.Dispose();

    [Fact]
    public async Task A_capture_is_waited_for_and_a_replica_that_is_gone_is_named()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(6));
        await using var running = cluster = await PrepareAsync(limit.Token);
        cluster.StartAll();
        var status = await cluster.UntilAsync("alpha", "the cluster did not come up", Settled, TimeSpan.FromSeconds(120), limit.Token);

        // Asked of a replica: it passes the question on.
        foreach (var (goal, asked) in new[] { ("stored:2", "alpha"), ("warm:2", "beta"), ("consistent", "alpha"), ("stored:1", "gamma") })
        {
            await File.WriteAllTextAsync(Path.Combine(Root, "page"), $"written before {goal}", limit.Token);
            var (code, json) = await CaptureAsync("--wait", goal, "--node", asked);
            Assert.True(code == 0, json.ToString());
            Assert.True(json.GetProperty("reached").GetBoolean() && json.GetProperty("changed").GetBoolean(), json.ToString());
            Assert.Equal(goal, json.GetProperty("waited_for").GetString());
            Assert.Equal(["beta", "gamma"], json.GetProperty("replicas").EnumerateArray().Select(replica => replica.GetProperty("node").GetString()));
            if (goal == "warm:2")
            {
                Assert.All(["beta", "gamma"], node => Assert.Equal($"written before {goal}", NewestOn(node)));
            }
        }

        var (none, said) = await CaptureAsync("--wait", "stored:3");
        Assert.Equal(ExitCode.Failed, none);
        Assert.Contains("has 2 besides its primary", said.GetProperty("error").GetString(), StringComparison.Ordinal);

        var gamma = status.Sites[0].Holdings.Single(holding => holding.Node == "gamma");
        await cluster.MeltAsync("gamma", gamma.ProcessIds, limit.Token);
        await File.WriteAllTextAsync(Path.Combine(Root, "page"), "gamma is gone", limit.Token);
        var (first, _) = await CaptureAsync("--wait", "stored:1", "--node", "alpha");
        Assert.Equal(ExitCode.Ok, first);
        var (late, lagging) = await CaptureAsync("--wait", "stored:2", "--timeout", "1", "--node", "alpha");
        Assert.Equal(ExitCode.Findings, late);
        Assert.False(lagging.GetProperty("reached").GetBoolean());
        Assert.Equal(2, lagging.GetProperty("copies").GetInt32());
        Assert.Equal([true, false], lagging.GetProperty("replicas").EnumerateArray().Select(replica => replica.TryGetProperty("after_ms", out _)));
    }

    private string NewestOn(string node) => File.ReadAllText(Path.Combine(scratch.Path, node, "srv", "wiki", "page"));

    private async Task<(int Code, JsonElement Json)> CaptureAsync(params string[] arguments)
    {
        var ended = await MirrorProgram.RunAsync(["capture", .. arguments, "--config", cluster.ConfigFile, "--json"]);
        return (ended.ExitCode, JsonDocument.Parse(ended.StandardOutput).RootElement);
    }

    private static bool Settled(ClusterStatus status) => status.Sites[0] is { Primary: "alpha", Holdings.Count: 3 } site
        && site.Holdings.All(holding => holding.Verified is { Epoch: > 0 });

    private async Task<LocalCluster> PrepareAsync(CancellationToken cancellation)
    {
        var directory = scratch.Path;
        var ports = LocalCluster.FreePorts(6);
        var members = nodes.Select((name, index) => DemoSetup.NodeAt(directory, name, ports[2 * index], ports[2 * index + 1], 26200 + 400 * index)).ToDictionary(member => member.Name);

        // Only what the test asks for is captured. The lease is one that a machine busy for some seconds keeps: nothing here is about losing it.
        var site = new SiteConfig(
            "wiki", "alpha", nodes, nodes, new FilesConfig(Path.Combine(directory, "{node}", "srv", "wiki"), [], TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(5)),
            [], [], [], [], true)
        {
            Capture = CaptureConfig.Default with { OnChange = false },
        };
        var config = new MirrorConfig
        {
            Cluster = new ClusterConfig("scenario", TimeSpan.FromSeconds(8), Path.Combine(directory, "pki")),
            Members = members,
            Sites = new Dictionary<string, SiteConfig> { ["wiki"] = site },
        };
        var prepared = await LocalCluster.PrepareAsync(directory, config, MirrorProgram.File, cancellation);
        Directory.CreateDirectory(Root);
        await File.WriteAllTextAsync(Path.Combine(Root, "page"), "page 1", cancellation);
        return prepared;
    }
}
