using System.Security.Cryptography;
using System.Text.Json;
using Mirror.Cli.Demo;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Testing;

namespace Mirror.Scenarios;

/// <summary>The machine with the newest version burns down before anybody else has it: a person gives that version up, by the command as it is typed; and it is kept as a branch when the machine is back after all.</summary>
[Collection("one cluster at a time")]
public sealed class ForcedPromotionTests : IDisposable
{
    private static readonly string[] nodes = ["alpha", "beta", "gamma"];
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(90);

    private readonly TemporaryDirectory scratch = new();
    private LocalCluster cluster = null!;

    private string Root => Path.Combine(scratch.Path, "alpha", "srv", "wiki");

    public void Dispose() => scratch.Dispose();

    [Fact]
    public async Task What_only_a_lost_machine_had_is_given_up_by_a_person_who_was_shown_it()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        await using var running = cluster = await PrepareAsync(limit.Token);
        cluster.StartAll();
        await cluster.UntilAsync("beta", "the cluster did not come up", status => Hold(status, 3, _ => true) && status.Sites[0].Primary == "alpha", patience, limit.Token);

        // A version of which the others have heard, and which takes a minute to get to them.
        await File.WriteAllBytesAsync(Path.Combine(Root, "film"), RandomNumberGenerator.GetBytes(16 << 20), limit.Token);
        var capture = await cluster.ControlOf("alpha").CaptureAsync(new CaptureRequest { Site = "wiki", TimeoutMs = 60_000 }, cancellationToken: limit.Token);
        var newest = $"{capture.Version.Id.Epoch}.{capture.Version.Id.Sequence}";
        await cluster.UntilAsync("beta", "beta did not hear of it", status => Equals(status.Sites[0].Newest, capture.Version.Id), patience, limit.Token);
        await cluster.MeltAsync("alpha", [], limit.Token);
        await cluster.UntilAsync("beta", "alpha is still there", status => !status.Sites[0].Holdings.Single(holding => holding.Node == "alpha").Reachable, patience, limit.Token);

        var refused = await RunAsync("promote", "beta", "--json");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("--allow-data-loss would overrule that", refused.Json.GetProperty("outcome").GetString(), StringComparison.Ordinal);
        var stake = refused.Json.GetProperty("at_stake");
        Assert.Equal((newest, "alpha"), (stake.GetProperty("newest").GetString(), Assert.Single(stake.GetProperty("only_on").EnumerateArray()).GetString()));

        var unconfirmed = await RunAsync("promote", "beta", "--allow-data-loss", "--reason", "alpha burnt down");
        Assert.Equal(ExitCode.Usage, unconfirmed.Code);
        Assert.Contains("Promote beta at 127.0.0.1, a replica, to primary of wiki (epoch 1", unconfirmed.Errors, StringComparison.Ordinal);
        Assert.Contains($"to {newest},", unconfirmed.Errors, StringComparison.Ordinal);

        var stale = await RunAsync("promote", "beta", "--allow-data-loss", "--reason", "alpha burnt down", "--epoch", "7", "--yes", "--json");
        Assert.Equal(ExitCode.Failed, stale.Code);
        Assert.NotEqual("beta", (await cluster.StatusAsync("beta", limit.Token))!.Sites[0].Primary);

        var done = await RunAsync("promote", "beta", "--allow-data-loss", "--reason", "alpha burnt down", "--wait", "60", "--yes", "--json");
        Assert.True(done.Code == ExitCode.Ok, done.Output + done.Errors);
        Assert.Equal("beta", done.Json.GetProperty("primary").GetString());
        var history = (await RunAsync("history", "--json")).Json.GetProperty("decisions").EnumerateArray().Select(line => line.GetProperty("sentence").GetString()!).ToList();
        Assert.Contains(history, sentence => sentence.Contains($"promotes beta, giving up 1 version(s) up to {newest}: alpha burnt down", StringComparison.Ordinal));

        // It did not burn down.
        cluster.Start("alpha");
        var label = "";
        while (label.Length == 0)
        {
            var branches = (await RunAsync("diverged", "list", "--json")).Json.GetProperty("branches").EnumerateArray();
            label = branches.FirstOrDefault() is { ValueKind: JsonValueKind.Object } branch ? branch.GetProperty("label").GetString()! : "";
            await Task.Delay(TimeSpan.FromMilliseconds(100), limit.Token);
        }

        Assert.Equal(newest, label);
    }

    private static bool Hold(ClusterStatus status, int count, Func<HoldingState, bool> also) =>
        status.Sites[0].Holdings.Count == count && status.Sites[0].Holdings.All(holding => holding.Verified is { Epoch: > 0 } && also(holding));

    private async Task<(int Code, string Output, string Errors, JsonElement Json)> RunAsync(params string[] arguments)
    {
        var ended = await MirrorProgram.RunAsync([.. arguments, "--config", cluster.ConfigFile, "--node", "beta"]);
        return (ended.ExitCode, ended.StandardOutput, ended.StandardError, arguments.Contains("--json") ? JsonDocument.Parse(ended.StandardOutput).RootElement : default);
    }

    private async Task<LocalCluster> PrepareAsync(CancellationToken cancellation)
    {
        var directory = scratch.Path;
        var ports = LocalCluster.FreePorts(6);
        var members = nodes.Select((name, index) => DemoSetup.NodeAt(directory, name, ports[2 * index], ports[2 * index + 1], 26400 + 400 * index)).ToDictionary(member => member.Name);

        // Nothing moves by itself, and what is sent is sent slowly.
        var site = new SiteConfig(
            "wiki", "alpha", nodes, nodes, new FilesConfig(Path.Combine(directory, "{node}", "srv", "wiki"), [], TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5)), [], [], [], [], false)
        {
            Capture = CaptureConfig.Default with { OnChange = false }, Replication = new ReplicationConfig(256 << 10, []),
        };
        var config = new MirrorConfig
        {
            Cluster = new ClusterConfig("scenario", TimeSpan.FromSeconds(4), Path.Combine(directory, "pki")), Members = members, Sites = new Dictionary<string, SiteConfig> { ["wiki"] = site },
        };
        var prepared = await LocalCluster.PrepareAsync(directory, config, MirrorProgram.File, cancellation);
        Directory.CreateDirectory(Root);
        await File.WriteAllTextAsync(Path.Combine(Root, "page"), "one", cancellation);
        return prepared;
    }
}
