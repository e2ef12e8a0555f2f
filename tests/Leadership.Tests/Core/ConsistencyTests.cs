using CsCheck;
using Mirror.Leadership.Core;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Core;

public sealed class ConsistencyTests
{
    [Fact]
    public void With_three_voting_nodes_two_copies_make_a_version_consistent()
    {
        Assert.Equal(V(1, 8), Consistency.Latest([Holds("a", V(1, 10)), Holds("b", V(1, 8)), Holds("c", V(1, 5))], Rules));
        Assert.Equal(V(1, 10), Consistency.Latest([Holds("a", V(1, 10)), Holds("b", V(1, 10)), Holds("c", V(1, 5))], Rules));
    }

    [Fact]
    public void A_version_on_one_node_only_is_not_consistent()
    {
        Assert.Equal(default, Consistency.Latest([Holds("a", V(1, 10))], Rules));
        Assert.Equal(default, Consistency.Latest([], Rules));
    }

    [Fact]
    public void What_a_node_holds_only_since_after_its_vote_for_a_later_epoch_is_not_made_safe_by_that_vote()
    {
        var late = Holds("b", V(1, 10)) with { IsProtected = false };

        Assert.Equal(V(1, 5), Consistency.Latest([Holds("a", V(1, 10)), late, Holds("c", V(1, 5))], Rules));
        Assert.Equal(default, Consistency.Latest([Holds("a", V(1, 10)), late], Rules));

        // What all nodes hold needs no votes.
        Assert.Equal(V(1, 10), Consistency.Latest([Holds("a", V(1, 10)), late], WithWitness));
    }

    [Fact]
    public void A_witness_holds_nothing_so_both_nodes_must()
    {
        Assert.Equal(V(1, 8), Consistency.Latest([Holds("a", V(1, 10)), Holds("b", V(1, 8))], WithWitness));
    }

    [Fact]
    public void Copies_on_nodes_that_do_not_vote_protect_nothing_unless_all_nodes_have_it()
    {
        var rules = new SiteRules("wiki", "a", ["a", "b", "c"], ["a", "w", "x"], true, Lease);

        Assert.Equal(default, Consistency.Latest([Holds("b", V(1, 9)), Holds("c", V(1, 9))], rules));
        Assert.Equal(V(1, 7), Consistency.Latest([Holds("a", V(1, 7)), Holds("b", V(1, 9)), Holds("c", V(1, 9))], rules));
    }

    [Fact]
    public void A_dead_primary_with_more_than_it_replicated_does_not_make_it_consistent()
    {
        // b was promoted with 1.8 and went on as 2.9; what a had of 1.9 and 1.10 is on no other node.
        var holdings = new[] { Holds("a", V(1, 10)), Holds("b", V(2, 9), V(1, 8)), Holds("c", V(1, 8)) };

        Assert.Equal(V(1, 8), Consistency.Latest(holdings, Rules));
    }

    [Fact]
    public void The_version_an_epoch_grew_from_is_held_by_all_who_hold_the_epoch()
    {
        Assert.Equal(V(1, 8), Consistency.Latest([Holds("b", V(2, 11), V(1, 8)), Holds("c", V(1, 8))], Rules));
        Assert.Equal(V(2, 9), Consistency.Latest([Holds("b", V(2, 11), V(1, 8)), Holds("c", V(2, 9), V(1, 8))], Rules));
    }

    [Fact]
    public void Without_knowing_where_an_epoch_grew_from_nothing_is_claimed_across_it()
    {
        Assert.Equal(default, Consistency.Latest([Holds("a", V(1, 10)), Holds("b", V(2, 9)), Holds("c", V(1, 8))], Rules with { Nodes = ["a", "b"] }));
    }

    [Fact]
    public void Nodes_that_left_the_configuration_do_not_count()
    {
        Assert.Equal(default, Consistency.Latest([Holds("a", V(1, 10)), Holds("old", V(1, 10))], Rules));
    }

    [Fact]
    public void Every_majority_of_voters_has_one_that_refuses_whoever_lacks_a_consistent_version()
    {
        var positions = Gen.Int[0, 6].Select(sequence => sequence == 0 ? default : V(1, (ulong)sequence));
        Gen.Select(Gen.Int[1, 4], Gen.Int[0, 3], positions.Array[4]).Sample((nodes, witnesses, held) =>
        {
            string[] names = [.. Enumerable.Range(0, nodes).Select(number => $"n{number}")];
            string[] voters = [.. names, .. Enumerable.Range(0, witnesses).Select(number => $"w{number}")];
            var rules = new SiteRules("wiki", "n0", names, voters, true, Lease);
            var holdings = names.Select((name, index) => Holds(name, held[index])).ToList();
            var consistent = Consistency.Latest(holdings, rules);
            foreach (var candidate in holdings.Where(holding => holding.Verified < consistent))
            {
                var willing = voters.Count(voter => holdings.SingleOrDefault(holding => holding.Node == voter) is not { } own || own.Verified <= candidate.Verified);
                Assert.True(willing < rules.Majority, $"{candidate.Node} with {candidate.Verified} could be appointed over {consistent}");
            }
        });
    }
}
