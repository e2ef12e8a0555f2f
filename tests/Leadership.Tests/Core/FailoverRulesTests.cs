using Mirror.Leadership.Core;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Core;

/// <summary>When a site may move by itself: what a voter remembers of failovers and of operators' words, and whom a node leaves it to.</summary>
public sealed class FailoverRulesTests
{
    private static readonly SiteRules Calm = Rules with { Block = At(60) };
    private static readonly FailoverOrder Pause = new(1, true, 0, "anna", "new kernel");

    /// <summary>a was primary in epoch 1 and died at 1 s, b followed in epoch 2.</summary>
    private static VoterState FailedOver(SiteRules rules)
    {
        var state = Voter.Ask(VoterState.Fresh(rules, At(0)), rules, Ask(1, "a"), default, At(0)).State;
        state = Voter.Ask(state, rules, Renewal(1, "a"), default, At(1)).State;
        state = Voter.GiveBack(state, rules, 1, "a", null, At(1), Leaving.Died).State;
        state = Voter.Ask(state, rules, Ask(2, "b"), default, At(1)).State;
        return Voter.Ask(state, rules, Renewal(2, "b"), default, At(2)).State;
    }

    private static GrantAnswer After(VoterState state, SiteRules rules, Leaving how, GrantAsk ask, double at) =>
        Voter.Ask(Voter.GiveBack(state, rules, 2, "b", null, At(2), how).State, rules, ask, default, At(at)).Answer;

    [Fact]
    public void After_a_failover_there_is_no_second_one_within_the_block_time()
    {
        var refused = After(FailedOver(Calm), Calm, Leaving.Died, Ask(3, "c"), 10);

        Assert.False(refused.Granted);
        Assert.Equal(At(51), refused.Wait);
        Assert.Equal("b took over from another node in epoch 2, and for another 51.0 s there is no second automatic failover (failover.block); mirror resume acknowledges the first.", refused.Reason);
        Assert.True(After(FailedOver(Calm), Calm, Leaving.Died, Ask(3, "c"), 61).Granted);
    }

    [Theory]
    [InlineData("b", false)]
    [InlineData("c", true)]
    public void The_primary_itself_and_whom_people_want_are_not_held_back(string candidate, bool commanded) =>
        Assert.True(After(FailedOver(Calm), Calm, Leaving.Died, Ask(3, candidate) with { Commanded = commanded }, 10).Granted);

    [Fact]
    public void When_the_new_primary_leaves_in_order_another_may_follow() => Assert.True(After(FailedOver(Calm), Calm, Leaving.InOrder, Ask(3, "c"), 10).Granted);

    [Fact]
    public void A_restart_counts_the_block_time_anew()
    {
        var state = Voter.GiveBack(FailedOver(Calm), Calm, 2, "b", null, At(2), Leaving.Died).State.Restarted(Calm, At(50));

        Assert.False(Voter.Ask(state, Calm, Ask(3, "c"), default, At(109)).Answer.Granted);
        Assert.True(Voter.Ask(state, Calm, Ask(3, "c"), default, At(110)).Answer.Granted);
    }

    [Fact]
    public void What_is_long_past_is_forgotten_with_a_renewal_and_a_restart_does_not_bring_it_back()
    {
        var renewed = Voter.Ask(FailedOver(Calm), Calm, Renewal(2, "b"), default, At(61));
        Assert.True(renewed.MustPersist);

        var state = Voter.GiveBack(renewed.State.Restarted(Calm, At(1000)), Calm, 2, "b", null, At(1000), Leaving.Died).State;
        Assert.True(Voter.Ask(state, Calm, Ask(3, "c"), default, At(1000)).Answer.Granted);
    }

    [Fact]
    public void An_acknowledged_failover_holds_nothing_back_and_a_later_one_does()
    {
        var known = Voter.Hear(FailedOver(Calm), Calm, new(1, false, 2, "anna", ""));
        Assert.True(known.MustPersist);
        Assert.True(After(known.State, Calm, Leaving.Died, Ask(3, "c"), 10).Granted);

        var early = Voter.Hear(FailedOver(Calm), Calm, new(1, false, 1, "anna", "")).State;
        Assert.False(After(early, Calm, Leaving.Died, Ask(3, "c"), 10).Granted);
    }

    [Fact]
    public void A_failover_that_was_not_won_holds_nothing_back()
    {
        var state = Voter.Ask(After(), Calm, Ask(2, "b"), default, At(6)).State;
        state = Voter.GiveBack(state, Calm, 2, "b", null, At(6), Leaving.NotWon).State;

        Assert.True(Voter.Ask(state, Calm, Ask(3, "c"), default, At(6)).Answer.Granted);
        Assert.True(Voter.Ask(state, Calm, Ask(3, "a"), default, At(6)).Answer.Granted);

        static VoterState After() => Voter.Ask(Granted(1, "a", At(0)), Calm, Renewal(1, "a"), default, At(1)).State;
    }

    [Fact]
    public void Paused_nothing_moves_by_itself_and_the_reason_names_who_said_so()
    {
        var state = Voter.Hear(FailedOver(Rules), Rules, Pause).State;

        var refused = After(state, Rules, Leaving.InOrder, Ask(3, "c"), 10);
        Assert.False(refused.Granted);
        Assert.Equal("Automatic failover of site wiki is paused by anna (new kernel); mirror resume ends that, mirror promote moves the site.", refused.Reason);
        Assert.True(After(state, Rules, Leaving.Died, Ask(3, "b"), 10).Granted);
        Assert.True(After(state, Rules, Leaving.Died, Ask(3, "c") with { Commanded = true }, 10).Granted);
        Assert.True(After(state.Restarted(Rules, At(3)), Rules, Leaving.Died, Ask(3, "c") with { Order = new(2, false, 0, "anna", "") }, 10).Granted);
    }

    [Fact]
    public void A_voter_that_knows_of_no_pause_goes_by_the_candidates_word_and_a_candidate_hears_it_from_the_voter()
    {
        Assert.False(After(FailedOver(Rules), Rules, Leaving.Died, Ask(3, "c") with { Order = Pause }, 10).Granted);
        Assert.Equal(Pause, After(Voter.Hear(FailedOver(Rules), Rules, Pause).State, Rules, Leaving.Died, Ask(3, "c"), 10).Order);
    }

    [Fact]
    public void The_highest_number_counts_in_whatever_order_words_come()
    {
        var state = Voter.Hear(FailedOver(Rules), Rules, new(3, false, 0, "anna", "")).State;

        var late = Voter.Hear(state, Rules, Pause);
        Assert.False(late.Answer.Accepted);
        Assert.False(late.State.Order.Paused);
        Assert.True(Voter.Hear(state, Rules, state.Order).Answer.Accepted);
    }

    [Fact]
    public void An_excluded_node_is_refused_by_voters_and_does_not_stand_and_is_not_waited_for()
    {
        var rules = Rules with { Never = ["b"] };

        Assert.False(Voter.Ask(Granted(1, "a", At(0)), rules, Ask(2, "b"), default, At(5)).Answer.Granted);
        Assert.True(Voter.Ask(Granted(1, "a", At(0)), rules, Ask(2, "b") with { Commanded = true }, default, At(5)).Answer.Granted);
        var verdict = Candidacy.Decide(View("b", V(1, 9)), rules, At(5));
        Assert.Equal((Stand.No, "b is never to be appointed automatically (failover.never); mirror promote works."), (verdict.Stand, verdict.Sentence));
        Assert.Equal(Stand.Now, Candidacy.Decide(View("c", V(1, 8), Holds("b", V(1, 9))), rules, At(5)).Stand);
    }

    [Theory]
    [InlineData(5, 0, 10, true)]
    [InlineData(5, 0, 5, true)]
    [InlineData(5, 0, 4, false)]
    [InlineData(0, 60, 5, true)]
    [InlineData(0, 20, 5, false)]
    [InlineData(0, 30, 5, true)]
    public void A_node_that_lacks_too_much_does_not_stand(int missingVersions, int lagSeconds, int mostVersionsOrAge, bool stands)
    {
        // It lacks five versions and is half a minute behind.
        var rules = Rules with { LagVersions = missingVersions > 0 ? mostVersionsOrAge : 0, Lag = At(lagSeconds) };
        var view = View("b", V(1, 4), Holds("a", V(1, 9), reachable: false)) with { Behind = At(30) };

        var verdict = Candidacy.Decide(view, rules, At(5));
        Assert.Equal(stands ? Stand.Now : Stand.No, verdict.Stand);
        Assert.Equal(!stands, verdict.Sentence.Contains("may be lost by themselves", StringComparison.Ordinal));
    }

    private static CandidateView View(string node, Position verified, params NodeHolding[] others) =>
        new(node, verified, Granted(1, "a", At(0)), 1, TimeSpan.Zero, others);
}
