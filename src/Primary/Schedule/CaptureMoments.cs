using Cronos;
using Mirror.Node.Configuration;

namespace Mirror.Primary.Schedule;

/// <summary>
/// When the schedule wants a capture. `every` goes by a steady clock, which nobody sets. `cron` goes by the clock on the wall: when that is set back by more than a slip, it is followed, and moments
/// it passes again come again: a capture too many does no harm, and one too few does.
/// </summary>
internal sealed class CaptureMoments
{
    private const int mostCounted = 10_000;
    private static readonly TimeSpan slip = TimeSpan.FromMinutes(1);

    private readonly TimeProvider time;
    private readonly TimeZoneInfo zone;
    private readonly CronExpression? cron;
    private readonly string cronText;
    private readonly TimeSpan every;

    // What came by cron up to here has been told, and by `every` up to there.
    private DateTimeOffset told;
    private DateTimeOffset seen;
    private long anchor;

    public CaptureMoments(CaptureConfig config, TimeProvider time)
    {
        this.time = time;
        zone = TimeZoneInfo.FindSystemTimeZoneById(config.TimeZone);
        cron = config.Cron is { } text ? CronExpression.Parse(text, CronFormat.Standard) : null;
        cronText = $"cron {config.Cron} ({config.TimeZone})";
        every = config.Every;
        told = seen = time.GetUtcNow();
        anchor = time.GetTimestamp();
    }

    /// <summary>The next moment by the present clock, which may have passed already, and what wants it; null when nothing is scheduled.</summary>
    public (DateTimeOffset At, string Why)? Next()
    {
        FollowClock();
        (DateTimeOffset At, string Why)? byCron = cron?.GetNextOccurrence(told, zone) is { } at ? (at.ToUniversalTime(), cronText) : null;
        (DateTimeOffset At, string Why)? byEvery = every > TimeSpan.Zero
            ? (time.GetUtcNow() + (every - time.GetElapsedTime(anchor)), $"every {Durations.Format(every)}")
            : null;
        return byCron is null || byEvery?.At < byCron?.At ? byEvery : byCron;
    }

    /// <summary>How many moments have passed since this was asked last. Two that fall together are one.</summary>
    public int TakePassed()
    {
        FollowClock();
        var now = time.GetUtcNow();
        var passed = 0;
        while (passed < mostCounted && cron?.GetNextOccurrence(told, zone) is { } at && at <= now)
        {
            told = at;
            passed++;
        }

        if (passed == mostCounted)
        {
            told = now;
        }

        return Math.Max(passed, every > TimeSpan.Zero ? TakeSteps() : 0);
    }

    /// <summary>How many moments lie between two, by the wall's clock, the later one included: for time in which nobody counted.</summary>
    public int CountBetween(DateTimeOffset after, DateTimeOffset upTo)
    {
        if (upTo <= after)
        {
            return 0;
        }

        var byCron = 0;
        for (var at = cron?.GetNextOccurrence(after, zone); at <= upTo && byCron < mostCounted; at = cron!.GetNextOccurrence(at.Value, zone))
        {
            byCron++;
        }

        return Math.Max(byCron, every > TimeSpan.Zero ? (int)Math.Min((upTo - after) / every, mostCounted) : 0);
    }

    private int TakeSteps()
    {
        var steps = (long)(time.GetElapsedTime(anchor) / every);
        anchor += (long)(steps * every.TotalSeconds * time.TimestampFrequency);
        return (int)Math.Min(steps, mostCounted);
    }

    private void FollowClock()
    {
        var now = time.GetUtcNow();
        if (now < seen - slip)
        {
            told = now;
            seen = now;
        }
        else if (now > seen)
        {
            seen = now;
        }
    }
}
