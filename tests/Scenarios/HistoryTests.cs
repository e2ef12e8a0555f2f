using System.Text.Json;
using Microsoft.Data.Sqlite;
using Mirror.Cli.Demo;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Scenarios;

/// <summary>What an operator asks of a cluster's history while it runs: looking, bringing back, keeping and dropping; also from nodes that lack what is asked for.</summary>
[Collection("one cluster at a time")]
public sealed class HistoryTests : IDisposable
{
    private static readonly string[] nodes = ["alpha", "beta", "gamma"];

    private readonly TemporaryDirectory scratch = new();
    private LocalCluster cluster = null!;

    private string Root => Path.Combine(scratch.Path, "alpha", "srv", "wiki");

    private string Database => Path.Combine(Root, "data", "wiki.db");

    public void Dispose() => scratch.Dispose();

    [Fact]
    public async Task Versions_are_looked_at_brought_back_kept_and_dropped_on_a_live_cluster()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(8));
        await using var running = cluster = await PrepareAsync(limit.Token);
        cluster.StartAll();
        await cluster.UntilAsync("alpha", "the cluster did not come up", Settled, TimeSpan.FromSeconds(120), limit.Token);
        var versions = new List<string> { await CaptureAsync(limit.Token) };
        for (var number = 2; number <= 5; number++)
        {
            Write(number);
            versions.Add(await CaptureAsync(limit.Token));
        }

        await LookAsync("beta", versions);
        await KeepAndDropAsync("gamma", versions);

        // The primary kept only what its versions were called: their contents are on the others, and come from there.
        var report = await RestoreAsync("alpha", versions[0], "from-alpha");
        Assert.NotEmpty(report.GetProperty("peers").EnumerateArray());
        AssertIs(1, "from-alpha");

        // A replica whose whole history is gone.
        foreach (var pack in Directory.GetFiles(Path.Combine(cluster.Directory, "beta", "state", "sites", "wiki", "history"), "*.pack"))
        {
            File.Delete(pack);
        }

        report = await RestoreAsync("beta", versions[1], "from-beta");
        Assert.Contains(report.GetProperty("peers").EnumerateArray(), peer => peer.GetProperty("node").GetString() == "gamma" && peer.GetProperty("contents").GetInt64() > 0);
        AssertIs(2, "from-beta");
        Assert.Equal("page 1", (await SucceedAsync("cat", versions[0], "page", "--node", "beta")).StandardOutput);

        await ReloadAsync(versions);
        await DivergeAsync(limit.Token);
    }

    /// <summary>The primary dies with what it never captured, and comes back when another has taken over.</summary>
    private async Task DivergeAsync(CancellationToken cancellation)
    {
        Assert.Empty((await JsonAsync("diverged", "list", "--node", "beta")).GetProperty("branches").EnumerateArray());
        await File.WriteAllTextAsync(Path.Combine(Root, "order"), "nobody saw this", cancellation);
        Execute(Database, "INSERT INTO page VALUES(77)");
        await cluster.MeltAsync("alpha", [], cancellation);
        await cluster.UntilAsync("beta", "nobody took over", status => status.Sites[0].Primary is "beta" or "gamma", TimeSpan.FromSeconds(60), cancellation);
        cluster.Start("alpha");

        // Whoever is asked knows who has it.
        var branch = await FirstBranchAsync("beta", cancellation);
        var label = branch.GetProperty("label").GetString()!;
        Assert.Equal(("alpha", "alpha", false), (branch.GetProperty("node").GetString(), branch.GetProperty("written_by").GetString(), branch.GetProperty("given_up").GetBoolean()));
        var shown = await JsonAsync("diverged", "show", label);
        Assert.True(shown.GetProperty("branch").GetProperty("paths_only_here").GetInt32() >= 2, branch.ToString());
        Assert.Equal("wiki", Assert.Single(shown.GetProperty("databases").EnumerateArray()).GetString());
        var order = shown.GetProperty("paths").EnumerateArray().Single(path => path.GetProperty("change").GetProperty("path").GetString() == "order");
        Assert.Equal(("added", "untouched"), (order.GetProperty("change").GetProperty("change").GetString(), order.GetProperty("now").GetString()));
        var unknown = await MirrorProgram.RunAsync("diverged", "show", "1.99", "--config", cluster.ConfigFile, "--node", "alpha");
        Assert.Equal(ExitCode.Failed, unknown.ExitCode);
        Assert.Contains($"{label} on alpha", unknown.StandardError, StringComparison.Ordinal);

        await JsonAsync("diverged", "export", label, "--to", scratch["lost"], "--only-differing");
        Assert.Equal("nobody saw this", await File.ReadAllTextAsync(Path.Combine(scratch["lost"], "order"), cancellation));
        Assert.False(File.Exists(Path.Combine(scratch["lost"], "same")));
        Assert.Equal(1, Count(Path.Combine(scratch["lost"], ".mirror", "dumps", "wiki.sqlite"), "number = 77"));
        var taken = await MirrorProgram.RunAsync("diverged", "export", label, "--to", scratch["lost"], "--config", cluster.ConfigFile);
        Assert.Contains("is not empty", taken.StandardError, StringComparison.Ordinal);

        var unsaid = await MirrorProgram.RunAsync("diverged", "drop", label, "--config", cluster.ConfigFile, "--yes");
        Assert.Equal(ExitCode.Usage, unsaid.ExitCode);
        var unconfirmed = await MirrorProgram.RunAsync("diverged", "drop", label, "--reason", "typed in again", "--config", cluster.ConfigFile);
        Assert.Equal(ExitCode.Usage, unconfirmed.ExitCode);
        Assert.Contains("no other node has any of them", unconfirmed.StandardError, StringComparison.Ordinal);
        Assert.Single((await JsonAsync("diverged", "list", "--node", "beta")).GetProperty("branches").EnumerateArray());

        await JsonAsync("diverged", "drop", label, "--reason", "typed in again", "--yes");
        var history = (await JsonAsync("history", "--node", "beta")).GetProperty("decisions").EnumerateArray().Select(line => line.GetProperty("sentence").GetString()!).ToList();
        Assert.Contains(history, sentence => sentence.Contains($"gives up the diverged branch {label}", StringComparison.Ordinal) && sentence.EndsWith(": typed in again", StringComparison.Ordinal));
        Assert.All((await JsonAsync("diverged", "list", "--node", "beta")).GetProperty("branches").EnumerateArray(), left => Assert.True(left.GetProperty("given_up").GetBoolean()));
    }

    private async Task<JsonElement> FirstBranchAsync(string asked, CancellationToken cancellation)
    {
        while (true)
        {
            if ((await JsonAsync("diverged", "list", "--node", asked)).GetProperty("branches").EnumerateArray().FirstOrDefault() is { ValueKind: JsonValueKind.Object } branch)
            {
                await cluster.UntilAsync(
                    asked, "alpha did not follow", status => Settled(status, status.Sites[0].Primary) && status.Sites[0].Holdings.All(holding => Equals(holding.Verified, status.Sites[0].Newest)), TimeSpan.FromSeconds(60), cancellation);
                return branch;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), cancellation);
        }
    }

    private async Task LookAsync(string node, List<string> versions)
    {
        var changes = (await JsonAsync("diff", versions[0], versions[2], "--node", node)).GetProperty("changes").EnumerateArray()
            .Select(change => change.GetProperty("path").GetString()).ToList();
        Assert.Contains("page", changes);
        Assert.Contains("new-3", changes);
        Assert.DoesNotContain("same", changes);
        var history = (await JsonAsync("find", "new-3", "--node", node)).GetProperty("changes").EnumerateArray().ToList();
        Assert.Equal(versions[2], Assert.Single(history).GetProperty("version").GetString());
        Assert.Equal("page 2", (await SucceedAsync("cat", versions[1], "page", "--node", node)).StandardOutput);
        var report = await RestoreAsync(node, versions[2], "looked-at");
        Assert.Empty(report.GetProperty("peers").EnumerateArray());
        AssertIs(3, "looked-at");
    }

    private async Task KeepAndDropAsync(string node, List<string> versions)
    {
        await JsonAsync("protect", versions[1], "--reason", "before the migration", "--node", node);
        await JsonAsync("keyframe", versions[1], "--node", node);
        var refused = await MirrorProgram.RunAsync("forget", versions[1], "--yes", "--config", cluster.ConfigFile, "--node", node);
        Assert.NotEqual(0, refused.ExitCode);
        await JsonAsync("forget", versions[2], "--yes", "--node", node);
        var kept = (await JsonAsync("versions", "--node", node)).GetProperty("versions").EnumerateArray().Select(version => version.GetProperty("id").GetString()!).ToList();
        Assert.Equal(versions.Where(version => version != versions[2]), kept.Where(versions.Contains).Order(StringComparer.Ordinal));
        await RestoreAsync(node, versions[0], "after-forgetting");
        AssertIs(1, "after-forgetting");
    }

    private async Task ReloadAsync(List<string> versions)
    {
        var refused = await MirrorProgram.RunAsync("restore", versions[0], "--databases", "--yes", "--config", cluster.ConfigFile, "--node", "alpha");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("is the primary of wiki", refused.StandardError, StringComparison.Ordinal);
        refused = await MirrorProgram.RunAsync("restore", versions[0], "--databases", "--yes", "--config", cluster.ConfigFile, "--node", "beta");
        Assert.Contains("loaded anew with every version", refused.StandardError, StringComparison.Ordinal);
        var unconfirmed = await MirrorProgram.RunAsync("restore", versions[0], "--databases", "--live", "--config", cluster.ConfigFile, "--node", "alpha", "--json");
        Assert.NotEqual(0, unconfirmed.ExitCode);
        Assert.Equal(5, Count(Database));

        var reloaded = await JsonAsync("restore", versions[0], "--databases", "--live", "--yes", "--node", "alpha");

        Assert.Equal(1, Count(Database));
        Assert.Equal(5, Count(reloaded.GetProperty("databases")[0].GetProperty("kept_as").GetString()!));
    }

    private async Task<JsonElement> RestoreAsync(string node, string version, string destination) =>
        await JsonAsync("restore", version, scratch[destination], "--node", node);

    /// <summary>What has found something to tell of, such as a difference, ends with its own code.</summary>
    private async Task<JsonElement> JsonAsync(params string[] arguments)
    {
        var ended = await MirrorProgram.RunAsync([.. arguments, "--config", cluster.ConfigFile, "--json"]);
        Assert.True(ended.ExitCode is 0 or ExitCode.Findings, ended.StandardOutput + ended.StandardError);
        return JsonDocument.Parse(ended.StandardOutput).RootElement;
    }

    private async Task<CliWrap.Buffered.BufferedCommandResult> SucceedAsync(params string[] arguments)
    {
        var ended = await MirrorProgram.RunAsync([.. arguments, "--config", cluster.ConfigFile]);
        Assert.True(ended.ExitCode == 0, ended.StandardError);
        return ended;
    }

    private async Task<string> CaptureAsync(CancellationToken cancellation)
    {
        var capture = await cluster.ControlOf("alpha").CaptureAsync(
            new CaptureRequest { Site = "wiki", WaitCopies = 3, TimeoutMs = 60_000 }, cancellationToken: cancellation);
        return $"{capture.Version.Id.Epoch}.{capture.Version.Id.Sequence}";
    }

    private void Write(int number)
    {
        File.WriteAllText(Path.Combine(Root, "page"), $"page {number}");
        File.WriteAllText(Path.Combine(Root, $"new-{number}"), $"only since {number}");
        Execute(Database, $"INSERT INTO page VALUES({number})");
    }

    private void AssertIs(int number, string directory)
    {
        Assert.Equal($"page {number}", File.ReadAllText(Path.Combine(scratch[directory], "page")));
        Assert.Equal(
            Enumerable.Range(2, number - 1).Select(at => $"new-{at}"),
            Directory.GetFiles(scratch[directory], "new-*").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        Assert.Equal(number, Count(Path.Combine(scratch[directory], ".mirror", "dumps", "wiki.sqlite")));
    }

    private static bool Settled(ClusterStatus status) => Settled(status, "alpha");

    private static bool Settled(ClusterStatus status, string primary) => status.Sites[0] is { Primary.Length: > 0, Holdings.Count: 3 } site && site.Primary == primary
        && site.Holdings.All(holding => holding.Verified is { Epoch: > 0 });

    private async Task<LocalCluster> PrepareAsync(CancellationToken cancellation)
    {
        var directory = scratch.Path;
        var ports = LocalCluster.FreePorts(6);
        var members = nodes.Select((name, index) => DemoSetup.NodeAt(directory, name, ports[2 * index], ports[2 * index + 1], 25000 + 400 * index)).ToDictionary(member => member.Name);

        // Only this test captures: no version comes in between. The lease is one that a machine busy for some seconds keeps.
        var site = new SiteConfig(
            "wiki", "alpha", nodes, nodes, new FilesConfig(Path.Combine(directory, "{node}", "srv", "wiki"), [], TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(5)),
            [new DatabaseConfig("wiki", DatabaseKind.Sqlite, "data/wiki.db", null)], [], [], [], true)
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
        Directory.CreateDirectory(Path.GetDirectoryName(Database)!);
        await File.WriteAllTextAsync(Path.Combine(Root, "page"), "page 1", cancellation);
        await File.WriteAllTextAsync(Path.Combine(Root, "same"), "in every version", cancellation);
        Execute(Database, "CREATE TABLE page(number INTEGER); INSERT INTO page VALUES(1)");
        return prepared;
    }

    private static void Execute(string file, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The test's own words.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }

    private static long Count(string file, string where = "1")
    {
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The test's own words.
        command.CommandText = $"SELECT count(*) FROM page WHERE {where}";
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }
}
