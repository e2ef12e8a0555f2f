using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Voting;

public sealed class SiteVoterTests : IDisposable
{
    private readonly Scratch scratch = new();
    private readonly FakeTimeProvider time = new();
    private Position own;

    public void Dispose() => scratch.Dispose();

    private SiteVoter Open() => new(Rules, scratch.At("votes/wiki"), () => own, time, NullLogger.Instance);

    [Fact]
    public void It_remembers_its_grant_over_a_restart_and_waits_a_full_lease_anew()
    {
        Assert.True(Open().Ask(Ask(1, "a"), false).Granted);
        time.Advance(At(3));

        var restarted = Open();
        Assert.Equal(1ul, restarted.Ballot!.Epoch);
        Assert.Equal("a", restarted.Ballot.Holder);
        time.Advance(At(3.9));
        Assert.False(restarted.Ask(Ask(2, "b"), false).Granted);
        time.Advance(At(0.1));
        Assert.True(restarted.Ask(Ask(2, "b"), false).Granted);
        Assert.False(Open().Ask(Ask(2, "c"), false).Granted);
    }

    [Fact]
    public void Started_anew_it_holds_its_own_node_to_nothing_and_keeps_what_it_promised_to_others()
    {
        Open().Ask(Ask(1, "a"), false);
        var own = Open();
        own.Reborn("a");
        var others = Open();
        others.Reborn("b");

        Assert.False(others.Ask(Ask(2, "c"), true).Granted);
        Assert.True(own.Ask(Ask(2, "c"), true).Granted);
    }

    [Fact]
    public void It_remembers_what_operators_said_also_before_its_first_vote()
    {
        var word = new FailoverOrder(4, true, 2, "anna", "new kernel");
        Assert.True(Open().Hear(word).Accepted);
        Assert.Equal(word, Open().Order);
        Assert.Equal(0ul, Open().Ballot!.Epoch);

        var voter = Open();
        Assert.True(voter.Ask(Ask(1, "a"), false).Granted);
        voter.Ask(Renewal(1, "a"), false);
        Assert.Equal((word, "a"), (Open().Order, Open().Ballot!.Primary));
    }

    [Fact]
    public void It_remembers_of_which_voters_a_majority_appointed_the_primary_it_renewed()
    {
        var voter = Open();
        voter.Ask(Ask(1, "a") with { Voters = Rules.VoterSet }, false);
        Assert.Null(Open().Ballot!.Voters);
        voter.Ask(Renewal(1, "a") with { Voters = Rules.VoterSet }, false);
        Assert.Equal("a b c", Open().Ballot!.Voters);
    }

    [Fact]
    public void It_remembers_that_an_epoch_was_given_back_and_to_whom_the_next_is_promised()
    {
        var voter = Open();
        voter.Ask(Ask(1, "a"), false);
        Assert.True(voter.GiveBack(new(1, "a", "b", Leaving.NotWon)).Accepted);

        var restarted = Open();
        Assert.False(restarted.Ask(Ask(2, "c"), false).Granted);
        Assert.True(restarted.Ask(Ask(2, "b"), false).Granted);
    }

    [Fact]
    public void It_protects_what_was_held_before_its_vote_and_not_what_came_after()
    {
        var voter = Open();
        voter.Ask(Ask(1, "a"), false);
        Assert.True(voter.Protects(V(1, 3)));
        time.Advance(At(4));
        Assert.True(voter.Ask(Ask(2, "b", V(1, 3)), false).Granted);

        Assert.True(voter.Protects(V(1, 3)));
        Assert.False(voter.Protects(V(1, 5)));
        Assert.True(voter.Protects(V(2, 1)));
    }

    [Fact]
    public void It_compares_a_candidate_with_what_it_called_protected_even_if_it_reads_less_from_its_node_at_that_moment()
    {
        var voter = Open();
        voter.Ask(Ask(1, "a"), false);
        Assert.True(voter.Protects(V(1, 5)));
        time.Advance(At(4));
        own = V(1, 3);

        Assert.False(voter.Ask(Ask(2, "b", V(1, 3)), false).Granted);
        Assert.True(voter.Ask(Ask(2, "b", V(1, 5)), false).Granted);
    }

    [Fact]
    public void A_probe_promises_nothing_and_writes_nothing()
    {
        var voter = Open();

        Assert.True(voter.Ask(Ask(1, "a"), true).Granted);
        Assert.Equal(0ul, voter.Ballot!.Epoch);
        Assert.False(File.Exists(scratch.At("votes/wiki")));
    }

    [Fact]
    public void A_damaged_file_makes_it_abstain_and_say_so()
    {
        Open().Ask(Ask(1, "a"), false);
        File.AppendAllText(scratch.At("votes/wiki"), "x");

        var voter = Open();
        time.Advance(At(100));
        var answer = voter.Ask(Ask(2, "a"), false);
        Assert.False(answer.Granted);
        Assert.Contains("abstains", answer.Reason);
        Assert.Contains(scratch.At("votes/wiki"), answer.Reason);
        Assert.False(voter.Ask(Renewal(1, "a"), false).Granted);
        Assert.False(voter.GiveBack(new(1, "a", null, Leaving.NotWon)).Accepted);
        Assert.Null(voter.Ballot);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("{\"epoch\":0,\"holder\":\"a\",\"givenBack\":false,\"successor\":null,\"leaseMs\":4000}")]
    [InlineData("{\"epoch\":1,\"holder\":null,\"givenBack\":false,\"successor\":null,\"leaseMs\":4000}")]
    [InlineData("{\"epoch\":1,\"holder\":\"a\",\"givenBack\":false,\"successor\":null,\"leaseMs\":4000,\"more\":1}")]
    [InlineData("{\"epoch\":1,\"holder\":\"a\",\"givenBack\":false,\"successor\":null,\"leaseMs\":9223372036854775807}")]
    public void A_well_sealed_file_that_says_nonsense_makes_it_abstain_too(string content)
    {
        new CheckedFile(scratch.At("votes/wiki"), "mirror vote 1").Write(content);

        Assert.Null(Open().Ballot);
    }

    [Fact]
    public void What_could_not_be_written_is_not_granted()
    {
        var voter = Open();
        File.WriteAllText(scratch.At("votes"), "a file in the way");

        var answer = voter.Ask(Ask(1, "a"), false);
        Assert.False(answer.Granted);
        Assert.Contains("could not write its vote", answer.Reason);
        Assert.Equal(0ul, voter.Ballot!.Epoch);
    }

    [Fact]
    public void It_refuses_whoever_holds_less_than_its_own_member()
    {
        var voter = Open();
        voter.Ask(Ask(1, "a"), false);
        time.Advance(At(5));
        own = V(1, 8);

        Assert.False(voter.Ask(Ask(2, "b", V(1, 7)), false).Granted);
        Assert.True(voter.Ask(Ask(2, "b", V(1, 8)), false).Granted);
    }

    [Fact]
    public void Changes_of_the_vote_are_told_but_renewals_are_not()
    {
        var voter = Open();
        var granted = voter.Changed;
        voter.Ask(Ask(1, "a"), false);
        Assert.True(granted.IsCompletedSuccessfully);

        voter.Ask(Renewal(1, "a"), false);
        var next = voter.Changed;
        voter.Ask(Renewal(1, "a"), false);
        Assert.False(next.IsCompleted);
        voter.GiveBack(new(1, "a", null, Leaving.NotWon));
        Assert.True(next.IsCompletedSuccessfully);
    }
}
