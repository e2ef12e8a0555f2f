using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests;

/// <summary>Capturing now, and waiting until others hold what was captured. What the replicas b and c say is the test's.</summary>
public sealed class CopiesTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private readonly CancellationTokenSource limit = new(TimeSpan.FromMinutes(5));
    private LiveSite site = null!;
    private PrimaryRole role = null!;

    public async Task InitializeAsync()
    {
        site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("page", "1"));
        role = await site.EnterAsync();
    }

    public async Task DisposeAsync()
    {
        await role.DisposeAsync();
        await site.DisposeAsync();
    }

    public void Dispose() => limit.Dispose();

    [Theory]
    [InlineData("stored:2", HoldingStage.Stored, 2)]
    [InlineData("verified:1", HoldingStage.Verified, 1)]
    [InlineData("warm:12", HoldingStage.Warm, 12)]
    [InlineData("consistent", HoldingStage.Consistent, 0)]
    public void A_goal_is_read_and_written(string text, HoldingStage stage, int replicas)
    {
        Assert.True(CopiesGoal.TryParse(text, out var goal));
        Assert.Equal(new CopiesGoal(stage, replicas), goal);
        Assert.Equal(text, goal.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("stored")]
    [InlineData("stored:")]
    [InlineData("stored:0")]
    [InlineData("stored:-1")]
    [InlineData("stored: 1")]
    [InlineData("stored:99999999999")]
    [InlineData("Stored:1")]
    [InlineData("consistent:1")]
    [InlineData("seen:1")]
    public void What_is_no_goal_is_refused(string text) => Assert.False(CopiesGoal.TryParse(text, out _));

    [Fact]
    public async Task Stored_on_two_is_reached_when_the_second_replica_has_it_and_says_who_had_it_when()
    {
        var waiting = WaitAsync("stored:2");
        role.Report("c", new ReplicaHolding(new(1, 1), default, default));
        Assert.False(waiting.IsCompleted);
        role.Report("b", new ReplicaHolding(new(1, 1), default, default));

        var waited = await waiting;

        Assert.True(waited.Reached);
        Assert.Equal(["b", "c"], waited.Replicas.Select(replica => replica.Node));
        Assert.All(waited.Replicas, replica => Assert.InRange(replica.After!.Value, TimeSpan.Zero, waited.Took));
    }

    [Fact]
    public async Task Each_stage_is_waited_for_by_itself()
    {
        role.Report("b", new ReplicaHolding(new(1, 1), default, default));
        Assert.True((await WaitAsync("stored:1")).Reached);
        Assert.False((await WaitAsync("verified:1", TimeSpan.Zero)).Reached);
        role.Report("b", new ReplicaHolding(new(1, 1), new(1, 1), default));
        Assert.True((await WaitAsync("verified:1")).Reached);
        Assert.False((await WaitAsync("warm:1", TimeSpan.Zero)).Reached);
        role.Report("b", new ReplicaHolding(new(1, 1), new(1, 1), new(1, 1)));
        Assert.True((await WaitAsync("warm:1")).Reached);
    }

    [Fact]
    public async Task Settled_is_what_every_other_node_has_received_or_what_is_consistent_without_them_all()
    {
        site.Write("page", "2");
        var settling = role.SettleAsync(patience, limit.Token);
        await role.NewerThanAsync(new(1, 1), limit.Token);
        role.Report("b", new ReplicaHolding(new(1, 2), new(1, 1), default));
        role.Report("c", new ReplicaHolding(new(1, 1), new(1, 1), default));
        Assert.False(settling.IsCompleted);
        role.Report("c", new ReplicaHolding(new(1, 2), new(1, 1), default));
        Assert.True(await settling);

        site.Write("page", "3");
        settling = role.SettleAsync(patience, limit.Token);
        await role.NewerThanAsync(new(1, 2), limit.Token);
        role.Report("b", new ReplicaHolding(new(1, 3), new(1, 3), default) { IsProtected = false });
        Assert.False(settling.IsCompleted);
        role.Report("b", new ReplicaHolding(new(1, 3), new(1, 3), default));
        Assert.True(await settling);
    }

    [Fact]
    public async Task What_nobody_else_has_in_time_is_not_settled()
    {
        site.Write("page", "2");

        Assert.False(await role.SettleAsync(TimeSpan.FromMilliseconds(50), limit.Token));
    }

    [Fact]
    public async Task At_risk_is_what_was_written_since_the_last_look_whose_version_is_safe()
    {
        var first = role.Status.AtRisk!;
        Assert.Equal(1, first.Versions);
        Assert.True(first.Bytes > 0);
        role.Report("b", new ReplicaHolding(new(1, 1), new(1, 1), default));
        Assert.Equal((0, 0L), (role.Status.AtRisk!.Versions, role.Status.AtRisk.Bytes));
        var since = role.Status.AtRisk.Since;

        site.Write("page", "2");
        await role.CaptureNowAsync(false, limit.Token);
        await role.CaptureNowAsync(false, limit.Token);
        Assert.Equal((1, since ?? role.Status.AtRisk!.Since), (role.Status.AtRisk!.Versions, role.Status.AtRisk.Since));

        role.Report("b", new ReplicaHolding(new(1, 2), new(1, 2), default));
        Assert.Equal(0, role.Status.AtRisk!.Versions);
        Assert.True(role.Status.AtRisk.Since is null || role.Status.AtRisk.Since > since);
    }

    [Fact]
    public async Task An_older_version_does_not_count_and_who_lags_is_named()
    {
        site.Write("page", "2");
        var captured = await role.CaptureNowAsync(false, limit.Token);
        role.Report("b", new ReplicaHolding(captured.Newest.Id, new(1, 1), default));
        role.Report("c", new ReplicaHolding(new(1, 1), new(1, 1), default));

        var waited = await role.WaitForCopiesAsync(captured.Newest.Id, new CopiesGoal(HoldingStage.Stored, 2), TimeSpan.FromMilliseconds(50), limit.Token);

        Assert.False(waited.Reached);
        Assert.NotNull(waited.Replicas[0].After);
        Assert.Equal((null, new VersionId(1, 1)), (waited.Replicas[1].After, waited.Replicas[1].Holding!.Stored));
    }

    [Fact]
    public async Task What_a_replica_lost_again_does_not_count()
    {
        var waiting = WaitAsync("stored:2");
        role.Report("b", new ReplicaHolding(new(1, 1), default, default));
        role.Report("b", new ReplicaHolding(default, default, default));
        role.Report("c", new ReplicaHolding(new(1, 1), default, default));
        Assert.False((await WaitAsync("stored:2", TimeSpan.FromMilliseconds(20))).Reached);
        Assert.False(waiting.IsCompleted);
        role.Report("b", new ReplicaHolding(new(1, 1), default, default));
        Assert.True((await waiting).Reached);
    }

    [Fact]
    public async Task A_report_that_comes_late_does_not_undo_a_newer_one_and_a_replica_that_began_anew_is_believed()
    {
        role.Report("b", new ReplicaHolding(new(1, 1), default, default), "run", 2);
        role.Report("b", new ReplicaHolding(default, default, default), "run", 1);
        Assert.True((await WaitAsync("stored:1", TimeSpan.Zero)).Reached);
        role.Report("b", new ReplicaHolding(default, default, default), "another", 1);
        Assert.False((await WaitAsync("stored:1", TimeSpan.Zero)).Reached);
    }

    [Fact]
    public async Task Consistent_is_what_no_majority_of_the_voters_can_lose()
    {
        // Of three voters any two are a majority: two verified copies are enough, and the primary's is one. Stored alone protects nothing.
        var waiting = WaitAsync("consistent");
        role.Report("b", new ReplicaHolding(new(1, 1), default, default));
        Assert.False((await WaitAsync("consistent", TimeSpan.FromMilliseconds(20))).Reached);
        Assert.False(waiting.IsCompleted);
        role.Report("b", new ReplicaHolding(new(1, 1), new(1, 1), default));
        Assert.True((await waiting).Reached);
    }

    [Fact]
    public void More_replicas_than_there_are_is_said_at_once()
    {
        Assert.Null(role.Unreachable(new CopiesGoal(HoldingStage.Stored, 2)));
        Assert.Contains("has 2 besides its primary", role.Unreachable(new CopiesGoal(HoldingStage.Warm, 3)), StringComparison.Ordinal);
        Assert.Null(role.Unreachable(new CopiesGoal(HoldingStage.Consistent, 0)));
    }

    [Fact]
    public async Task Waiting_ends_when_the_role_is_left()
    {
        var waiting = WaitAsync("stored:1");
        await role.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task Whoever_asks_finds_what_he_wrote_before_in_the_version_he_is_given_and_many_share_one_capture()
    {
        const int writers = 12;
        for (var round = 0; round < 5; round++)
        {
            var outcomes = await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(async () =>
            {
                var name = $"written-{round}-{writer}";
                site.Write(name, name);
                var outcome = await role.CaptureNowAsync(false, limit.Token);
                Assert.Contains(site.Store.ManifestOf(outcome.Newest.Id).Entries, entry => entry.Path.ToString() == name);
                return outcome;
            })));

            // One that ran, and one for all who came meanwhile; a few more where the writers did not come together.
            Assert.InRange(outcomes.Distinct(ReferenceEqualityComparer.Instance).Count(), 1, writers - 1);
        }
    }

    private Task<CopiesWaited> WaitAsync(string text, TimeSpan? atMost = null)
    {
        Assert.True(CopiesGoal.TryParse(text, out var goal));
        return role.WaitForCopiesAsync(new(1, 1), goal, atMost ?? patience, limit.Token);
    }
}
