namespace Mirror.Leadership.Core;

/// <summary>
/// One voter's judgement. It makes promises and keeps them: an epoch is granted once, to one holder, and until the promise has run out on the voter's own
/// monotonic clock, or was given back, nobody else gets a later one. Two majorities share a voter, so two nodes can't be primary at the same time, nor in
/// the same epoch. Because a voter also refuses whoever holds less than itself, the one appointed holds every version that was safe on enough nodes.
/// </summary>
/// <remarks>
/// The holder may be granted a later epoch at once, without waiting for its own promise to run out: by asking it gives up the earlier one. That is how a
/// restarted primary comes back quickly, under a new epoch.
/// </remarks>
public static class Voter
{
    /// <summary>More than any cluster climbs; a request beyond it would burn the numbers that are left.</summary>
    public const ulong LongestJump = 1 << 20;

    /// <param name="own">Newest version this voter itself holds verified; default for one that holds no site.</param>
    public static VoterStep<GrantAnswer> Ask(VoterState state, SiteRules rules, GrantAsk ask, Position own, TimeSpan now)
    {
        if (!rules.Nodes.Contains(ask.Candidate))
        {
            return Refuse(state, $"{ask.Candidate} is not among the nodes of site {rules.Site} in this voter's configuration.");
        }

        if (ask.Lease > rules.Lease)
        {
            return Refuse(state, $"{ask.Candidate} counts on {Text(ask.Lease)} of lease, this voter promises {Text(rules.Lease)}: give all members the same configuration.");
        }

        if (ask.Epoch < state.Epoch)
        {
            return Refuse(state, $"Epoch {ask.Epoch} is past: epoch {state.Epoch} was granted to {state.Holder}.");
        }

        return ask.Epoch == state.Epoch ? Renew(state, rules, ask, now) : Grant(state, rules, ask, own, now);
    }

    /// <summary>The holder gives its epoch back; with a successor, only that node can be granted the next one for one lease.</summary>
    public static VoterStep<ReturnAnswer> GiveBack(VoterState state, SiteRules rules, ulong epoch, string holder, string? successor, TimeSpan now)
    {
        if (epoch == 0 || epoch != state.Epoch || holder != state.Holder)
        {
            return new(new(false, $"{holder} does not hold epoch {epoch} by this voter: the highest is {Describe(state)}."), state, false);
        }

        if (successor is not null && !rules.Nodes.Contains(successor))
        {
            return new(new(false, $"{successor} cannot succeed: it is not among the nodes of site {rules.Site}."), state, false);
        }

        if (state.GivenBack)
        {
            return new(new(true, $"Epoch {epoch} had been given back already."), state, false);
        }

        var until = successor is null ? now : now + rules.Lease;
        var next = state with { GivenBack = true, Successor = successor, Promised = rules.Lease, Until = until };
        return new(new(true, successor is null ? $"Epoch {epoch} is given back." : $"Epoch {epoch} is given back, the next is kept for {successor}."), next, true);
    }

    /// <summary>
    /// Does this voter's memory protect a version that its node holds from now on? Not one of an older epoch than it granted: that candidate was compared with what
    /// was held then, and may reign without it.
    /// </summary>
    public static bool Protects(VoterState state, Position verified) => state.Epoch <= verified.Epoch;

    /// <summary>
    /// This voter's own node was started anew, and no app of its earlier life runs any more: then nobody is left who believes in a promise that was made to that node before. Promises to others are kept.
    /// Not to be said later than at the start: in this life the node may have won an epoch again.
    /// </summary>
    public static VoterState Reborn(VoterState state, string self, TimeSpan now) =>
        state.Holder == self && state.IsBoundToHolder(now) ? state with { Until = now } : state;

    private static VoterStep<GrantAnswer> Renew(VoterState state, SiteRules rules, GrantAsk ask, TimeSpan now)
    {
        if (ask.Epoch == 0)
        {
            return Refuse(state, "Epoch 0 is no epoch.");
        }

        if (ask.Candidate != state.Holder)
        {
            return Refuse(state, $"Epoch {ask.Epoch} was granted to {state.Holder}.", state.IsBoundToHolder(now) ? state.Until - now : TimeSpan.Zero);
        }

        if (state.GivenBack)
        {
            return Refuse(state, $"{ask.Candidate} gave epoch {ask.Epoch} back.");
        }

        if (!ask.Renewal)
        {
            return Refuse(state, $"Epoch {ask.Epoch} was granted to {ask.Candidate} before, and is not granted twice.");
        }

        // Even when the promise had run out: nobody was granted a later epoch since, or this would not be the highest.
        var until = now + rules.Lease;
        var next = state with { Until = until > state.Until ? until : state.Until };
        return new(new(true, state.Epoch, state.Holder, TimeSpan.Zero, $"Epoch {ask.Epoch} of {ask.Candidate} is renewed."), next, false);
    }

    private static VoterStep<GrantAnswer> Grant(VoterState state, SiteRules rules, GrantAsk ask, Position own, TimeSpan now)
    {
        if (ask.Epoch - state.Epoch > LongestJump)
        {
            return Refuse(state, $"Epoch {ask.Epoch} is too far beyond {state.Epoch}.");
        }

        if (ask.Epoch == 1 && ask.Candidate != rules.Primary)
        {
            return Refuse(state, $"Epoch 1 is for {rules.Primary}, the configured primary.");
        }

        var left = state.Until - now;
        if (state.Epoch == 0 && ask.Epoch > 1 && left > TimeSpan.Zero)
        {
            return Refuse(state, $"This voter has no memory of site {rules.Site}, so it waits out a lease that others may believe in, another {Text(left)}.", left);
        }

        if (state.IsReserved(now) && ask.Candidate != state.Successor)
        {
            return Refuse(state, $"The epoch after {state.Epoch} is kept for {state.Successor} for another {Text(left)}.", left);
        }

        if (state.IsBoundToHolder(now) && ask.Candidate != state.Holder)
        {
            return Refuse(state, $"{state.Holder} holds epoch {state.Epoch} for another {Text(left)}.", left);
        }

        if (ask.Verified < own)
        {
            return Refuse(state, $"{ask.Candidate} has {ask.Verified}, this voter holds {own}, which is newer.");
        }

        var next = new VoterState(ask.Epoch, ask.Candidate, false, null, rules.Lease, now + rules.Lease);
        return new(new(true, next.Epoch, next.Holder, TimeSpan.Zero, $"Epoch {ask.Epoch} is granted to {ask.Candidate}."), next, true);
    }

    private static VoterStep<GrantAnswer> Refuse(VoterState state, string reason, TimeSpan wait = default) =>
        new(new(false, state.Epoch, state.Holder, wait, reason), state, false);

    private static string Describe(VoterState state) => state.Epoch == 0 ? "none" : $"{state.Epoch} of {state.Holder}";

    internal static string Text(TimeSpan span) => $"{Math.Max(0, span.TotalSeconds):0.0##} s";
}
