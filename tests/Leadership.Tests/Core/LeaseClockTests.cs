using Mirror.Leadership.Core;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Core;

public sealed class LeaseClockTests
{
    [Fact]
    public void One_promise_of_three_is_no_lease()
    {
        var clock = LeaseClock.Unheld(Rules).Promised("a", At(0), At(0));

        Assert.Null(clock.Deadline);
        Assert.False(clock.IsHeld(At(0)));
        Assert.False(clock.HasEnded(At(100)));
    }

    [Fact]
    public void The_lease_counts_from_when_the_majority_was_asked_less_the_margin()
    {
        var clock = LeaseClock.Unheld(Rules).Promised("a", At(1), At(1)).Promised("b", At(1.2), At(1.9));

        Assert.Equal(At(1 + 4 - 0.5), clock.Deadline);
        Assert.True(clock.IsHeld(At(4.49)));
        Assert.False(clock.IsHeld(At(4.5)));
        Assert.True(clock.HasEnded(At(4.5)));
    }

    [Fact]
    public void A_third_promise_lets_the_oldest_not_matter()
    {
        var clock = LeaseClock.Unheld(Rules).Promised("a", At(1), At(1)).Promised("b", At(2), At(2)).Promised("c", At(3), At(3));

        Assert.Equal(At(2 + 3.5), clock.Deadline);
    }

    [Fact]
    public void One_voter_renewing_alone_does_not_prolong_the_lease()
    {
        var clock = LeaseClock.Unheld(Rules).Promised("a", At(0), At(0)).Promised("b", At(0), At(0));
        clock = clock.Promised("a", At(1), At(1)).Promised("a", At(2), At(2)).Promised("a", At(3), At(3));

        Assert.Equal(At(3.5), clock.Deadline);
    }

    [Fact]
    public void Once_ended_it_stays_ended()
    {
        var clock = LeaseClock.Unheld(Rules).Promised("a", At(0), At(0)).Promised("b", At(0), At(0));
        clock = clock.Promised("a", At(3), At(3.6)).Promised("b", At(3), At(3.6)).Promised("c", At(3), At(3.6));

        Assert.True(clock.HasEnded(At(3.6)));
    }

    [Fact]
    public void Answers_out_of_order_and_strangers_change_nothing()
    {
        var clock = LeaseClock.Unheld(Rules).Promised("a", At(2), At(2)).Promised("b", At(2), At(2));
        clock = clock.Promised("b", At(1), At(2)).Promised("x", At(3), At(3)).Promised("y", At(3), At(3));

        Assert.Equal(At(2 + 3.5), clock.Deadline);
    }

    [Fact]
    public void The_margin_is_an_eighth_of_the_lease_but_not_below_100_ms()
    {
        Assert.Equal(At(0.5), Rules.Margin);
        Assert.Equal(At(0.125), (Rules with { Lease = At(1) }).Margin);
        Assert.Equal(At(0.1), (Rules with { Lease = At(0.4) }).Margin);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 2)]
    [InlineData(4, 3)]
    [InlineData(5, 3)]
    public void Two_majorities_always_share_a_voter(int voters, int majority)
    {
        var rules = Rules with { Voters = [.. Enumerable.Range(0, voters).Select(number => $"v{number}")] };

        Assert.Equal(majority, rules.Majority);
        Assert.True(2 * rules.Majority > voters);
    }
}
