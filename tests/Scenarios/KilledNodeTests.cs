using System.Globalization;
using Mirror.Cli.Demo;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.Scenarios;

/// <summary>
/// kill -9 of the node alone, again and again: its guard lives, ends the apps and gives the lease back; the node comes back, and the next one is killed. Here the lease is so long that whoever
/// waited for it would fail the test. What users see of it is measured at the proxy, from the last answer of one reign to the first of the next.
/// </summary>
[Collection("one cluster at a time")]
public sealed class KilledNodeTests(ITestOutputHelper output) : IDisposable
{
    private static readonly TimeSpan lease = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(120);

    private readonly TemporaryDirectory scratch = new();

    public void Dispose() => scratch.Dispose();

    // MIRROR_LONG=1: twenty.
    private static readonly int rounds = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 20 : 3;

    [Fact]
    public async Task Nobody_waits_for_the_lease_of_a_node_that_was_killed_nor_when_the_next_one_is_as_soon_as_it_is_back()
    {
        using var limit = new CancellationTokenSource(patience * (rounds + 2));
        await using var cluster = await WikiCluster.PrepareAsync(scratch.Path, lease, site => site, limit.Token);
        cluster.StartAll();
        var seen = await cluster.UntilAsync(DemoSetup.Proxy, "the cluster did not come up", DemoStory.IsSettled, patience, limit.Token);
        await using var load = new DemoLoad(WikiCluster.SiteOf(cluster));
        var gaps = new List<double>();
        for (var round = 0; round < rounds; round++)
        {
            var (primary, epoch) = (seen.Sites[0].Primary, seen.Sites[0].Epoch);
            await UntilAnsweredAsync(load, epoch, limit.Token);
            await cluster.MeltAsync(primary, [], limit.Token);
            await UntilAnsweredAsync(load, epoch + 1, limit.Token);
            gaps.Add(load.GapAfter(epoch)!.Value);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{primary} killed in epoch {epoch}: {gaps[^1]:F0} ms without an answer"));
            cluster.Start(primary);
            seen = await cluster.UntilAsync(
                DemoSetup.Proxy, $"{primary} did not come back as a replica", status => DemoStory.IsSettled(status) && status.Sites[0].Epoch > epoch, patience, limit.Token);
        }

        await load.StopAsync();
        gaps.Sort();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"median {gaps[gaps.Count / 2]:F0} ms, worst {gaps[^1]:F0} ms of {gaps.Count}; {load.Requests} requests"));
        Assert.DoesNotContain(load.Failures, static failure => failure.StartsWith("GET", StringComparison.Ordinal));
        Assert.InRange(gaps[^1], 0, lease.TotalMilliseconds / 4);
    }

    private static async Task UntilAnsweredAsync(DemoLoad load, ulong epoch, CancellationToken cancellation)
    {
        while (!load.Answers.Any(answer => answer.Epoch >= epoch))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellation);
        }
    }
}
