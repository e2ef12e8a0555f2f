using Mirror.Cli.Hosting;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Store.Versions;

namespace Mirror.Cli.Tests.Hosting;

/// <summary>The first primary of a site, from its first election on.</summary>
public sealed class SiteRunnerTests
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_first_lease_lost_before_anything_was_captured_does_not_make_a_replica_of_the_node_that_has_the_site(bool withFiles)
    {
        var election = new Elected();
        await using var node = await ReigningNode.MakeAsync(election);
        if (!withFiles)
        {
            File.Delete(Path.Combine(node.Context.Site.Files.Root, "page"));
        }

        // Granted late, on a busy machine: over before it was of any use.
        var lost = new ReigningNode.TestLease();
        await lost.LoseAsync();
        election.Grant(lost);
        election.Grant(node.Lease);

        await RunUntilAsync(node, () => node.Context.Store.Head is not null);

        Assert.Equal(new VersionId(2, 1), node.Context.Store.Head!.Id);
        Assert.Equal(withFiles, File.Exists(Path.Combine(node.Context.Site.Files.Root, "page")));
        Assert.Null(new FileInfo(node.Context.Site.Files.Root).LinkTarget);
        Assert.Contains(node.Said.All, said => said is { Role: SiteRole.Primary, Epoch: 2 });
    }

    [Fact]
    public async Task A_site_whose_files_are_not_there_yet_waits_for_them()
    {
        var election = new Elected();
        await using var node = await ReigningNode.MakeAsync(election);
        var root = node.Context.Site.Files.Root;
        Directory.Move(root, root + ".away");
        election.Grant(node.Lease);

        await RunUntilAsync(node, () =>
        {
            if (!Directory.Exists(root) && node.Said.All.Any(said => said.Sentence.Contains("is not a directory: there is nothing to capture", StringComparison.Ordinal)))
            {
                Directory.Move(root + ".away", root);
            }

            return node.Context.Store.Head is not null;
        });

        Assert.Equal(new VersionId(1, 1), node.Context.Store.Head!.Id);
        Assert.True(File.Exists(Path.Combine(root, "page")));
    }

    private static async Task RunUntilAsync(ReigningNode node, Func<bool> reached)
    {
        using var stopping = new CancellationTokenSource();
        var running = Task.Run(() => new SiteRunner(node.Context).RunAsync(stopping.Token));
        using var limit = new CancellationTokenSource(patience);
        while (!reached() && !running.IsCompleted)
        {
            await Task.Delay(20, limit.Token);
        }

        await stopping.CancelAsync();
        await running.WaitAsync(patience);
    }

    /// <summary>Grants what the test gives, an epoch each.</summary>
    private sealed class Elected : IElection
    {
        private readonly Queue<ReigningNode.TestLease> grants = new();
        private ulong epoch;

        public void Grant(ReigningNode.TestLease lease) => grants.Enqueue(lease);

        public async Task<Lease> WinAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation)
        {
            await Task.Yield();
            if (!grants.TryDequeue(out var lease))
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation);
            }

            return new Lease("wiki", ++epoch, lease!);
        }

        public Task<Lease> StandNowAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation) => WinAsync(verified, decided, cancellation);
    }
}
