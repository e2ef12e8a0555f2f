namespace Mirror.Store.Retention;

/// <summary>
/// Which versions are kept: the names and the meaning are restic's. A version that any rule keeps is kept. Of an hour, a day, an (ISO) week, a month, a year the newest version counts; periods without one
/// count for nothing, and while a rule has counts left the oldest version of all is kept too. All in UTC, and by when a version came to this store.
/// </summary>
public sealed record RetentionPolicy
{
    public int KeepLast { get; init; }

    /// <summary>Everything that came at most this long before the newest version.</summary>
    public TimeSpan KeepWithin { get; init; }

    public int KeepHourly { get; init; }
    public int KeepDaily { get; init; }
    public int KeepWeekly { get; init; }
    public int KeepMonthly { get; init; }
    public int KeepYearly { get; init; }

    /// <summary>Bytes the packs of the history may take; 0 for no limit.</summary>
    public long Budget { get; init; }

    /// <summary>It says nothing of what to keep: to act on that would be to drop everything.</summary>
    public bool IsEmpty => !HasCalendar && Budget == 0;

    /// <summary>False: there is a budget only, and every version is kept that fits into it.</summary>
    public bool HasCalendar =>
        KeepLast > 0 || KeepWithin > TimeSpan.Zero || KeepHourly > 0 || KeepDaily > 0 || KeepWeekly > 0 || KeepMonthly > 0 || KeepYearly > 0;

    /// <exception cref="ArgumentException">A rule is negative.</exception>
    public void Check()
    {
        if (KeepLast < 0 || KeepWithin < TimeSpan.Zero || KeepHourly < 0 || KeepDaily < 0 || KeepWeekly < 0 || KeepMonthly < 0 || KeepYearly < 0 || Budget < 0)
        {
            throw new ArgumentException("A retention policy has a rule with a negative number.");
        }
    }
}

/// <summary>When the newest version gets a key frame: after so many versions, or so long after the last, whichever comes first. 0 leaves a rule out.</summary>
public sealed record KeyFramePolicy(int Every, TimeSpan Within);
