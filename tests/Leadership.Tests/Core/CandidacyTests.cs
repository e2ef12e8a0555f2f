using Mirror.Leadership.Core;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Core;

public sealed class CandidacyTests
{
    private static CandidateView View(string node, Position verified, VoterState? ballot, params NodeHolding[] others) =>
        new(node, verified, ballot, Math.Max(ballot?.Epoch ?? 0, verified.Epoch), TimeSpan.Zero, others);

    [Fact]
    public void The_configured_primary_of_a_new_site_stands_at_once()
    {
        Assert.Equal(Stand.Now, Candidacy.Decide(View("a", default, VoterState.Fresh(Rules, At(0))), Rules, At(0)).Stand);
    }

    [Fact]
    public void Another_node_of_a_new_site_leaves_it_to_the_configured_primary()
    {
        var verdict = Candidacy.Decide(View("b", default, VoterState.Fresh(Rules, At(0))), Rules, At(100));

        Assert.Equal(Stand.No, verdict.Stand);
        Assert.Contains("a is to be its first primary", verdict.Sentence);
    }

    [Fact]
    public void A_configured_primary_that_lost_everything_does_not_stand_while_others_hold_versions()
    {
        var verdict = Candidacy.Decide(View("a", default, VoterState.Fresh(Rules, At(0)), Holds("b", V(3, 8))), Rules, At(100));

        Assert.Equal(Stand.No, verdict.Stand);
        Assert.Contains("b holds 3.8", verdict.Sentence);
    }

    [Fact]
    public void A_configured_primary_that_lost_everything_does_not_stand_for_a_site_with_a_past()
    {
        var view = View("a", default, VoterState.Fresh(Rules, At(0))) with { KnownEpoch = 3 };

        Assert.Equal(Stand.No, Candidacy.Decide(view, Rules, At(100)).Stand);
    }

    [Fact]
    public void A_primary_that_was_killed_before_its_first_version_comes_back()
    {
        Assert.Equal(Stand.Now, Candidacy.Decide(View("a", default, Granted(1, "a", At(0))), Rules, At(1)).Stand);
    }

    [Fact]
    public void While_the_lease_of_another_runs_it_waits_to_the_very_end_of_it()
    {
        var verdict = Candidacy.Decide(View("b", V(3, 8), Granted(3, "a", At(0)), Holds("a", V(3, 9))), Rules, At(1));

        Assert.Equal(Stand.Wait, verdict.Stand);
        Assert.Equal(At(4), verdict.Until);
        Assert.Contains("a is primary in epoch 3", verdict.Sentence);
    }

    [Fact]
    public void When_the_lease_has_run_out_the_best_stands_at_once_though_the_dead_one_held_more()
    {
        var verdict = Candidacy.Decide(View("b", V(3, 8), Granted(3, "a", At(0)), Holds("a", V(3, 9)), Holds("c", V(3, 8))), Rules, At(4));

        Assert.Equal(Stand.Now, verdict.Stand);
        Assert.Contains("lease of a in epoch 3 ran out", verdict.Sentence);
    }

    [Fact]
    public void The_next_best_stands_one_step_later()
    {
        var view = View("c", V(3, 8), Granted(3, "a", At(0)), Holds("a", V(3, 9)), Holds("b", V(3, 8)));

        var verdict = Candidacy.Decide(view, Rules, At(4));
        Assert.Equal(Stand.Wait, verdict.Stand);
        Assert.Equal(At(4.4), verdict.Until);
        Assert.Equal("Leaves b the first try: it comes first in the configuration.", verdict.Sentence);
        Assert.Equal(Stand.Now, Candidacy.Decide(view, Rules, At(4.4)).Stand);
    }

    [Fact]
    public void A_newer_version_beats_the_order_of_the_configuration()
    {
        var verdict = Candidacy.Decide(View("b", V(3, 7), Granted(3, "a", At(0)), Holds("c", V(3, 8))), Rules, At(4));

        Assert.Equal(Stand.Wait, verdict.Stand);
        Assert.Contains("it holds 3.8, this node 3.7", verdict.Sentence);
    }

    [Fact]
    public void An_unreachable_better_one_is_not_waited_for()
    {
        var verdict = Candidacy.Decide(View("b", V(3, 7), Granted(3, "a", At(0)), Holds("c", V(3, 8), reachable: false)), Rules, At(4));

        Assert.Equal(Stand.Now, verdict.Stand);
    }

    [Fact]
    public void An_empty_replica_never_stands()
    {
        Assert.Equal(Stand.No, Candidacy.Decide(View("b", default, Granted(3, "a", At(0))), Rules, At(100)).Stand);
    }

    [Fact]
    public void The_last_holder_that_restarted_stands_at_once()
    {
        var ballot = Granted(3, "a", At(0)).Restarted(Rules, At(10));

        var verdict = Candidacy.Decide(View("a", V(3, 9), ballot, Holds("b", V(3, 9))), Rules, At(10));
        Assert.Equal(Stand.Now, verdict.Stand);
        Assert.Contains("nobody has taken over", verdict.Sentence);
    }

    [Fact]
    public void The_last_holder_may_come_back_without_automatic_failover()
    {
        Assert.Equal(Stand.Now, Candidacy.Decide(View("a", V(3, 9), Granted(3, "a", At(0))), TwoVoters, At(10)).Stand);
        Assert.Equal(Stand.Now, Candidacy.Decide(View("a", V(3, 9), Granted(3, "a", At(0))), Rules with { AutomaticFailover = false }, At(10)).Stand);
    }

    [Fact]
    public void A_holder_whose_ballot_is_out_of_date_is_no_last_holder()
    {
        var view = View("a", V(3, 9), Granted(3, "a", At(0))) with { KnownEpoch = 4 };

        Assert.Equal(Stand.No, Candidacy.Decide(view, Rules with { AutomaticFailover = false }, At(10)).Stand);
    }

    [Fact]
    public void Fewer_than_three_voters_refuse_automatic_failover_with_the_reason()
    {
        var verdict = Candidacy.Decide(View("b", V(3, 9), Granted(3, "a", At(0))), TwoVoters, At(100));

        Assert.Equal(Stand.No, verdict.Stand);
        Assert.Equal("No automatic failover of site wiki: 2 voters are too few to tell a dead primary from a cut line, 3 are needed; mirror promote works.", verdict.Sentence);
    }

    [Fact]
    public void Automatic_failover_can_be_switched_off()
    {
        var verdict = Candidacy.Decide(View("b", V(3, 9), Granted(3, "a", At(0))), Rules with { AutomaticFailover = false }, At(100));

        Assert.Equal(Stand.No, verdict.Stand);
        Assert.Contains("switched off", verdict.Sentence);
    }

    [Fact]
    public void A_named_successor_stands_at_once_also_without_automatic_failover_and_the_others_leave_it_the_time()
    {
        var ballot = Voter.GiveBack(Granted(3, "a", At(0)), TwoVoters, 3, "a", "b", At(1)).State;

        Assert.Equal(Stand.Now, Candidacy.Decide(View("b", V(3, 9), ballot), TwoVoters, At(1)).Stand);
        var verdict = Candidacy.Decide(View("a", V(3, 9), ballot), TwoVoters, At(1));
        Assert.Equal(Stand.Wait, verdict.Stand);
        Assert.Equal(At(5), verdict.Until);
    }

    [Fact]
    public void After_a_clean_stop_the_best_stands_at_once()
    {
        var ballot = Voter.GiveBack(Granted(3, "a", At(0)), Rules, 3, "a", null, At(1)).State;

        Assert.Equal(Stand.Now, Candidacy.Decide(View("b", V(3, 9), ballot, Holds("a", V(3, 9)), Holds("c", V(3, 9))), Rules, At(1)).Stand);
        Assert.Equal(At(1.4), Candidacy.Decide(View("c", V(3, 9), ballot, Holds("a", V(3, 9)), Holds("b", V(3, 9))), Rules, At(1)).Until);
    }

    [Fact]
    public void The_voters_are_not_asked_again_before_they_could_answer_differently()
    {
        var view = View("b", V(3, 8), Granted(3, "a", At(0))) with { NotBefore = At(4.7) };

        var verdict = Candidacy.Decide(view, Rules, At(4.1));
        Assert.Equal(Stand.Wait, verdict.Stand);
        Assert.Equal(At(4.7), verdict.Until);
    }

    [Fact]
    public void A_node_that_does_not_hold_the_site_never_stands()
    {
        Assert.Equal(Stand.No, Candidacy.Decide(View("w", V(3, 8), null), Rules, At(100)).Stand);
    }

    [Fact]
    public void A_node_without_a_vote_stands_when_it_is_the_best()
    {
        var rules = Rules with { Voters = ["a", "c", "w"] };

        Assert.Equal(Stand.Now, Candidacy.Decide(View("b", V(3, 8), null, Holds("c", V(3, 7))), rules, At(1)).Stand);
        Assert.Equal(Stand.Wait, Candidacy.Decide(View("b", V(3, 6), null, Holds("c", V(3, 7))), rules, At(0.1)).Stand);
    }
}
