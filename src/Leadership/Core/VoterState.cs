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
    /// <summary>
    /// A voter without memory. It may be new, or may have lost its disk, and then its promises are still believed elsewhere: so it waits one lease before it
    /// grants anything but epoch 1.
    /// </summary>
    public static VoterState Fresh(SiteRules rules, TimeSpan now) => new(0, null, false, null, rules.Lease, now + rules.Lease);

    /// <summary>Back from disk: how much of the last promise had run is unknown, so all of it is kept once more.</summary>
    public VoterState Restarted(SiteRules rules, TimeSpan now)
    {
        if (GivenBack && Successor is null)
        {
            return this with { Until = now };
        }

        return this with { Until = now + (Promised > rules.Lease ? Promised : rules.Lease) };
    }

    /// <summary>True while the promise to the holder binds this voter.</summary>
    public bool IsBoundToHolder(TimeSpan now) => Epoch > 0 && !GivenBack && now < Until;

    /// <summary>True while only the successor may be granted the next epoch.</summary>
    public bool IsReserved(TimeSpan now) => GivenBack && Successor is not null && now < Until;
}

/// <summary>A request for an epoch, or for its renewal.</summary>
/// <param name="Verified">Newest version the candidate holds applied and checked.</param>
/// <param name="Lease">How long the candidate will believe in the promise.</param>
/// <param name="Renewal">The candidate holds the epoch already, by a majority.</param>
public sealed record GrantAsk(ulong Epoch, string Candidate, Position Verified, TimeSpan Lease, bool Renewal);

/// <param name="Wait">When refused for now only: how long until the answer may be another. Zero when time alone changes nothing.</param>
/// <param name="Reason">One sentence.</param>
public sealed record GrantAnswer(bool Granted, ulong HighestEpoch, string? Holder, TimeSpan Wait, string Reason);

public sealed record ReturnAnswer(bool Accepted, string Reason);

/// <summary>What a voter says and what it is from then on.</summary>
/// <param name="MustPersist">The new state must be safe on disk before the answer leaves.</param>
public sealed record VoterStep<TAnswer>(TAnswer Answer, VoterState State, bool MustPersist);
