using System.Diagnostics;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Voting;

public sealed class ElectionTests : IDisposable
{
    private readonly Trio trio = new();
    private readonly CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));

    public void Dispose()
    {
        limit.Dispose();
        trio.Dispose();
    }

    [Fact]
    public async Task The_configured_primary_of_a_new_site_wins_epoch_1_at_once()
    {
        List<string> said = [];
        await using var lease = await trio.WinAsync("a", limit.Token, said);

        Assert.Equal(1ul, lease.Epoch);
        Assert.Equal("wiki", lease.Site);
        Assert.True(lease.IsHeld);
        Assert.Equal(1ul, trio.Gate("a").Highest("wiki"));
        Assert.Contains("a is primary of site wiki in epoch 1", said[^1]);
    }

    [Fact]
    public async Task A_lease_is_renewed_far_beyond_its_length_and_nobody_else_is_appointed()
    {
        await using var lease = await trio.WinAsync("a", limit.Token);
        trio.Verified["b"] = V(1, 1);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => trio.WinAsync("b", patience.Token));
        Assert.True(lease.IsHeld);
        Assert.False(lease.Lost.IsCancellationRequested);
        Assert.Equal(1ul, trio.Voter("b").Ballot!.Epoch);
    }

    [Fact]
    public async Task When_two_of_three_voters_vanish_the_lease_is_lost_a_margin_before_it_runs_out_anywhere()
    {
        await using var lease = await trio.WinAsync("a", limit.Token);
        trio.Isolate("a");
        var watch = Stopwatch.StartNew();

        await WaitAsync(lease.Lost);
        Assert.InRange(watch.Elapsed, TimeSpan.FromSeconds(0.4), Trio.Rules.Lease - Trio.Rules.Margin + TimeSpan.FromSeconds(0.1));
        Assert.False(lease.IsHeld);
        Assert.True(trio.Voter("b").Ballot!.IsBoundToHolder(TimeProvider.System.GetElapsedTime(0)), "the voter's promise ended before the holder stopped");
    }

    [Fact]
    public async Task One_voter_less_does_not_matter()
    {
        await using var lease = await trio.WinAsync("a", limit.Token);
        trio.Isolate("c");

        await Assert.ThrowsAsync<TimeoutException>(() => WaitAsync(lease.Lost).WaitAsync(TimeSpan.FromSeconds(2.5)));
        Assert.True(lease.IsHeld);
    }

    [Fact]
    public async Task A_blip_shorter_than_the_lease_moves_nothing()
    {
        await using var lease = await trio.WinAsync("a", limit.Token);
        trio.Isolate("a");
        await Task.Delay(TimeSpan.FromSeconds(0.35), TimeProvider.System);
        trio.Heal();

        await Assert.ThrowsAsync<TimeoutException>(() => WaitAsync(lease.Lost).WaitAsync(TimeSpan.FromSeconds(2)));
    }

    [Fact]
    public async Task After_the_primary_vanished_another_is_appointed_as_soon_as_its_lease_has_run_out()
    {
        var lease = await trio.WinAsync("a", limit.Token);
        trio.Verified["b"] = trio.Verified["c"] = V(1, 5);
        trio.Catalogue.Say(Said("a", "b", "c"));
        var b = trio.WinAsync("b", limit.Token);
        var c = trio.WinAsync("c", limit.Token);
        await Task.Delay(TimeSpan.FromSeconds(1.2), TimeProvider.System);
        trio.Silence("a");
        trio.Isolate("a");
        await lease.DisposeAsync();
        var watch = Stopwatch.StartNew();

        await using var next = await await Task.WhenAny(b, c);
        Assert.InRange(watch.Elapsed, TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(1.5));
        Assert.True(b.IsCompleted, "b comes first in the configuration");
        Assert.Equal(2ul, next.Epoch);
        Assert.False(c.IsCompleted);
    }

    [Fact]
    public async Task The_one_that_holds_more_is_appointed_and_the_other_would_not_get_the_votes()
    {
        List<string> said = [];
        var lease = await trio.WinAsync("a", limit.Token);
        trio.Verified["b"] = V(1, 5);
        trio.Verified["c"] = V(1, 6);
        var b = trio.WinAsync("b", limit.Token, said);
        await lease.DisposeAsync();
        trio.Isolate("a");

        // b does not know from the catalogue that c holds more: it stands, and c's voter refuses.
        await WaitUntilAsync(() => said.Any(sentence => sentence.Contains("b has 1.5, this voter holds 1.6, which is newer.", StringComparison.Ordinal)));
        await using var next = await trio.WinAsync("c", limit.Token);
        Assert.Equal(2ul, next.Epoch);
        Assert.False(b.IsCompleted);
    }

    [Fact]
    public async Task Given_back_to_a_successor_only_that_one_is_appointed_and_at_once()
    {
        var lease = await trio.WinAsync("a", limit.Token);
        trio.Verified["b"] = trio.Verified["c"] = V(1, 5);
        var b = trio.WinAsync("b", limit.Token);
        var c = trio.WinAsync("c", limit.Token);
        var watch = Stopwatch.StartNew();
        await lease.GiveBackAsync("c", limit.Token);

        Assert.True(lease.Lost.IsCancellationRequested);
        Assert.False(lease.IsHeld);
        await using var next = await c;
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(0.5));
        Assert.Equal(2ul, next.Epoch);
        Assert.False(b.IsCompleted);
    }

    [Fact]
    public async Task A_restarted_primary_is_back_at_once_under_a_new_epoch()
    {
        var lease = await trio.WinAsync("a", limit.Token);
        await lease.DisposeAsync();
        trio.Verified["a"] = V(1, 5);
        trio.Restart("a");
        var watch = Stopwatch.StartNew();

        await using var next = await trio.WinAsync("a", limit.Token);
        Assert.Equal(2ul, next.Epoch);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(0.5));
    }

    [Fact]
    public async Task A_primary_cut_off_for_long_is_not_appointed_again_over_its_successor()
    {
        await using var lease = await trio.WinAsync("a", limit.Token);
        trio.Verified["a"] = trio.Verified["b"] = V(1, 5);
        trio.Isolate("a");
        await using var next = await trio.WinAsync("b", limit.Token);
        Assert.Equal(2ul, next.Epoch);
        Assert.False(lease.IsHeld);

        trio.Verified["b"] = V(2, 6);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        var again = trio.WinAsync("a", patience.Token);
        trio.Heal();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => again);
        Assert.True(next.IsHeld);
    }

    [Fact]
    public async Task A_candidate_without_a_chance_disturbs_no_voter()
    {
        await using var lease = await trio.WinAsync("a", limit.Token);
        trio.Verified["c"] = V(1, 5);
        trio.Isolate("c");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2.5));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => trio.WinAsync("c", patience.Token));
        trio.Heal();

        // Its own voter never moved on, so it renews the lease again and the site is as safe as before.
        Assert.Equal(1ul, trio.Voter("c").Ballot!.Epoch);
        await WaitUntilAsync(() => trio.Voter("c").Ballot!.IsBoundToHolder(TimeProvider.System.GetElapsedTime(0)));
        Assert.True(lease.IsHeld);
    }

    [Fact]
    public async Task Without_a_majority_nobody_is_appointed_and_the_sentence_says_why()
    {
        List<string> said = [];
        trio.Isolate("a");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => trio.WinAsync("a", patience.Token, said));
        Assert.Contains("a can't be appointed in epoch 1: 1 of 3 voters agree, 2 are needed. b: It does not answer (cut). c: It does not answer (cut).", said);
    }

    [Fact]
    public async Task On_an_operators_word_a_node_stands_without_automatic_failover()
    {
        using var pair = new Trio(Trio.Rules with { AutomaticFailover = false });
        var lease = await pair.WinAsync("a", limit.Token);
        pair.Verified["b"] = V(1, 5);
        await lease.DisposeAsync();

        await using var next = await pair.Of("b").StandNowAsync(() => V(1, 5), _ => { }, limit.Token);
        Assert.Equal(2ul, next.Epoch);
    }

    [Fact]
    public async Task When_a_majority_has_granted_a_later_epoch_the_lease_is_lost_without_waiting_for_its_end()
    {
        var slow = Trio.Rules with { Lease = TimeSpan.FromSeconds(9) };
        using var other = new Trio(slow);
        await using var lease = await other.WinAsync("a", limit.Token);
        // As after an operator wiped their promises: nothing a lawful voter does can get here.
        foreach (var name in new[] { "b", "c" })
        {
            other.Voter(name).Ask(new(9, "a", default, slow.Lease, false), false);
        }

        await WaitAsync(lease.Lost).WaitAsync(TimeSpan.FromSeconds(5));
    }

    private static ClusterSnapshot Said(params string[] names) => new(
        names.ToDictionary(name => name, name => new ClusterMember(name, "node", "", true, "up")),
        [.. names.Select(name => new SiteHolding("wiki", name, SiteRole.Replica, 1, V(1, 5), V(1, 5), V(1, 5), null, null, "", []))]);

    private static async Task WaitAsync(CancellationToken lost)
    {
        var ended = new TaskCompletionSource();
        await using var registration = lost.Register(ended.SetResult);
        await ended.Task;
    }

    private async Task WaitUntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, limit.Token);
        }
    }
}
