using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Mirror.Cli.Demo;
using Mirror.Node.Configuration;
using Mirror.Scenarios.Failover;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.Scenarios;

/// <summary>
/// Answers that wait until other nodes have what was changed (<c>durability: quorum</c>): whatever dies, no line that was acknowledged is lost, which is more than is promised otherwise. And what that costs,
/// beside pages of the same site whose answers wait for nothing.
/// </summary>
[Collection("one cluster at a time")]
public sealed class QuorumTests(ITestOutputHelper output) : IDisposable
{
    private const int crowd = 50;
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan crowding = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan warming = TimeSpan.FromSeconds(20);

    private readonly TemporaryDirectory scratch = new();

    public void Dispose() => scratch.Dispose();

    [Fact]
    public async Task Fifty_clients_lose_nothing_that_was_acknowledged_over_failovers_in_a_row_and_no_read_nor_repeatable_change_fails()
    {
        using var limit = new CancellationTokenSource(patience * (4 + ScenarioTable.Rounds));
        await using var cluster = await WikiCluster.PrepareAsync(
            scratch.Path, TimeSpan.FromSeconds(4),
            site => site with { Durability = new DurabilityConfig(true, TimeSpan.FromSeconds(10), ["/api/pages/safe-"]), Failover = FailoverConfig.Default with { Block = TimeSpan.Zero } },
            limit.Token);
        cluster.StartAll();
        var seen = await cluster.UntilAsync(DemoSetup.Proxy, "the cluster did not come up", DemoStory.IsSettled, patience, limit.Token);
        using var client = new HttpClient { BaseAddress = WikiCluster.SiteOf(cluster), Timeout = patience };
        if (ScenarioTable.IsAsked)
        {
            await MeasureAsync(client, limit.Token);
        }

        await using var load = new DemoLoad(WikiCluster.SiteOf(cluster), "safe", new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5) });
        await using var others = new Crowd(WikiCluster.SiteOf(cluster), "safe-other", crowd - 17, 10);
        var (gaps, outcomes) = (new List<double>(), new List<Outcome>());
        for (var round = 0; round < Math.Max(2, ScenarioTable.Rounds); round++)
        {
            var (primary, epoch) = (seen.Sites[0].Primary, seen.Sites[0].Epoch);
            var (before, failed) = (load.Acknowledged.Count, load.FailedWrites);
            await UntilAsync(() => load.Acknowledged.Count > before + 20, limit.Token);
            await cluster.MeltAsync(primary, [], limit.Token);
            await UntilAsync(() => load.Acknowledged.Any(line => line.Epoch > epoch), limit.Token);
            gaps.Add(load.GapAfter(epoch)!.Value);
            outcomes.Add(new Outcome(0, load.FailedWrites - failed, 0));
            cluster.Start(primary);
            seen = await cluster.UntilAsync(
                DemoSetup.Proxy, $"{primary} did not come back as a replica", status => DemoStory.IsSettled(status) && status.Sites[0].Epoch > epoch, patience, limit.Token);
        }

        await load.StopAsync();
        await others.StopAsync();
        new ScenarioTable(output).Add($"node killed under {crowd} clients, durability quorum", "without an answer", gaps, "no read and no repeatable write failed", outcomes);
        output.WriteLine($"{load.Requests + others.Requests} requests; {load.Acknowledged.Count + others.Acknowledged.Count} changes acknowledged, {load.FailedWrites} that must not be repeated had an open outcome");
        Assert.DoesNotContain(load.Failures, static failure => failure.StartsWith("GET", StringComparison.Ordinal));
        Assert.Empty(others.Failures.GroupBy(static failure => failure[failure.IndexOf(": ", StringComparison.Ordinal)..]).Select(static kind => $"{kind.Count()} times {kind.Key}"));
        var present = new HashSet<string>();
        foreach (var page in load.Pages.Concat(others.Pages))
        {
            var text = (await client.GetFromJsonAsync<JsonElement>(new Uri($"/api/pages/{page}", UriKind.Relative), limit.Token)).GetProperty("text").GetString()!;
            present.UnionWith(text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        }

        Assert.Empty(load.Acknowledged.Where(line => !present.Contains(line.Line)).Select(line => $"{line.Line}, acknowledged in epoch {line.Epoch}"));
        Assert.Empty(others.Acknowledged.Except(present));
    }

    private async Task MeasureAsync(HttpClient client, CancellationToken cancellation)
    {
        // What runs for the first time is compiled meanwhile, and a node runs for months.
        await CrowdAsync(client, "safe-warming", warming, cancellation);
        var waits = new Dictionary<string, List<double>> { ["fast"] = [], ["safe"] = [] };
        for (var number = 0; number < 60; number++)
        {
            foreach (var (page, took) in waits)
            {
                took.Add(await AppendAsync(client, $"{page}-serial", number, cancellation));
            }
        }

        foreach (var (page, took) in waits)
        {
            took.Sort();
            var written = await CrowdAsync(client, page, crowding, cancellation);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{page}: {took[took.Count / 2]:F1} ms median, {took[took.Count * 9 / 10]:F1} ms p90; one writer {1000 * took.Count / took.Sum():F0}/s, {crowd} writers {written:F0}/s"));
        }
    }

    private static async Task<double> CrowdAsync(HttpClient client, string page, TimeSpan during, CancellationToken cancellation)
    {
        var began = Stopwatch.GetTimestamp();
        var written = await Task.WhenAll(Enumerable.Range(0, crowd).Select(async writer =>
        {
            var number = 0;
            while (Stopwatch.GetElapsedTime(began) < during)
            {
                await AppendAsync(client, $"{page}-crowd-{writer}", number++, cancellation);
            }

            return number;
        }));
        return written.Sum() / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static async Task<double> AppendAsync(HttpClient client, string page, int number, CancellationToken cancellation)
    {
        using var line = new StringContent($"line {number}");
        var began = Stopwatch.GetTimestamp();
        using var response = await client.PostAsync(new Uri($"/api/pages/{page}/append", UriKind.Relative), line, cancellation);
        response.EnsureSuccessStatusCode();
        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }

    private static async Task UntilAsync(Func<bool> met, CancellationToken cancellation)
    {
        while (!met())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellation);
        }
    }
}
