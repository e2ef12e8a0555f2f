using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Voting;

public sealed class ElectionTests : IDisposable
{
    private readonly Trio trio = new(Rules);

    private VirtualTime Time => trio.Time;

    public void Dispose() => trio.Dispose();

    [Fact]
    public void The_configured_primary_of_a_new_site_wins_epoch_1_at_once()
    {
        List<string> said = [];
        var lease = trio.Win("a", said);

        Assert.Equal(Time.Began, Time.Now);
        Assert.Equal(1ul, lease.Epoch);
        Assert.Equal("wiki", lease.Site);
        Assert.True(lease.IsHeld);
        Assert.Equal(1ul, trio.Gate("a").Highest("wiki"));
        Assert.Equal("a is primary of site wiki in epoch 1 from 0.0 on: a, b, c of 3 voters granted it.", said[^1]);
    }

    [Fact]
    public void A_lease_is_renewed_far_beyond_its_length_and_nobody_else_is_appointed()
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = V(1, 1);
        var b = trio.Stand("b");
        Time.Pass(60);

        Assert.False(b.IsCompleted);
        Assert.True(lease.IsHeld);
        Assert.False(lease.Lost.IsCancellationRequested);
        Assert.Equal(1ul, trio.Voter("b").Ballot!.Epoch);
    }

    [Fact]
    public void When_two_of_three_voters_vanish_the_lease_is_lost_a_margin_before_it_runs_out_anywhere()
    {
        var lease = trio.Win("a");
        Time.Pass(10);
        trio.Isolate("a");
        var took = Time.Until(() => lease.Lost.IsCancellationRequested);

        Assert.InRange(took, Rules.Lease - Rules.Margin - (Rules.Lease / 3) - At(0.01), Rules.Lease - Rules.Margin + At(0.01));
        Assert.False(lease.IsHeld);
        foreach (var voter in new[] { "b", "c" })
        {
            Assert.InRange(trio.Voter(voter).Ballot!.Until - Time.Now, Rules.Margin - At(0.01), Rules.Lease);
        }
    }

    [Fact]
    public void One_voter_less_does_not_matter()
    {
        var lease = trio.Win("a");
        trio.Isolate("c");
        Time.Pass(60);

        Assert.True(lease.IsHeld);
    }

    [Fact]
    public void A_silent_voter_does_not_matter()
    {
        trio.Silence("c");
        var lease = trio.Win("a");
        Time.Pass(60);

        Assert.True(lease.IsHeld);
    }

    [Fact]
    public void A_blip_shorter_than_what_is_left_of_the_lease_moves_nothing()
    {
        var lease = trio.Win("a");
        Time.Pass(10);
        trio.Isolate("a");
        Time.Pass(2);
        trio.Heal();
        Time.Pass(20);

        Assert.True(lease.IsHeld);
        Assert.False(lease.Lost.IsCancellationRequested);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void After_the_primary_was_killed_the_best_is_appointed_when_its_lease_has_run_out(bool machineIsOff)
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = trio.Verified["c"] = V(1, 5);
        trio.Catalogue.Say(Said("a", "b", "c"));
        var b = trio.Stand("b");
        var c = trio.Stand("c");
        Time.Pass(10);
        trio.Isolate("a");
        if (machineIsOff)
        {
            trio.Silence("a");
        }

        trio.Abandon(lease);
        var until = trio.Voter("b").Ballot!.Until;
        var next = Time.Await(b);
        Assert.InRange(Time.Now, until, until + At(0.05));
        Assert.Equal(2ul, next.Epoch);
        Time.Pass(30);
        Assert.False(c.IsCompleted);
        Assert.True(next.IsHeld);
    }

    [Fact]
    public void When_the_best_is_silent_the_next_one_is_appointed_a_step_later()
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = trio.Verified["c"] = V(1, 5);
        trio.Catalogue.Say(Said("a", "b", "c"));
        var c = trio.Stand("c");
        Time.Pass(10);
        trio.Abandon(lease);
        var until = trio.Voter("c").Ballot!.Until;
        Time.Await(c);

        Assert.InRange(Time.Now, until + Rules.RankStep, until + Rules.RankStep + At(0.05));
    }

    [Fact]
    public void The_one_that_holds_more_is_appointed_and_the_other_does_not_get_the_votes()
    {
        List<string> said = [];
        var lease = trio.Win("a");
        trio.Verified["b"] = V(1, 5);
        trio.Verified["c"] = V(1, 6);
        trio.Isolate("a");
        trio.Abandon(lease);

        // b does not know from the catalogue that c holds more: it stands, and c's voter refuses.
        var b = trio.Stand("b", said);
        Time.Pass(10);
        Assert.Contains(said, sentence => sentence.EndsWith("a: It does not answer (cut). c: b has 1.5, this voter holds 1.6, which is newer.", StringComparison.Ordinal));
        Assert.Equal(2ul, trio.Win("c").Epoch);
        Assert.False(b.IsCompleted);
    }

    [Fact]
    public void Who_was_refused_for_what_it_lacks_stands_again_at_the_moment_it_has_it()
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = V(1, 5);
        trio.Verified["c"] = V(1, 6);
        trio.Isolate("a");
        trio.Abandon(lease);
        var b = trio.Stand("b");
        Time.Until(() => trio.Voter("b").Ballot!.Until + At(0.01) < Time.Now);
        Assert.False(b.IsCompleted);

        trio.Verified["b"] = V(1, 6);
        var has = Time.Now;
        Time.Run(() =>
        {
            trio.Catalogue.Say(Said("a", "b", "c"));
            return Task.CompletedTask;
        });
        Time.Await(b);

        Assert.InRange(Time.Now, has, has + At(0.02));
    }

    [Fact]
    public void Given_back_to_a_successor_only_that_one_is_appointed_and_at_once()
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = trio.Verified["c"] = V(1, 5);
        var b = trio.Stand("b");
        var c = trio.Stand("c");
        Time.Pass(10);
        Time.Run(() => lease.GiveBackAsync("c", default));

        Assert.True(lease.Lost.IsCancellationRequested);
        Assert.False(lease.IsHeld);
        Assert.Equal(2ul, Time.Await(c, withinSeconds: 0.05).Epoch);
        Assert.False(b.IsCompleted);
    }

    [Fact]
    public void A_successor_that_does_not_come_holds_the_site_up_for_one_lease_only()
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = V(1, 5);
        var b = trio.Stand("b");
        Time.Run(() => lease.GiveBackAsync("c", default));
        var before = Time.Now;

        Time.Await(b);
        Assert.InRange(Time.Now - before, Rules.Lease, Rules.Lease + At(0.05));
    }

    [Fact]
    public void After_a_clean_stop_another_is_appointed_at_once()
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = V(1, 5);
        var b = trio.Stand("b");
        Time.Run(() => lease.GiveBackAsync(null, default));

        Time.Await(b, withinSeconds: 0.05);
    }

    [Fact]
    public void A_restarted_primary_is_back_at_once_under_a_new_epoch()
    {
        var lease = trio.Win("a");
        trio.Abandon(lease);
        trio.Verified["a"] = V(1, 5);
        trio.Restart("a");
        var before = Time.Now;

        Assert.Equal(2ul, trio.Win("a").Epoch);
        Assert.Equal(before, Time.Now);
    }

    [Fact]
    public void A_primary_cut_off_for_long_is_not_appointed_over_its_successor()
    {
        var lease = trio.Win("a");
        trio.Verified["a"] = trio.Verified["b"] = V(1, 5);
        trio.Isolate("a");
        var next = trio.Win("b");
        Assert.Equal(2ul, next.Epoch);
        Assert.False(lease.IsHeld);

        trio.Verified["b"] = V(2, 6);
        var again = trio.Stand("a");
        Time.Pass(10);
        trio.Heal();
        Time.Pass(30);
        Assert.False(again.IsCompleted);
        Assert.True(next.IsHeld);
        Assert.Equal("b", trio.Voter("a").Ballot!.Holder);
    }

    [Fact]
    public void A_candidate_without_a_chance_disturbs_no_voter()
    {
        var lease = trio.Win("a");
        trio.Verified["c"] = V(1, 5);
        trio.Isolate("c");
        var c = trio.Stand("c");
        Time.Pass(20);
        trio.Heal();
        Time.Pass(2);

        // Its own voter never moved on, so it renews the lease again and the site is as safe as before.
        Assert.False(c.IsCompleted);
        Assert.Equal(1ul, trio.Voter("c").Ballot!.Epoch);
        Assert.True(trio.Voter("c").Ballot!.IsBoundToHolder(Time.Now));
        Assert.True(lease.IsHeld);
    }

    [Fact]
    public void Without_a_majority_nobody_is_appointed_and_the_sentence_says_why()
    {
        List<string> said = [];
        trio.Isolate("a");
        var a = trio.Stand("a", said);
        Time.Pass(10);

        Assert.False(a.IsCompleted);
        Assert.Contains("a can't be appointed in epoch 1: 1 of 3 voters agree, 2 are needed. b: It does not answer (cut). c: It does not answer (cut).", said);
        Assert.Equal(0ul, trio.Voter("a").Ballot!.Epoch);
    }

    [Fact]
    public void On_an_operators_word_a_node_stands_without_automatic_failover()
    {
        using var manual = new Trio(Rules with { AutomaticFailover = false });
        manual.Abandon(manual.Win("a"));
        manual.Verified["b"] = V(1, 5);

        var next = manual.Time.Run(() => manual.Of("b").StandNowAsync(() => V(1, 5), _ => { }, default));
        Assert.Equal(2ul, next.Epoch);
        Assert.InRange(manual.Time.Now - manual.Time.Began, Rules.Lease, Rules.Lease + At(0.05));
    }

    [Fact]
    public void When_a_majority_has_granted_a_later_epoch_the_lease_is_lost_without_waiting_for_its_end()
    {
        var lease = trio.Win("a");
        foreach (var name in new[] { "b", "c" })
        {
            // By asking for a later epoch the holder gives up the earlier one: here a second process that runs with the same identity.
            Assert.True(trio.Voter(name).Ask(Ask(9, "a"), false).Granted);
        }

        Assert.InRange(Time.Until(() => lease.Lost.IsCancellationRequested), TimeSpan.Zero, Rules.Lease / 3);
    }

    [Fact]
    public void An_epoch_that_this_node_knows_to_be_past_is_given_back()
    {
        trio.Gate("a").Admit("wiki", 7);
        trio.Verified["a"] = V(1, 1);
        var lease = trio.Win("a");

        Assert.Equal(8ul, lease.Epoch);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_attempt_that_is_cancelled_or_fails_half_way_leaves_no_promise_behind(bool cancelled)
    {
        using var cancel = new CancellationTokenSource();
        trio.SilenceAfterProbes("b");
        trio.SilenceAfterProbes("c");
        var a = trio.Stand("a", cancellation: cancel.Token);
        Time.Until(() => trio.Voter("a").Ballot!.IsBoundToHolder(Time.Now));
        Time.Pass(0.2);
        if (cancelled)
        {
            cancel.Cancel();
            Time.Until(() => a.IsCompleted);
            Assert.True(a.IsCanceled);
        }

        Time.Until(() => trio.Voter("a").Ballot is { Epoch: 1, GivenBack: true }, withinSeconds: 3);
    }

    private static ClusterSnapshot Said(params string[] names) => new(
        names.ToDictionary(name => name, name => new ClusterMember(name, "node", "", true, "up")),
        [.. names.Select(name => new SiteHolding("wiki", name, SiteRole.Replica, 1, V(1, 5), V(1, 5), V(1, 5), null, null, "", []))]);
}
