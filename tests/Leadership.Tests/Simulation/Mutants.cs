using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>A rulebook with one thing broken, and the kind of world that tests it hardest.</summary>
internal sealed record Mutant(string Name, Rulebook Book, Func<Climate, Climate>? Weather = null, bool OnlyBlips = false);

/// <summary>
/// The test of the test: each of these the simulation must catch. Not among them: a late answer that revives an ended lease. The voters' promise is real then,
/// so nothing breaks; that a lease stays ended only keeps the holder simple. Nor what costs time alone, such as a block by what was not won: that has examples.
/// </summary>
internal static class Mutants
{
    private static readonly Rulebook honest = Rulebook.Honest;

    public static IReadOnlyList<Mutant> All { get; } =
    [
        new("a vote is not synced", honest with { Vote = VoteDurability.Cached }, PowerIsBad),
        new("a vote is written after the answer", honest with { Vote = VoteDurability.AfterTheAnswer }, PowerIsBad),
        new("a voter grants while it is bound", honest with { Ask = (state, rules, ask, own, now) => Voter.Ask(state with { Until = now }, rules, ask, own, now) }),
        new("a voter grants an epoch twice", honest with
        {
            Ask = (state, rules, ask, own, now) => Voter.Ask(ask.Epoch == state.Epoch && !ask.Renewal ? state with { Epoch = state.Epoch - 1 } : state, rules, ask, own, now),
        }, LinesAreBad),
        new("a voter grants a lower epoch", honest with
        {
            Ask = (state, rules, ask, own, now) => Voter.Ask(ask.Epoch < state.Epoch ? state with { Epoch = ask.Epoch - 1 } : state, rules, ask, own, now),
        }),
        new("a voter does not compare what it holds", honest with { Ask = (state, rules, ask, _, now) => Voter.Ask(state, rules, ask, default, now) }),
        new("a voter ignores a reservation", honest with
        {
            Ask = (state, rules, ask, own, now) => Voter.Ask(state.IsReserved(now) ? state with { Successor = ask.Candidate } : state, rules, ask, own, now),
        }),
        new("a voter never lets go", honest with
        {
            Ask = (state, rules, ask, own, now) => Voter.Ask(state.Epoch > 0 && !state.GivenBack ? state with { Until = now + TimeSpan.FromDays(1) } : state, rules, ask, own, now),
        }),
        new("a restart forgets the rest of a promise", honest with { Restarted = (state, _, now) => state with { Until = now } }),
        new("a node is started beside the app of its earlier life", honest with { WaitsForItsFormerGuard = false }),
        new("a node that starts frees its vote, whoever holds it", honest with { Reborn = (state, _, now) => state.IsBoundToHolder(now) ? state with { Until = now } : state }),
        new("a voter without memory does not wait", honest with { Fresh = (rules, now) => VoterState.Fresh(rules, now) with { Until = now } }, DisksAreBad),
        new("the holder keeps no margin", honest with { Deadline = (clock, rules, _) => clock.Deadline + rules.Margin }),
        new("the lease counts from the answer", honest with { Promised = (clock, voter, _, now) => clock.Promised(voter, now, now) }),
        new("a majority is one less", honest with
        {
            IsWon = poll => poll.Granted >= poll.Rules.Majority - 1 && poll.Later is null,
            Deadline = (_, rules, asked) => asked.Count < rules.Majority - 1
                ? null
                : asked.Values.OrderDescending().ElementAt(rules.Majority - 2) + rules.Lease - rules.Margin,
        }),
        new("the lease is shorter than it says", honest with
        {
            Ask = (state, rules, ask, own, now) => Voter.Ask(state with { Until = state.Until - (rules.Lease * 0.6) }, rules, ask, own, now),
            Deadline = (clock, rules, _) => clock.Deadline - (rules.Lease * 0.6),
            Decide = (view, rules, now) => Candidacy.Decide(
                view.Ballot is { } ballot ? view with { Ballot = ballot with { Until = ballot.Until - (rules.Lease * 0.6) } } : view, rules, now),
        }, OnlyBlips: true),
        new("an epoch that was given back is asked for again", honest with { AsksOncePerEpoch = false }, LinesAndDisksAreSlow),
        new("consistency needs one too few", honest with { Latest = (holdings, rules) => Latest(holdings, rules, Consistency.Needed(rules) - 1, Consistency.Has) }),
        new("a later epoch counts as holding all earlier ones", honest with
        {
            Latest = (holdings, rules) => Latest(holdings, rules, Consistency.Needed(rules), (holding, version) => holding.Verified >= version),
        }),
        new("what is verified after a vote counts as protected by it", honest with { Protects = (_, _) => true }, ApplyIsSlow),
        new("promoted with what is stored and not applied", honest with { AppliedIsWhatCounts = false }, ApplyIsSlow),
        new("receivers admit any epoch", honest with { Admits = (_, _) => true }, LinesAreBad),
        new("a receiver's epoch is not kept", honest with { GateIsKept = false }, LinesAreBad),
        new("the guard does not know the deadline", honest with { GuardKnowsDeadline = false }),
        new("the last will is sent before the app has stopped", honest with { AppStopsBeforeTheLastWill = false }),
        new("a returning primary serves before it is granted an epoch", honest with { WaitsForItsLease = false }),
        new("a voter grants within the block time", honest with { Ask = (state, rules, ask, own, now) => Voter.Ask(state with { CalmAt = now }, rules, ask, own, now) }, MovesAreBlocked),
        new("a restart forgets the failover", honest with { Restarted = (state, rules, now) => state.Restarted(rules, now) with { FailedOverIn = 0 } }, MovesAreBlocked),
        new("a voter forgets the failover when its node comes back", honest with
        {
            Ask = (state, rules, ask, own, now) => Voter.Ask(ask.Epoch > state.Epoch && ask.Candidate == state.Primary ? state with { FailedOverIn = 0 } : state, rules, ask, own, now),
        }, MovesAreBlocked),
        new("the primary before counts as primary until another was heard of", honest with
        {
            Ask = (state, rules, ask, own, now) => Voter.Ask(state with { NotWon = true }, rules, ask, own, now),
        }, MovesAreBlocked),
        new("whoever was granted an epoch counts as primary", honest with
        {
            Ask = (state, rules, ask, own, now) => Voter.Ask(state with { Primary = state.Holder }, rules, ask, own, now),
        }, ManyOrders),
        new("a last will ends the block time", honest with
        {
            GiveBack = (state, rules, epoch, holder, successor, now, how) =>
                Voter.GiveBack(state, rules, epoch, holder, successor, now, how == Leaving.Died ? Leaving.InOrder : how),
        }, MovesAreBlocked),
        new("a voter grants while paused", honest with { Ask = (state, rules, ask, own, now) => KeepOrder(state, Voter.Ask(state with { Order = FailoverOrder.None }, rules, ask with { Order = FailoverOrder.None }, own, now)) }, ManyOrders),
        new("a restart forgets the pause", honest with { Restarted = (state, rules, now) => state.Restarted(rules, now) with { Order = FailoverOrder.None }, OrdersSpread = false }, ManyOrders),
        new("a candidate does not go by the words that voters know", honest with
        {
            IsWon = poll => poll.Granted >= poll.Rules.Majority, WordsAreCarried = false, OrdersSpread = false,
            Ask = (state, rules, ask, own, now) => Voter.Ask(state, rules, ask with { Order = FailoverOrder.None }, own, now),
        }, ManyOrders),
        new("what diverged is dropped", honest with { BranchesAreKept = false }),
    ];

    private static Climate PowerIsBad(Climate climate) => climate with { PowerLosses = 0.3, Kills = 0.3, Cuts = 0.3, LongestRestart = 1 };

    private static Climate DisksAreBad(Climate climate) => NothingIsHeldBack(climate) with { DiskLosses = 0.1, Cuts = 0.6, Partitions = 0.3, LongestRestart = 1, Latency = 0.001 };

    private static Climate LinesAreBad(Climate climate) => NothingIsHeldBack(climate) with { Lateness = 0.2, Latency = 0.03, Loss = 0.1, Cuts = 0.5, Partitions = 0.3, Kills = 0.3, LongestApply = 0.1 };

    private static Climate NothingIsHeldBack(Climate climate) => climate with { Orders = 0, Rules = climate.Rules with { Block = TimeSpan.Zero } };

    private static Climate LinesAndDisksAreSlow(Climate climate) => LinesAreBad(climate) with { SlowDisks = 0.7, Lateness = 0.3, Cuts = 3, Kills = 0, PowerLosses = 0.02 };

    private static Climate ApplyIsSlow(Climate climate) => climate with { LongestApply = 1.5, Handovers = 0.1, Kills = 0.3, Cuts = 0.3 };

    private static Climate MovesAreBlocked(Climate climate) => climate with { Rules = climate.Rules with { Block = TimeSpan.FromSeconds(8) }, Kills = 0.3, PowerLosses = 0.1, LongestRestart = 4 };

    private static Climate ManyOrders(Climate climate) => climate with { Orders = 0.2, Kills = 0.3, Cuts = 0.3, Lateness = 0.1, LongestRestart = 8 };

    private static VoterStep<GrantAnswer> KeepOrder(VoterState state, VoterStep<GrantAnswer> step) =>
        step with { State = step.State with { Order = state.Order }, Answer = step.Answer with { Order = state.Order } };

    private static Position Latest(List<NodeHolding> holdings, SiteRules rules, int needed, Func<NodeHolding, Position, bool> has)
    {
        var latest = default(Position);
        foreach (var candidate in holdings)
        {
            if (candidate.Verified > latest && holdings.Count(holding => holding.IsProtected && rules.Voters.Contains(holding.Node) && has(holding, candidate.Verified)) >= needed)
            {
                latest = candidate.Verified;
            }
        }

        return latest;
    }
}
