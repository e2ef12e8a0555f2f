using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Voting;

public sealed class OperatorsTests : IDisposable
{
    private readonly Trio trio = new(Rules);

    private VirtualTime Time => trio.Time;

    public void Dispose() => trio.Dispose();

    private OrderOutcome Say(bool paused, string from = "a", bool dryRun = false) => Time.Await(Time.Begin(() => trio.OperatorsAt(from).SayAsync(paused, "anna", "new kernel", dryRun, default)));

    [Fact]
    public void Paused_a_dead_primarys_site_stays_until_it_is_resumed_and_the_candidate_says_why()
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = trio.Verified["c"] = V(1, 1);
        Time.Pass(5);
        Assert.True(Say(true, "b").IsCertain);
        trio.Abandon(lease);
        trio.Isolate("a");
        List<string> said = [];
        var b = trio.Stand("b", said);
        Time.Pass(60);
        Assert.False(b.IsCompleted);
        Assert.Contains(said, sentence => sentence.Contains("paused by anna (new kernel)", StringComparison.Ordinal));

        Assert.True(Say(false, "b").IsCertain);
        Assert.True(Time.Await(b).Epoch > 1);
    }

    [Fact]
    public void Whom_the_word_did_not_reach_hears_it_from_the_candidate()
    {
        var lease = trio.Win("a");
        trio.Verified["b"] = trio.Verified["c"] = V(1, 1);
        Time.Pass(5);
        trio.Isolate("c");
        var outcome = Say(true);
        Assert.True(outcome.IsCertain);
        Assert.Equal(["a", "b"], outcome.Voters.Where(voter => voter.Accepted).Select(voter => voter.Voter));
        trio.Heal();
        trio.Abandon(lease);
        trio.Isolate("a");

        // c was never told, b was: neither can be appointed by the other.
        var c = trio.Stand("c");
        var b = trio.Stand("b");
        Time.Pass(60);
        Assert.False(b.IsCompleted || c.IsCompleted);
    }

    [Fact]
    public void Without_a_majority_nothing_is_said_and_what_too_few_confirm_is_uncertain()
    {
        trio.Isolate("a");
        var alone = Say(true);
        Assert.Equal((null, false), (alone.Order, alone.IsCertain));
        Assert.Equal(0ul, trio.Voter("a").Order!.Number);
    }

    [Fact]
    public void A_dry_run_tells_what_the_voters_know_and_changes_nothing()
    {
        Say(true);
        var dry = Say(false, "b", dryRun: true);

        Assert.Equal((null, true), (dry.Order, dry.IsCertain));
        Assert.All(dry.Voters, voter => Assert.True(voter.Known!.Paused));
        Assert.True(trio.Voter("c").Order!.Paused);
    }

    [Fact]
    public void Each_word_has_a_higher_number_and_resuming_acknowledges_what_was_granted_so_far()
    {
        trio.Win("a");
        Time.Pass(1);
        Assert.Equal(1ul, Say(true, "b").Order!.Number);
        var resumed = Say(false, "c").Order!;

        Assert.Equal((2ul, 1ul), (resumed.Number, resumed.Acknowledged));
        trio.Restart("a");
        Assert.Equal(resumed, trio.Voter("a").Order);
    }
}
