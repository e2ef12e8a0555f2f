using System.Globalization;
using Mirror.Cli.Demo;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.Scenarios;

/// <summary>
/// What a primary pays for its replicas: a version is looked for, hashed, compared and packed once, however many take it. Processor time of the primary's process as the kernel counts it, which
/// a busy machine does not change much.
/// </summary>
[Collection("one cluster at a time")]
public sealed class ReplicaCostTests(ITestOutputHelper output)
{
    private const int Files = 400;
    private const int FileLength = 256 * 1024;
    private const int EditedInVersion = 50;
    private const int Versions = 20;

    [LongFact]
    public async Task Three_replicas_cost_the_primary_little_more_than_one()
    {
        var one = await ProcessorTimeAsync(replicas: 1);
        var three = await ProcessorTimeAsync(replicas: 3);

        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{Versions} versions, each with {EditedInVersion} of {Files} files of {FileLength >> 10} KiB written anew: {one.TotalMilliseconds:F0} ms with one replica, {three.TotalMilliseconds:F0} ms with three, {three / one:F2} times"));
        Assert.True(three < 2 * one, $"{one.TotalMilliseconds:F0} ms with one replica, {three.TotalMilliseconds:F0} ms with three");
    }

    private static async Task<TimeSpan> ProcessorTimeAsync(int replicas)
    {
        using var scratch = new TemporaryDirectory();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(10));
        string[] nodes = ["alpha", .. Enumerable.Range(1, replicas).Select(static replica => $"replica{replica}")];
        await using var cluster = await PrepareAsync(scratch.Path, nodes, limit.Token);
        var root = Path.Combine(scratch.Path, "alpha", "srv", "site");
        var random = new Random(1);
        Directory.CreateDirectory(root);
        for (var file = 0; file < Files; file++)
        {
            await WriteAsync(root, file, random, limit.Token);
        }

        cluster.StartAll();
        var status = await cluster.UntilAsync("alpha", "the cluster did not come up", seen => seen.Sites[0] is { Primary: "alpha" } site && site.Holdings.Count == nodes.Length
            && site.Holdings.All(static holding => holding.Verified is { Epoch: > 0 }), TimeSpan.FromMinutes(5), limit.Token);
        var process = status.Sites[0].Holdings.Single(static holding => holding.Node == "alpha").ProcessIds[0];

        await CaptureAsync(cluster, replicas); // The runtime's first steps are not the replicas' cost.
        var before = TimeOf(process);
        for (var version = 0; version < Versions; version++)
        {
            for (var file = 0; file < EditedInVersion; file++)
            {
                await WriteAsync(root, random.Next(Files), random, limit.Token);
            }

            await CaptureAsync(cluster, replicas);
        }

        return TimeOf(process) - before;
    }

    private static async Task CaptureAsync(LocalCluster cluster, int replicas)
    {
        var ended = await MirrorProgram.RunAsync(["capture", "--wait", $"stored:{replicas}", "--node", "alpha", "--config", cluster.ConfigFile, "--json"]);
        Assert.True(ended.ExitCode == 0, ended.StandardOutput + ended.StandardError);
    }

    private static async Task WriteAsync(string root, int file, Random random, CancellationToken cancellation)
    {
        var content = new byte[FileLength];
        random.NextBytes(content);
        await File.WriteAllBytesAsync(Path.Combine(root, $"file{file}"), content, cancellation);
    }

    private static TimeSpan TimeOf(int process)
    {
        var fields = File.ReadAllText($"/proc/{process}/stat");
        var afterName = fields[(fields.LastIndexOf(')') + 2)..].Split(' ');

        // utime and stime, in hundredths of a second.
        return TimeSpan.FromMilliseconds(10 * (long.Parse(afterName[11], CultureInfo.InvariantCulture) + long.Parse(afterName[12], CultureInfo.InvariantCulture)));
    }

    private static async Task<LocalCluster> PrepareAsync(string directory, string[] nodes, CancellationToken cancellation)
    {
        var ports = LocalCluster.FreePorts(2 * nodes.Length);
        var members = nodes.Select((name, index) => DemoSetup.NodeAt(directory, name, ports[2 * index], ports[2 * index + 1], 26200 + 400 * index)).ToDictionary(member => member.Name);
        var site = new SiteConfig(
            "site", "alpha", nodes, nodes, new FilesConfig(Path.Combine(directory, "{node}", "srv", "site"), [], TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(60)), [], [], [], [], true)
        {
            // Only what the test asks for is captured.
            Capture = CaptureConfig.Default with { OnChange = false },
        };
        return await LocalCluster.PrepareAsync(directory, new MirrorConfig
        {
            Cluster = new ClusterConfig("scenario", TimeSpan.FromSeconds(8), Path.Combine(directory, "pki")),
            Members = members,
            Sites = new Dictionary<string, SiteConfig> { ["site"] = site },
        }, MirrorProgram.File, cancellation);
    }
}
