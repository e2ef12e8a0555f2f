using Mirror.Leadership.Core;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Core;

public sealed class VoterTests
{
    [Fact]
    public void A_fresh_voter_grants_epoch_1_to_the_configured_primary_at_once_and_it_must_be_persisted()
    {
        var step = Voter.Ask(VoterState.Fresh(Rules, At(0)), Rules, Ask(1, "a"), default, At(0));

        Assert.True(step.Answer.Granted);
        Assert.True(step.MustPersist);
        Assert.Equal(1ul, step.State.Epoch);
        Assert.Equal("a", step.State.Holder);
        Assert.Equal(At(4), step.State.Until);
    }

    [Fact]
    public void Epoch_1_goes_to_nobody_but_the_configured_primary()
    {
        var step = Voter.Ask(VoterState.Fresh(Rules, At(0)), Rules, Ask(1, "b"), default, At(10));

        Assert.False(step.Answer.Granted);
        Assert.Contains("configured primary", step.Answer.Reason);
    }

    [Fact]
    public void A_voter_without_memory_waits_one_lease_before_it_grants_a_later_epoch()
    {
        var fresh = VoterState.Fresh(Rules, At(0));

        var early = Voter.Ask(fresh, Rules, Ask(7, "b"), default, At(3.9));
        Assert.False(early.Answer.Granted);
        Assert.Equal(At(0.1), early.Answer.Wait);
        Assert.True(Voter.Ask(fresh, Rules, Ask(7, "b"), default, At(4)).Answer.Granted);
    }

    [Fact]
    public void The_next_epoch_is_refused_while_the_promise_runs_and_granted_when_it_has_run_out()
    {
        var state = Granted(3, "a", At(0));

        var refused = Voter.Ask(state, Rules, Ask(4, "b"), default, At(3));
        Assert.False(refused.Answer.Granted);
        Assert.Equal(At(1), refused.Answer.Wait);
        Assert.Equal(3ul, refused.Answer.HighestEpoch);
        Assert.Equal("a", refused.Answer.Holder);
        Assert.Same(state, refused.State);

        var granted = Voter.Ask(state, Rules, Ask(4, "b"), default, At(4));
        Assert.True(granted.Answer.Granted);
        Assert.True(granted.MustPersist);
    }

    [Fact]
    public void An_epoch_is_not_granted_twice_not_even_to_the_same_candidate()
    {
        var state = Granted(3, "a", At(0));

        Assert.False(Voter.Ask(state, Rules, Ask(3, "a"), default, At(1)).Answer.Granted);
        Assert.False(Voter.Ask(state, Rules, Ask(3, "b"), default, At(100)).Answer.Granted);
        Assert.False(Voter.Ask(state, Rules, Ask(2, "b"), default, At(100)).Answer.Granted);
    }

    [Fact]
    public void The_holder_itself_gets_the_next_epoch_without_waiting()
    {
        Assert.True(Voter.Ask(Granted(3, "a", At(0)), Rules, Ask(4, "a"), default, At(0.5)).Answer.Granted);
    }

    [Fact]
    public void A_renewal_prolongs_the_promise_and_only_the_first_one_needs_the_disk()
    {
        // The first one says who is primary now, and that is remembered.
        var first = Voter.Ask(Granted(3, "a", At(0)), Rules, Renewal(3, "a"), default, At(1));
        Assert.True(first.MustPersist);
        var step = Voter.Ask(first.State, Rules, Renewal(3, "a"), default, At(2));

        Assert.True(step.Answer.Granted);
        Assert.False(step.MustPersist);
        Assert.Equal(At(6), step.State.Until);
    }

    [Fact]
    public void A_renewal_is_good_after_the_promise_ran_out_as_long_as_nobody_got_a_later_epoch()
    {
        Assert.True(Voter.Ask(Granted(3, "a", At(0)), Rules, Renewal(3, "a"), default, At(60)).Answer.Granted);
        Assert.False(Voter.Ask(Granted(4, "b", At(0)), Rules, Renewal(3, "a"), default, At(60)).Answer.Granted);
    }

    [Fact]
    public void A_renewal_by_another_is_refused()
    {
        Assert.False(Voter.Ask(Granted(3, "a", At(0)), Rules, Renewal(3, "b"), default, At(60)).Answer.Granted);
    }

    [Fact]
    public void A_renewal_at_a_voter_that_missed_the_grant_counts_as_a_grant()
    {
        var missed = Granted(2, "b", At(0));

        Assert.False(Voter.Ask(missed, Rules, Renewal(3, "a"), default, At(1)).Answer.Granted);
        var step = Voter.Ask(missed, Rules, Renewal(3, "a"), default, At(5));
        Assert.True(step.Answer.Granted);
        Assert.True(step.MustPersist);
    }

    [Fact]
    public void A_candidate_that_holds_less_than_the_voter_is_refused()
    {
        var state = Granted(3, "a", At(0));

        var step = Voter.Ask(state, Rules, Ask(4, "b", V(3, 7)), V(3, 8), At(10));
        Assert.False(step.Answer.Granted);
        Assert.Equal("b has 3.7, this voter holds 3.8, which is newer.", step.Answer.Reason);
        Assert.True(Voter.Ask(state, Rules, Ask(4, "b", V(3, 8)), V(3, 8), At(10)).Answer.Granted);
        Assert.True(Voter.Ask(state, Rules, Ask(4, "b", V(4, 1)), V(3, 8), At(10)).Answer.Granted);
    }

    [Fact]
    public void A_plain_renewal_is_never_refused_for_its_version()
    {
        Assert.True(Voter.Ask(Granted(3, "a", At(0)), Rules, Renewal(3, "a", V(3, 7)), V(3, 8), At(2)).Answer.Granted);
    }

    [Theory]
    [InlineData("stranger", 4ul, 4.0, "not among the nodes")]
    [InlineData("b", 4ul, 4.1, "same configuration")]
    [InlineData("b", 0ul, 4.0, "past")]
    [InlineData("b", ulong.MaxValue, 4.0, "too far")]
    public void What_makes_no_sense_is_refused_with_the_reason(string candidate, ulong epoch, double leaseSeconds, string reason)
    {
        var step = Voter.Ask(Granted(3, "a", At(0)), Rules, new(epoch, candidate, default, At(leaseSeconds), false), default, At(10));

        Assert.False(step.Answer.Granted);
        Assert.Contains(reason, step.Answer.Reason);
    }

    [Fact]
    public void Epoch_0_is_refused_by_a_fresh_voter_too()
    {
        Assert.False(Voter.Ask(VoterState.Fresh(Rules, At(0)), Rules, Ask(0, "a"), default, At(10)).Answer.Granted);
    }

    [Fact]
    public void What_was_given_back_is_free_for_all_at_once()
    {
        var back = Voter.GiveBack(Granted(3, "a", At(0)), Rules, 3, "a", null, At(1));

        Assert.True(back.Answer.Accepted);
        Assert.True(back.MustPersist);
        Assert.True(Voter.Ask(back.State, Rules, Ask(4, "b"), default, At(1)).Answer.Granted);
    }

    [Fact]
    public void A_named_successor_has_one_lease_for_itself_and_then_anybody_may()
    {
        var state = Voter.GiveBack(Granted(3, "a", At(0)), Rules, 3, "a", "b", At(1)).State;

        Assert.False(Voter.Ask(state, Rules, Ask(4, "c"), default, At(4.9)).Answer.Granted);
        Assert.False(Voter.Ask(state, Rules, Ask(4, "a"), default, At(4.9)).Answer.Granted);
        Assert.True(Voter.Ask(state, Rules, Ask(4, "b"), default, At(1)).Answer.Granted);
        Assert.True(Voter.Ask(state, Rules, Ask(4, "c"), default, At(5)).Answer.Granted);
    }

    [Fact]
    public void A_late_renewal_does_not_revive_what_was_given_back()
    {
        var state = Voter.GiveBack(Granted(3, "a", At(0)), Rules, 3, "a", null, At(1)).State;

        Assert.False(Voter.Ask(state, Rules, Renewal(3, "a"), default, At(1.1)).Answer.Granted);
    }

    [Fact]
    public void Only_the_holder_of_the_highest_epoch_can_give_it_back_and_only_to_a_node()
    {
        var state = Granted(3, "a", At(0));

        Assert.False(Voter.GiveBack(state, Rules, 3, "b", null, At(1)).Answer.Accepted);
        Assert.False(Voter.GiveBack(state, Rules, 2, "a", null, At(1)).Answer.Accepted);
        Assert.False(Voter.GiveBack(state, Rules, 4, "a", null, At(1)).Answer.Accepted);
        Assert.False(Voter.GiveBack(state, Rules, 3, "a", "stranger", At(1)).Answer.Accepted);
        Assert.False(Voter.GiveBack(VoterState.Fresh(Rules, At(0)), Rules, 0, "a", null, At(1)).Answer.Accepted);
    }

    [Fact]
    public void A_voter_that_was_away_while_an_epoch_was_won_learns_of_it_by_its_end()
    {
        var away = Granted(3, "a", At(0));

        var will = Voter.GiveBack(away, Rules, 5, "b", null, At(4), Leaving.Died);

        Assert.True(will.Answer.Accepted);
        Assert.True(will.MustPersist);
        Assert.Equal((5ul, "b", true, "b"), (will.State.Epoch, will.State.Holder, will.State.GivenBack, will.State.Primary));
        Assert.False(Voter.Ask(will.State, Rules, Ask(5, "c"), default, At(4)).Answer.Granted);
        Assert.True(Voter.Ask(will.State, Rules, Ask(6, "c"), default, At(4)).Answer.Granted);
        Assert.Equal("c", Voter.GiveBack(away, Rules, 5, "b", "c", At(4), Leaving.InOrder).State.Successor);
    }

    [Fact]
    public void Nothing_is_learned_of_an_end_that_was_no_reign_nor_while_somebody_else_counts_on_the_voter_nor_by_one_without_memory()
    {
        var away = Granted(3, "a", At(0));

        Assert.False(Voter.GiveBack(away, Rules, 5, "b", null, At(4), Leaving.NotWon).Answer.Accepted);
        Assert.False(Voter.GiveBack(away, Rules, 5, "b", null, At(3.9), Leaving.Died).Answer.Accepted);
        Assert.True(Voter.GiveBack(away, Rules, 5, "a", null, At(3.9), Leaving.Died).Answer.Accepted);
        Assert.False(Voter.GiveBack(away, Rules, 5, "stranger", null, At(4), Leaving.Died).Answer.Accepted);
        Assert.False(Voter.GiveBack(away, Rules, 4 + Voter.LongestJump, "b", null, At(4), Leaving.Died).Answer.Accepted);
        Assert.False(Voter.GiveBack(VoterState.Fresh(Rules, At(0)), Rules, 5, "b", null, At(5), Leaving.Died).Answer.Accepted);
        Assert.False(Voter.GiveBack(Voter.GiveBack(away, Rules, 3, "a", "c", At(1), Leaving.InOrder).State, Rules, 5, "b", null, At(2), Leaving.Died).Answer.Accepted);
    }

    [Fact]
    public void Giving_back_twice_changes_nothing_the_second_time()
    {
        var once = Voter.GiveBack(Granted(3, "a", At(0)), Rules, 3, "a", "b", At(1)).State;
        var twice = Voter.GiveBack(once, Rules, 3, "a", "c", At(2));

        Assert.True(twice.Answer.Accepted);
        Assert.False(twice.MustPersist);
        Assert.Same(once, twice.State);
    }

    [Fact]
    public void After_a_restart_the_promise_is_kept_once_more_in_full()
    {
        var state = Granted(3, "a", At(0)).Restarted(Rules, At(100));

        Assert.False(Voter.Ask(state, Rules, Ask(4, "b"), default, At(103.9)).Answer.Granted);
        Assert.True(Voter.Ask(state, Rules, Ask(4, "b"), default, At(104)).Answer.Granted);
        Assert.True(Voter.Ask(state, Rules, Renewal(3, "a"), default, At(100)).Answer.Granted);
    }

    [Fact]
    public void A_shorter_lease_in_a_changed_configuration_does_not_cut_an_old_promise_short()
    {
        var shorter = Rules with { Lease = At(1) };
        var state = Granted(3, "a", At(0)).Restarted(shorter, At(100));

        Assert.False(Voter.Ask(state, shorter, Ask(4, "b") with { Lease = At(1) }, default, At(103)).Answer.Granted);
    }

    [Fact]
    public void A_node_that_starts_anew_is_bound_by_no_promise_to_itself_and_by_those_to_others()
    {
        var state = Granted(3, "a", At(0)).Restarted(Rules, At(100));

        Assert.False(Voter.Ask(Voter.Reborn(state, "b", At(100)), Rules, Ask(4, "c"), default, At(100)).Answer.Granted);
        var own = Voter.Reborn(state, "a", At(100));
        Assert.True(Voter.Ask(own, Rules, Ask(4, "c"), default, At(100)).Answer.Granted);
        Assert.True(Voter.Ask(own, Rules, Ask(4, "a"), default, At(100)).Answer.Granted);
        Assert.False(own.GivenBack);
    }

    [Fact]
    public void What_is_kept_for_a_successor_is_kept_also_when_the_node_that_handed_over_starts_anew()
    {
        var state = Voter.GiveBack(Granted(3, "a", At(0)), Rules, 3, "a", "b", At(1)).State.Restarted(Rules, At(2));

        Assert.False(Voter.Ask(Voter.Reborn(state, "a", At(2)), Rules, Ask(4, "c"), default, At(3)).Answer.Granted);
    }

    [Fact]
    public void What_was_given_back_is_free_at_once_after_a_restart()
    {
        var state = Voter.GiveBack(Granted(3, "a", At(0)), Rules, 3, "a", null, At(1)).State.Restarted(Rules, At(100));

        Assert.True(Voter.Ask(state, Rules, Ask(4, "b"), default, At(100)).Answer.Granted);
    }
}
