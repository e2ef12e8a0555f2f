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
        state = ask.Order.Number > state.Order.Number ? state with { Order = ask.Order } : state;
        var step = Judge(state, rules, ask, own, now);
        return step with { Answer = step.Answer with { Order = state.Order } };
    }

    private static VoterStep<GrantAnswer> Judge(VoterState state, SiteRules rules, GrantAsk ask, Position own, TimeSpan now)
    {
        if (!rules.Nodes.Contains(ask.Candidate))
        {
            return Refuse(state, $"{ask.Candidate} is not among the nodes of site {rules.Site} in this voter's configuration.");
        }

        if (VoterSets.Objection(state, rules, ask) is { } otherVoters)
        {
            var refused = Refuse(state, otherVoters.Sentence);
            return refused with { Answer = refused.Answer with { OtherVoters = otherVoters.ForAll } };
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
    public static VoterStep<ReturnAnswer> GiveBack(
        VoterState state, SiteRules rules, ulong epoch, string holder, string? successor, TimeSpan now, Leaving how = Leaving.NotWon)
    {
        var isNews = IsNewsOfAnEnd(state, rules, epoch, holder, how, now);
        if (!isNews && (epoch == 0 || epoch != state.Epoch || holder != state.Holder))
        {
            return new(new(false, $"{holder} does not hold epoch {epoch} by this voter: the highest is {Describe(state)}."), state, false);
        }

        if (successor is not null && !rules.Nodes.Contains(successor))
        {
            return new(new(false, $"{successor} cannot succeed: it is not among the nodes of site {rules.Site}."), state, false);
        }

        if (!isNews && state.GivenBack)
        {
            return new(new(true, $"Epoch {epoch} had been given back already."), state, false);
        }

        var until = successor is null ? now : now + rules.Lease;
        // What was not won was no failover; but one that was before goes on holding back the next.
        var isForgotten = how == Leaving.InOrder || (how == Leaving.NotWon && state.FailedOverIn == epoch);
        var next = state with { Epoch = epoch, Holder = holder, GivenBack = true, Successor = successor, Promised = rules.Lease, Until = until, FailedOverIn = isForgotten ? 0 : state.FailedOverIn, NotWon = how == Leaving.NotWon };
        next = isNews ? next with { Primary = holder } : next;
        return new(new(true, successor is null ? $"Epoch {epoch} is given back." : $"Epoch {epoch} is given back, the next is kept for {successor}."), next, true);
    }

    /// <summary>
    /// A reign of which this voter, away while it was won, had not heard: that it is over says also that it was. Nothing is learned while somebody else counts on this voter, or by one that lost its memory;
    /// and nothing from what was not won, for others may hold that epoch.
    /// </summary>
    private static bool IsNewsOfAnEnd(VoterState state, SiteRules rules, ulong epoch, string holder, Leaving how, TimeSpan now) =>
        how != Leaving.NotWon && state.Epoch > 0 && epoch > state.Epoch && epoch - state.Epoch <= LongestJump && rules.Nodes.Contains(holder)
        && (holder == state.Holder || !state.IsBoundToHolder(now)) && (holder == state.Successor || !state.IsReserved(now));

    /// <summary>An operator's word. A later one than this voter knows counts, whatever order they come in.</summary>
    public static VoterStep<ReturnAnswer> Hear(VoterState state, SiteRules rules, FailoverOrder order)
    {
        if (order == state.Order)
        {
            return new(new(true, "Known already."), state, false);
        }

        return order.Number > state.Order.Number
            ? new(new(true, order.Paused ? $"Automatic failover of site {rules.Site} is paused." : $"Automatic failover of site {rules.Site} goes on."), state with { Order = order }, true)
            : new(new(false, $"A later word is known: number {state.Order.Number}, of {state.Order.By}."), state, false);
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

        // What is long past holds nothing back any more: also not after a restart, from which on it would count in full.
        var isCalm = state.FailedOverIn > 0 && now >= state.CalmAt;
        next = isCalm ? next with { FailedOverIn = 0 } : next;
        var isNews = state.Primary != ask.Candidate;
        next = isNews ? next with { Primary = ask.Candidate } : next;
        var isMove = ask.FailedOver && state.FailedOverIn < ask.Epoch && !isCalm;
        next = isMove ? next with { FailedOverIn = ask.Epoch, CalmAt = now + rules.Block } : next;
        next = next with { Voters = VoterSets.Known(state, rules, ask) };
        isNews |= next.Voters != state.Voters;
        return new(new(true, state.Epoch, state.Holder, TimeSpan.Zero, $"Epoch {ask.Epoch} of {ask.Candidate} is renewed."), next, isCalm || isNews || isMove);
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

        var isFailover = IsFailover(state, rules, ask, now);
        if (isFailover && Objection(state, rules, ask, now) is { } objection)
        {
            return Refuse(state, objection, state.IsBlocked(now) && !state.Order.Paused ? state.CalmAt - now : TimeSpan.Zero);
        }

        var isMove = isFailover || ask.FailedOver;
        var next = new VoterState(ask.Epoch, ask.Candidate, false, null, rules.Lease, now + rules.Lease)
        {
            FailedOverIn = isMove ? ask.Epoch : IsMoved(state, ask, now) ? 0 : state.FailedOverIn,
            CalmAt = isMove ? now + rules.Block : state.CalmAt,
            Order = state.Order,
            Primary = ask.Renewal ? ask.Candidate : state.Primary,
            Voters = VoterSets.Known(state, rules, ask),
        };
        return new(new(true, next.Epoch, next.Holder, TimeSpan.Zero, $"Epoch {ask.Epoch} is granted to {ask.Candidate}.") { FailedOver = isFailover, IsNew = ask.Voters is not null && next.Voters is null }, next, true);
    }

    /// <summary>Not the first reign, not one that was won elsewhere, not the primary itself again, and not what people wanted.</summary>
    private static bool IsFailover(VoterState state, SiteRules rules, GrantAsk ask, TimeSpan now)
    {
        if (ask.Renewal || IsMoved(state, ask, now))
        {
            return false;
        }

        // Without memory it only knows who was to be the first.
        var primary = state.Primary ?? state.Holder ?? rules.Primary;
        return ask.Candidate != primary || (state.Epoch > 0 && ask.Candidate != state.Holder && !state.NotWon);
    }

    private static bool IsMoved(VoterState state, GrantAsk ask, TimeSpan now) => ask.Commanded || (state.IsReserved(now) && ask.Candidate == state.Successor);

    private static string? Objection(VoterState state, SiteRules rules, GrantAsk ask, TimeSpan now)
    {
        if (state.Order is { Paused: true } pause)
        {
            return $"Automatic failover of site {rules.Site} is paused by {pause.By}{(pause.Reason.Length > 0 ? $" ({pause.Reason})" : "")}; mirror resume ends that, mirror promote moves the site.";
        }

        if (rules.Never.Contains(ask.Candidate))
        {
            return $"{ask.Candidate} is never to be appointed automatically (failover.never); mirror promote works.";
        }

        return state.IsBlocked(now)
            ? $"{state.Primary ?? state.Holder} took over from another node in epoch {state.FailedOverIn}, and for another {Text(state.CalmAt - now)} there is no second automatic failover (failover.block); mirror resume acknowledges the first."
            : null;
    }

    private static VoterStep<GrantAnswer> Refuse(VoterState state, string reason, TimeSpan wait = default) =>
        new(new(false, state.Epoch, state.Holder, wait, reason), state, false);

    private static string Describe(VoterState state) => state.Epoch == 0 ? "none" : $"{state.Epoch} of {state.Holder}";

    internal static string Text(TimeSpan span) => $"{Math.Max(0, span.TotalSeconds):0.0##} s";
}
