using Mirror.Leadership.Core;
using Mirror.Node.Consul;

namespace Mirror.Leadership.Consul;

/// <summary>What this node last saw of a site's lock.</summary>
/// <param name="Entry">Null when there is no such key.</param>
/// <param name="Record">What stands in the key; null when there is no key, or somebody else wrote it.</param>
/// <param name="FreeSince">When it was first seen to be free as it is now, by this node's own clock.</param>
internal sealed record LockSight(KeyEntry? Entry, LockRecord? Record, TimeSpan FreeSince)
{
    public bool IsHeld => Entry?.Session is not null;

    /// <summary>Of the reign that the lock has, or had last; 0 when there was none.</summary>
    public ulong Epoch => Entry is { } entry && Record is { } record ? record.Offset + entry.LockIndex : 0;

    /// <summary>The newest version that was ever called consistent.</summary>
    public Position Consistent => Record is { } record ? new(record.Epoch, record.Sequence) : default;

    public LockSight Next(KeyEntry? entry, TimeSpan now)
    {
        var goesOn = !IsHeld && entry?.Session is null && entry?.LockIndex == Entry?.LockIndex;
        return new(entry, entry is null ? null : LockRecord.Read(entry.Value), goesOn ? FreeSince : now);
    }

    public static LockSight First(KeyEntry? entry, TimeSpan now) => new(entry, entry is null ? null : LockRecord.Read(entry.Value), now);

    /// <summary>
    /// The lock in the terms in which votes are judged, so that candidates follow the same rules under both: what its record says is the ballot, and until when it binds is counted from when
    /// it was seen to be free.
    /// </summary>
    public VoterState? Ballot(SiteRules rules) => Record is { } record
        ? new(Epoch, record.Holder, record.GivenBack, record.Successor, rules.Lease, record is { GivenBack: true, Successor: null } ? FreeSince : FreeSince + rules.Lease)
        : null;
}
