using System.Globalization;
using Mirror.Store.Versions;

namespace Mirror.Store.Retention;

/// <summary>A version as the calendar sees it.</summary>
/// <param name="Received">By this machine's clock when it came.</param>
public readonly record struct DatedVersion(VersionId Id, DateTimeOffset Received);

/// <param name="Reason">Which rules keep it, or why it goes.</param>
public readonly record struct Verdict(VersionId Id, bool Kept, string Reason);

/// <summary>
/// A policy and dates in, verdicts out: nothing here knows of a disk. Versions are taken in the order of their numbers, not of their dates. Where the two contradict each other the clock was set back: then the
/// most versions whose dates agree are believed. The others, and those dated later than now, are kept and count for no rule, so a clock that is set back keeps more and not less.
/// </summary>
public static class RetentionCalendar
{
    public const string InDoubt = "its date is in doubt: the clock was set back";

    /// <param name="versions">Oldest first.</param>
    /// <returns>In the same order.</returns>
    /// <exception cref="ArgumentException">The policy keeps nothing, or a rule is negative.</exception>
    public static IReadOnlyList<Verdict> Judge(RetentionPolicy policy, IReadOnlyList<DatedVersion> versions, DateTimeOffset now)
    {
        policy.Check();
        if (policy.IsEmpty)
        {
            throw new ArgumentException("The retention policy is empty: it would drop every version. Say what to keep, such as keep-last or keep-daily.", nameof(policy));
        }

        if (!policy.HasCalendar)
        {
            return [.. versions.Select(version => new Verdict(version.Id, true, "no rule drops it"))];
        }

        var doubtful = Doubtful(versions, now);
        var latest = versions.Where((_, at) => !doubtful[at]).Select(version => version.Received).DefaultIfEmpty(now).Max();
        var oldest = Array.IndexOf(doubtful, false);
        var rules = Rules(policy);
        var verdicts = new Verdict[versions.Count];
        for (var at = versions.Count - 1; at >= 0; at--)
        {
            var version = versions[at];
            if (doubtful[at])
            {
                verdicts[at] = new Verdict(version.Id, true, InDoubt);
                continue;
            }

            List<string> reasons = [];
            if (policy.KeepWithin > TimeSpan.Zero && latest - version.Received < policy.KeepWithin)
            {
                reasons.Add("within");
            }

            reasons.AddRange(rules.Where(rule => rule.Takes(version.Received, at, at == oldest)).Select(rule => rule.Name));
            verdicts[at] = new Verdict(version.Id, reasons.Count > 0, reasons.Count > 0 ? string.Join(", ", reasons) : "no rule keeps it");
        }

        return verdicts;
    }

    /// <summary>All but the longest row of dates, up to now, that never goes back.</summary>
    private static bool[] Doubtful(IReadOnlyList<DatedVersion> versions, DateTimeOffset now)
    {
        // ends[n]: the version with the earliest date at which a row of n + 1 versions can end.
        var ends = new List<int>();
        var before = new int[versions.Count];
        for (var at = 0; at < versions.Count; at++)
        {
            if (versions[at].Received > now)
            {
                continue;
            }

            int low = 0, high = ends.Count;
            while (low < high)
            {
                var middle = low + ((high - low) / 2);
                (low, high) = versions[ends[middle]].Received <= versions[at].Received ? (middle + 1, high) : (low, middle);
            }

            before[at] = low == 0 ? -1 : ends[low - 1];
            if (low == ends.Count)
            {
                ends.Add(at);
            }
            else
            {
                ends[low] = at;
            }
        }

        var doubtful = new bool[versions.Count];
        Array.Fill(doubtful, true);
        for (var at = ends.Count == 0 ? -1 : ends[^1]; at >= 0; at = before[at])
        {
            doubtful[at] = false;
        }

        return doubtful;
    }

    private static Rule[] Rules(RetentionPolicy policy) =>
    [
        new("last", policy.KeepLast, static (_, at) => at),
        new("hourly", policy.KeepHourly, static (date, _) => date.UtcTicks / TimeSpan.TicksPerHour),
        new("daily", policy.KeepDaily, static (date, _) => date.UtcTicks / TimeSpan.TicksPerDay),
        new("weekly", policy.KeepWeekly, static (date, _) => (ISOWeek.GetYear(date.UtcDateTime) * 100) + ISOWeek.GetWeekOfYear(date.UtcDateTime)),
        new("monthly", policy.KeepMonthly, static (date, _) => (date.UtcDateTime.Year * 100) + date.UtcDateTime.Month),
        new("yearly", policy.KeepYearly, static (date, _) => date.UtcDateTime.Year),
    ];

    /// <summary>Takes the newest version of each of so many periods.</summary>
    private sealed class Rule(string name, int count, Func<DateTimeOffset, int, long> period)
    {
        private int left = count;
        private long? last;

        public string Name => name;

        /// <summary>Asked for each version, newest first.</summary>
        public bool Takes(DateTimeOffset date, int at, bool isOldest)
        {
            if (left == 0)
            {
                return false;
            }

            var here = period(date, at);
            if (here == last && !isOldest)
            {
                return false;
            }

            last = here;
            left--;
            return true;
        }
    }
}
