using Mirror.Leadership.Core;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Core;

/// <summary>Members whose configurations name different voters: whatever half of them has which, no two are appointed.</summary>
public sealed class VoterSetsTests
{
    private static readonly string[] before = ["a", "b", "c"];

    [Theory]
    [InlineData("a b c d")]
    [InlineData("a b")]
    [InlineData("b c d")]
    [InlineData("a d")]
    [InlineData("c d e")]
    [InlineData("a b c d e")]
    [InlineData("a d e f g")]
    public void Two_sets_of_voters_never_both_appoint_a_primary(string after)
    {
        var sets = new[] { before, after.Split(' ') };
        var members = before.Union(sets[1]).ToList();
        var tried = 0;

        // Who has the new configuration already, and which of the two sets stands first.
        foreach (var (changed, first) in Enumerable.Range(0, 1 << members.Count).SelectMany(mask => new[] { (mask, 0), (mask, 1) }))
        {
            SiteRules RulesOf(string member) => RulesFor(sets[(changed >> members.IndexOf(member)) & 1], members);
            var states = members.ToDictionary(member => member, member => before.Contains(member) ? Reigned(RulesFor(before, members)) : VoterState.Fresh(RulesFor(sets[1], members), At(0)));
            var won = 0;
            foreach (var (set, epoch) in new[] { (sets[first], 4ul), (sets[1 - first], 5ul) })
            {
                var ask = Ask(epoch, set[0]) with { Voters = RulesFor(set, members).VoterSet };
                var answers = set.Select(voter =>
                {
                    var step = Voter.Ask(states[voter], RulesOf(voter), ask, default, At(20));
                    states[voter] = step.State;
                    return step.Answer;
                }).ToList();
                won += answers.Count(answer => answer.Granted) > set.Length / 2 && !answers.Any(answer => answer.OtherVoters) ? 1 : 0;
            }

            Assert.True(won < 2, $"both {string.Join(' ', before)} and {after} won, with the new configuration on {string.Join(' ', members.Where(member => ((changed >> members.IndexOf(member)) & 1) == 1))}");
            tried += won;
        }

        Assert.True(tried > 0, "nobody ever won");
    }

    [Fact]
    public void An_epoch_is_granted_only_between_members_that_name_the_same_voters_and_the_refusal_names_both()
    {
        var more = Rules with { Voters = ["a", "b", "c", "d"] };
        var refused = Voter.Ask(Granted(3, "a", At(0)), Rules, Ask(4, "b") with { Voters = more.VoterSet }, default, At(10)).Answer;
        Assert.Equal("b says sites.wiki.voters = a, b, c, d, this voter says a, b, c: give all members the same configuration.", refused.Reason);
        Assert.False(refused.OtherVoters);
        Assert.True(Voter.Ask(Granted(3, "a", At(0)), Rules with { Voters = ["c", "b", "a"] }, Ask(4, "b") with { Voters = Rules.VoterSet }, default, At(10)).Answer.Granted);
    }

    [Fact]
    public void A_voter_more_or_less_is_changed_on_one_member_after_the_other_while_the_primary_reigns()
    {
        var (old, next) = (Rules, Rules with { Voters = ["a", "b", "c", "d"] });

        // The primary's configuration is the old one: who has the new one already goes on renewing, and remembers the old one.
        var state = Reigned(old);
        var renewed = Voter.Ask(state, next, Renewal(3, "a") with { Voters = old.VoterSet }, default, At(2));
        Assert.True(renewed.Answer.Granted);
        Assert.Equal("a b c", renewed.State.Voters);

        // When the primary has it too, all know the new ones from its next renewal on, and may be changed once more.
        var known = Voter.Ask(renewed.State, next, Renewal(3, "a") with { Voters = next.VoterSet }, default, At(3));
        Assert.True(known.MustPersist);
        Assert.Equal("a b c d", known.State.Voters);
        Assert.True(Voter.Ask(known.State, Rules with { Voters = ["b", "c", "d"] }, Renewal(3, "a") with { Voters = next.VoterSet }, default, At(4)).Answer.Granted);
    }

    [Fact]
    public void A_voter_that_has_seen_a_reign_of_quite_other_voters_takes_no_part_also_after_a_restart()
    {
        var other = Rules with { Voters = ["b", "c", "d"] };
        var state = Reigned(Rules).Restarted(other, At(10));

        var ask = Voter.Ask(state, other, Ask(4, "b") with { Voters = other.VoterSet }, default, At(20)).Answer;
        Assert.False(ask.Granted);
        Assert.True(ask.OtherVoters);
        Assert.Contains("Change one voter at a time", ask.Reason, StringComparison.Ordinal);
        Assert.False(Voter.Ask(state, other, Renewal(3, "a") with { Voters = Rules.VoterSet }, default, At(20)).Answer.Granted);

        // A healthy majority of the old ones is not kept from anything by one that was given a wrong file.
        Assert.False(Voter.Ask(state, other, Ask(4, "b") with { Voters = Rules.VoterSet }, default, At(20)).Answer.OtherVoters);
    }

    private static SiteRules RulesFor(string[] voters, List<string> nodes) => new("wiki", "a", nodes, voters, true, Lease);

    /// <summary>A voter through whose majority a reigned in epoch 3, and whose promise has run out at second 5.</summary>
    private static VoterState Reigned(SiteRules rules) =>
        Voter.Ask(Granted(3, "a", At(0)), rules, Renewal(3, "a") with { Voters = rules.VoterSet }, default, At(1)).State;
}
