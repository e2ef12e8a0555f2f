namespace Mirror.Leadership.Core;

/// <summary>What one voter remembers of one site. All but <see cref="Until"/> outlives a restart.</summary>
/// <param name="Epoch">The highest epoch it ever granted; 0 when none.</param>
/// <param name="Holder">To whom. Null when none was granted.</param>
/// <param name="GivenBack">The holder will not use it any more.</param>
/// <param name="Successor">When given back: the only node that may have the next epoch until <paramref name="Until"/>.</param>
/// <param name="Promised">Length of the promise, kept so that a shorter lease in a changed configuration cannot cut it short.</param>
/// <param name="Until">Monotonic time at which the promise (to the holder, or to the successor) ends. Not kept: after a restart it is counted anew, in full.</param>
public sealed record VoterState(ulong Epoch, string? Holder, bool GivenBack, string? Successor, TimeSpan Promised, TimeSpan Until)
{
    /// <summary>The node that was last known to have won an epoch: it renewed one. Whoever was granted one and did not win it was never primary.</summary>
    public string? Primary { get; init; }

    /// <summary>Given back because it was not won: <see cref="Primary"/> still is what it was. While false, <see cref="Holder"/> may have won without this voter having heard more.</summary>
    public bool NotWon { get; init; }

    /// <summary>The epoch it granted in the last automatic failover: to another node than the primary before, and nobody had asked for it. 0 when that is long past, was not won, or people moved the site since.</summary>
    public ulong FailedOverIn { get; init; }

    /// <summary>Monotonic time until which this voter takes part in no further automatic failover. Not kept: after a restart it is counted anew, in full.</summary>
    public TimeSpan CalmAt { get; init; }

    /// <summary>What operators said last, as far as this voter was told.</summary>
    public FailoverOrder Order { get; init; } = FailoverOrder.None;

    /// <summary>The voters (<see cref="SiteRules.VoterSet"/>) of whom a majority was last known to have appointed a primary; null when none was, or it did not say.</summary>
    public string? Voters { get; init; }

    /// <summary>
    /// A voter without memory. It may be new, or may have lost its disk, and then its promises are still believed elsewhere: so it waits one lease before it
    /// grants anything but epoch 1.
    /// </summary>
    public static VoterState Fresh(SiteRules rules, TimeSpan now) => new(0, null, false, null, rules.Lease, now + rules.Lease);

    /// <summary>Back from disk: how much of the last promise had run is unknown, so all of it is kept once more.</summary>
    public VoterState Restarted(SiteRules rules, TimeSpan now)
    {
        var calm = FailedOverIn > 0 ? now + rules.Block : now;
        if (Epoch == 0)
        {
            return Fresh(rules, now) with { Order = Order, Voters = Voters };
        }

        if (GivenBack && Successor is null)
        {
            return this with { Until = now, CalmAt = calm };
        }

        return this with { Until = now + (Promised > rules.Lease ? Promised : rules.Lease), CalmAt = calm };
    }

    /// <summary>True while no further automatic failover may follow the last one.</summary>
    public bool IsBlocked(TimeSpan now) => now < CalmAt && FailedOverIn > Order.Acknowledged;

    /// <summary>True while the promise to the holder binds this voter.</summary>
    public bool IsBoundToHolder(TimeSpan now) => Epoch > 0 && !GivenBack && now < Until;

    /// <summary>True while only the successor may be granted the next epoch.</summary>
    public bool IsReserved(TimeSpan now) => GivenBack && Successor is not null && now < Until;
}

/// <summary>A request for an epoch, or for its renewal.</summary>
/// <param name="Verified">Newest version the candidate holds applied and checked.</param>
/// <param name="Lease">How long the candidate will believe in the promise.</param>
/// <param name="Renewal">The candidate holds the epoch already, by a majority.</param>
public sealed record GrantAsk(ulong Epoch, string Candidate, Position Verified, TimeSpan Lease, bool Renewal)
{
    /// <summary>An operator wants it, so the rules of automatic failover are not asked.</summary>
    public bool Commanded { get; init; }

    /// <summary>Of a renewal: one of those who granted the epoch took it for a failover, so all do. Said in the first moments of a reign.</summary>
    public bool FailedOver { get; init; }

    /// <summary>The voters by the candidate's configuration (<see cref="SiteRules.VoterSet"/>); null when it does not say.</summary>
    public string? Voters { get; init; }

    /// <summary>What operators said last, as far as the candidate knows: a voter that knows less goes by it.</summary>
    public FailoverOrder Order { get; init; } = FailoverOrder.None;
}

/// <param name="Wait">When refused for now only: how long until the answer may be another. Zero when time alone changes nothing.</param>
/// <param name="Reason">One sentence.</param>
public sealed record GrantAnswer(bool Granted, ulong HighestEpoch, string? Holder, TimeSpan Wait, string Reason)
{
    /// <summary>Granted, and taken for a failover.</summary>
    public bool FailedOver { get; init; }

    /// <summary>Granted by a voter that has seen no reign: it cannot know of other voters, so those who can are heard first.</summary>
    public bool IsNew { get; init; }

    /// <summary>Refused, and nobody may count on others: it has seen a reign of voters that could still appoint one beside these.</summary>
    public bool OtherVoters { get; init; }

    /// <summary>What operators said last, as far as the voter knows. A candidate that did not know asks again with it: who was told of a pause may not be who knows the last primary.</summary>
    public FailoverOrder Order { get; init; } = FailoverOrder.None;
}

public sealed record ReturnAnswer(bool Accepted, string Reason);

/// <summary>What a voter says and what it is from then on.</summary>
/// <param name="MustPersist">The new state must be safe on disk before the answer leaves.</param>
public sealed record VoterStep<TAnswer>(TAnswer Answer, VoterState State, bool MustPersist);

/// <summary>How an epoch comes to be given back.</summary>
public enum Leaving
{
    /// <summary>It was asked for, and not won.</summary>
    NotWon,

    /// <summary>The holder reigned, and leaves of its own will: whoever follows makes no second failover of the first.</summary>
    InOrder,

    /// <summary>The holder died, and its guard says so.</summary>
    Died,
}
