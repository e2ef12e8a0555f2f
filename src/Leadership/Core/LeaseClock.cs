using System.Collections.Immutable;

namespace Mirror.Leadership.Core;

/// <summary>
/// The holder's side of the promises: until when may it write? Each voter's promise is counted from when it was asked, which is before the voter gave it,
/// so the holder's view always ends first. The lease ends when fewer than a majority of promises are left, and the holder stops a margin earlier.
/// Once it has ended it stays so: a late answer cannot bring it back.
/// </summary>
public sealed record LeaseClock
{
    private readonly SiteRules rules;
    private readonly ImmutableDictionary<string, TimeSpan> asked;

    private LeaseClock(SiteRules rules, ImmutableDictionary<string, TimeSpan> asked)
    {
        this.rules = rules;
        this.asked = asked;
    }

    public static LeaseClock Unheld(SiteRules rules) => new(rules, ImmutableDictionary<string, TimeSpan>.Empty);

    /// <summary>Monotonic time at which the holder must have stopped. Null while fewer than a majority have promised.</summary>
    public TimeSpan? Deadline
    {
        get
        {
            if (asked.Count < rules.Majority)
            {
                return null;
            }

            var decisive = asked.Values.OrderDescending().ElementAt(rules.Majority - 1);
            return decisive + rules.Lease - rules.Margin;
        }
    }

    public bool IsHeld(TimeSpan now) => Deadline is { } deadline && now < deadline;

    public bool HasEnded(TimeSpan now) => Deadline is { } deadline && now >= deadline;

    /// <param name="askedAt">When the request left, by the holder's monotonic clock.</param>
    public LeaseClock Promised(string voter, TimeSpan askedAt, TimeSpan now)
    {
        if (HasEnded(now) || !rules.Voters.Contains(voter) || (asked.TryGetValue(voter, out var earlier) && earlier >= askedAt))
        {
            return this;
        }

        return new(rules, asked.SetItem(voter, askedAt));
    }
}
