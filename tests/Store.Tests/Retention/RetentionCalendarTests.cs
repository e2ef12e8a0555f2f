using CsCheck;
using Mirror.Store.Retention;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.Retention;

public sealed class RetentionCalendarTests
{
    private static readonly DateTimeOffset start = new(2024, 1, 1, 0, 30, 0, TimeSpan.Zero);

    [Fact]
    public void A_policy_that_keeps_nothing_is_an_error_and_not_an_order_to_drop_everything()
    {
        Assert.Throws<ArgumentException>(() => RetentionCalendar.Judge(new RetentionPolicy(), Hourly(3), start));
        Assert.Throws<ArgumentException>(() => RetentionCalendar.Judge(new RetentionPolicy { KeepLast = -1, KeepDaily = 2 }, Hourly(3), start));
    }

    [Fact]
    public void Of_no_versions_none_is_kept() => Assert.Empty(RetentionCalendar.Judge(new RetentionPolicy { KeepLast = 1 }, [], start));

    [Fact]
    public void A_budget_alone_lets_the_calendar_keep_all() =>
        Assert.All(RetentionCalendar.Judge(new RetentionPolicy { Budget = 1 }, Hourly(500), start.AddYears(3)), verdict => Assert.True(verdict.Kept));

    [Fact]
    public void The_last_are_the_newest_by_number() => Assert.Equal([6, 7, 8, 9, 10], Kept(new RetentionPolicy { KeepLast = 5 }, Hourly(10)));

    [Fact]
    public void Of_each_day_the_newest_counts_and_with_counts_left_the_oldest_of_all_stays()
    {
        // Four days of hours from 00:30 on: the last of a day is at 23:30.
        Assert.Equal([48, 72, 96], Kept(new RetentionPolicy { KeepDaily = 3 }, Hourly(96)));
        Assert.Equal([1, 24, 48, 72, 96], Kept(new RetentionPolicy { KeepDaily = 30 }, Hourly(96)));
    }

    [Fact]
    public void Days_without_a_version_do_not_count()
    {
        DatedVersion[] sparse = [At(1, start), At(2, start.AddDays(40)), At(3, start.AddDays(41)), At(4, start.AddDays(300))];
        Assert.Equal([2, 3, 4], Kept(new RetentionPolicy { KeepDaily = 3 }, sparse));
    }

    [Fact]
    public void Within_counts_from_the_newest_version_and_not_from_now()
    {
        var policy = new RetentionPolicy { KeepWithin = TimeSpan.FromHours(5) };
        Assert.Equal([6, 7, 8, 9, 10], Kept(policy, Hourly(10)));
        Assert.Equal([6, 7, 8, 9, 10], Kept(policy, Hourly(10), start.AddYears(20)));
    }

    [Fact]
    public void Weeks_are_those_of_the_calendar_with_monday_first_also_over_the_new_year()
    {
        // 2024-12-30 is a Monday, of the first week of 2025.
        var monday = new DateTimeOffset(2024, 12, 30, 1, 0, 0, TimeSpan.Zero);
        DatedVersion[] days = [.. Enumerable.Range(0, 10).Select(day => At((ulong)day + 1, monday.AddDays(day - 3)))];
        Assert.Equal([3, 10], Kept(new RetentionPolicy { KeepWeekly = 2 }, days));
    }

    [Fact]
    public void Rules_add_up_and_each_says_why()
    {
        var verdicts = RetentionCalendar.Judge(new RetentionPolicy { KeepLast = 2, KeepDaily = 2, KeepMonthly = 1 }, Hourly(60), start.AddYears(1));
        Assert.Equal("last, daily, monthly", verdicts[59].Reason);
        Assert.Equal("last", verdicts[58].Reason);
        Assert.Equal("daily", verdicts[47].Reason);
        Assert.Equal((false, "no rule keeps it"), (verdicts[46].Kept, verdicts[46].Reason));
        Assert.Equal(3, verdicts.Count(verdict => verdict.Kept));
    }

    [Fact]
    public void Six_years_of_hourly_captures_thinned_every_day_leave_what_one_look_at_all_of_them_would()
    {
        var policy = new RetentionPolicy { KeepLast = 4, KeepWithin = TimeSpan.FromDays(2), KeepDaily = 14, KeepWeekly = 8, KeepMonthly = 24, KeepYearly = 10 };
        var all = Hourly(6 * 365 * 24);
        var left = new List<DatedVersion>();
        foreach (var version in all)
        {
            left.Add(version);
            if (version.Received.Hour == 12)
            {
                left = After(policy, left, version.Received);
            }
        }

        var now = all[^1].Received;
        left = After(policy, left, now);
        var days = left.Select(version => version.Received.UtcDateTime.Date).Distinct().ToList();
        Assert.Equal(48, left.Count(version => now - version.Received < TimeSpan.FromDays(2)));
        Assert.True(Enumerable.Range(0, 14).All(day => days.Contains(now.UtcDateTime.Date.AddDays(-day))));
        Assert.Equal(24, left.Select(version => (version.Received.Year, version.Received.Month)).Distinct().Count(month => month.Year * 12 + month.Month > (now.Year * 12) + now.Month - 24));
        Assert.Equal([2024, 2025, 2026, 2027, 2028, 2029], left.Select(version => version.Received.Year).Distinct());
        Assert.InRange(left.Count, 48 + 12, 48 + 14 + 8 + 24 + 10 + 1);

        // Only the oldest, which stays while a rule has counts left, is the very first; thinning day by day loses nothing that thinning once would keep.
        Assert.Equal(1UL, left[0].Id.Sequence);
        Assert.Equal(After(policy, all, now).Select(version => version.Id), left.Select(version => version.Id));
    }

    [Fact]
    public void Thousands_of_versions_pushed_at_once_do_not_push_out_the_days_and_months_before()
    {
        var policy = new RetentionPolicy { KeepDaily = 7, KeepMonthly = 12 };
        var before = After(policy, Hourly(300 * 24), start.AddDays(300));
        var flood = Enumerable.Range(0, 5_000).Select(number => At(100_000 + (ulong)number, start.AddDays(300).AddSeconds(number))).ToList();
        var after = After(policy, [.. before, .. flood], start.AddDays(301));

        // One day came, so one day may go.
        Assert.True(before.Except(after).Count() <= 2, $"{before.Except(after).Count()} of {before.Count} versions were pushed out");
    }

    [Fact]
    public void What_came_before_the_clock_was_set_back_is_in_doubt_and_stays()
    {
        DatedVersion[] versions = [At(1, start), At(2, start.AddDays(1)), At(3, start.AddDays(400)), At(4, start.AddDays(2)), At(5, start.AddDays(3))];
        var verdicts = RetentionCalendar.Judge(new RetentionPolicy { KeepLast = 1 }, versions, start.AddDays(3));
        Assert.Equal([false, false, true, false, true], verdicts.Select(verdict => verdict.Kept));
        Assert.Equal(RetentionCalendar.InDoubt, verdicts[2].Reason);

        // A clock that is behind all of them says nothing about any.
        Assert.All(RetentionCalendar.Judge(new RetentionPolicy { KeepLast = 1 }, versions, start.AddDays(-1)), verdict => Assert.True(verdict.Kept));
    }

    [Fact]
    public void A_machine_that_wakes_up_in_1970_leaves_one_date_in_doubt_and_not_all_before_it()
    {
        DatedVersion[] versions = [.. Hourly(100), At(101, DateTimeOffset.UnixEpoch), At(102, start.AddHours(101))];
        Assert.Equal([101, 102], Kept(new RetentionPolicy { KeepLast = 1 }, versions));
        Assert.Equal(102, Kept(new RetentionPolicy { KeepLast = 1 }, versions, DateTimeOffset.UnixEpoch.AddYears(-1)).Count);
    }

    [Fact]
    public void A_clock_that_is_behind_when_versions_are_judged_drops_none_that_a_right_one_keeps() => Gen.Select(
        Gen.Int[0, 5_000].Array[1, 60], Gen.Int[0, 5_000], Policies).Sample((steps, hoursBack, policy) =>
        {
            var now = start;
            var versions = steps.Select((step, at) => At((ulong)at + 1, now = now.AddMinutes(step))).ToList();
            Assert.Subset(Kept(policy, versions, now.AddHours(-hoursBack)).ToHashSet(), Kept(policy, versions, now).ToHashSet());
        });

    [Fact]
    public void A_version_that_came_while_the_clock_was_set_back_costs_no_rule_more_than_one_version() => Gen.Select(
        Gen.Int[1, 5_000].Array[2, 60], Gen.Int[0, 59], Gen.Int[1, 3_000], Policies).Sample((steps, which, hoursBack, policy) =>
        {
            const int Rules = 6;
            var now = start;
            var right = steps.Select((step, at) => At((ulong)at + 1, now = now.AddMinutes(step))).ToList();
            var others = right.Where((_, at) => at != which % steps.Length).ToList();
            var with = right.Select((version, at) => at == which % steps.Length ? version with { Received = version.Received.AddHours(-hoursBack) } : version).ToList();
            Assert.InRange(Kept(policy, others, now).Except(Kept(policy, with, now)).Count(), 0, Rules);
        });

    [Fact]
    public void The_newest_is_always_kept_and_judging_what_is_left_again_drops_nothing_more_of_the_calendar() => Gen.Select(Gen.Int[1, 5_000].Array[1, 80], Policies).Sample((steps, policy) =>
    {
        var now = start;
        var versions = steps.Select((step, at) => At((ulong)at + 1, now = now.AddMinutes(step))).ToList();
        var once = After(policy, versions, now);
        Assert.Equal(versions[^1], once[^1]);
        Assert.Equal(once, After(policy, once, now));
    });

    private static Gen<RetentionPolicy> Policies => Gen.Select(Gen.Int[0, 5], Gen.Int[0, 50], Gen.Int[0, 5], Gen.Int[0, 5], Gen.Int[0, 4], Gen.Int[0, 3], (last, hours, hourly, daily, weekly, monthly) => new RetentionPolicy
    {
        KeepLast = last, KeepWithin = TimeSpan.FromHours(hours), KeepHourly = hourly, KeepDaily = daily, KeepWeekly = weekly, KeepMonthly = monthly, KeepYearly = 1,
    });

    private static DatedVersion At(ulong sequence, DateTimeOffset received) => new(new VersionId(1, sequence), received);

    private static List<DatedVersion> Hourly(int count) => [.. Enumerable.Range(0, count).Select(hour => At((ulong)hour + 1, start.AddHours(hour)))];

    private static List<int> Kept(RetentionPolicy policy, IReadOnlyList<DatedVersion> versions, DateTimeOffset? now = null) =>
        [.. After(policy, versions, now ?? versions[^1].Received).Select(version => (int)version.Id.Sequence)];

    private static List<DatedVersion> After(RetentionPolicy policy, IReadOnlyList<DatedVersion> versions, DateTimeOffset now)
    {
        var verdicts = RetentionCalendar.Judge(policy, versions, now);
        Assert.Equal(versions.Select(version => version.Id), verdicts.Select(verdict => verdict.Id));
        return [.. versions.Where((_, at) => verdicts[at].Kept)];
    }
}
