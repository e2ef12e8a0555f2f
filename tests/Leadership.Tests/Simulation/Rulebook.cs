using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;

namespace Mirror.Leadership.Tests.Simulation;

internal enum VoteDurability
{
    /// <summary>On disk before the answer leaves.</summary>
    Synced,

    /// <summary>Written, and never synced.</summary>
    Cached,

    /// <summary>On disk some time after the answer.</summary>
    AfterTheAnswer,
}

/// <summary>
/// What the members of a world go by: the core as it is, unless one thing of it is replaced. A rulebook with a replaced thing is a mutant, and the
/// simulation must catch it.
/// </summary>
internal sealed record Rulebook
{
    public static Rulebook Honest { get; } = new();

    public Func<VoterState, SiteRules, GrantAsk, Position, TimeSpan, VoterStep<GrantAnswer>> Ask { get; init; } = Voter.Ask;

    public Func<VoterState, SiteRules, ulong, string, string?, TimeSpan, Leaving, VoterStep<ReturnAnswer>> GiveBack { get; init; } = Voter.GiveBack;

    public Func<VoterState, SiteRules, FailoverOrder, VoterStep<ReturnAnswer>> Hear { get; init; } = Voter.Hear;

    public Func<VoterState, SiteRules, TimeSpan, VoterState> Restarted { get; init; } = (state, rules, now) => state.Restarted(rules, now);

    public Func<VoterState, string, TimeSpan, VoterState> Reborn { get; init; } = Voter.Reborn;

    public Func<SiteRules, TimeSpan, VoterState> Fresh { get; init; } = VoterState.Fresh;

    /// <summary>Voter, when it was asked, now.</summary>
    public Func<LeaseClock, string, TimeSpan, TimeSpan, LeaseClock> Promised { get; init; } = (clock, voter, asked, now) => clock.Promised(voter, asked, now);

    /// <summary>Of a clock, and of when each voter was last asked that said yes.</summary>
    public Func<LeaseClock, SiteRules, IReadOnlyDictionary<string, TimeSpan>, TimeSpan?> Deadline { get; init; } = (clock, _, _) => clock.Deadline;

    public Func<Poll, bool> IsWon { get; init; } = poll => poll.IsWon;

    public Func<CandidateView, SiteRules, TimeSpan, Verdict> Decide { get; init; } = Candidacy.Decide;

    public Func<List<NodeHolding>, SiteRules, Position> Latest { get; init; } = (holdings, rules) => Consistency.Latest(holdings, rules);

    public Func<VoterState, Position, bool> Protects { get; init; } = Voter.Protects;

    /// <summary>Known epoch, epoch of what comes in.</summary>
    public Func<ulong, ulong, bool> Admits { get; init; } = EpochGate.Admits;

    public VoteDurability Vote { get; init; } = VoteDurability.Synced;

    public bool GateIsKept { get; init; } = true;

    public bool GuardKnowsDeadline { get; init; } = true;

    public bool AppStopsBeforeTheLastWill { get; init; } = true;

    /// <summary>What is said to be held is applied, and what is stored is applied before it is served.</summary>
    public bool AppliedIsWhatCounts { get; init; } = true;

    /// <summary>An epoch that was asked for once and given back is not asked for again.</summary>
    public bool AsksOncePerEpoch { get; init; } = true;

    /// <summary>A node that is started again is not there before the app of its earlier life is gone.</summary>
    public bool WaitsForItsFormerGuard { get; init; } = true;

    /// <summary>Who was not told an operator's word hears it from the others.</summary>
    public bool OrdersSpread { get; init; } = true;

    /// <summary>A candidate goes by the latest word that any voter knows who would appoint it.</summary>
    public bool WordsAreCarried { get; init; } = true;

    public bool WaitsForItsLease { get; init; } = true;

    public bool BranchesAreKept { get; init; } = true;
}
