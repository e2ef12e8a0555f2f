using Mirror.Node.Configuration;

namespace Mirror.Primary.Schedule;

/// <summary>
/// When no capture starts by itself, by the clock on the wall of a time zone. A moment is within a span when that clock then shows a time within it, and so the changes to summer time and back need
/// no rule: an hour that is skipped is in no span, and one that comes twice is in it twice.
/// </summary>
internal sealed class QuietTimes(CaptureConfig config, TimeProvider time)
{
    private const int MinutesInWeek = 7 * 1440;
    private static readonly TimeSpan look = TimeSpan.FromSeconds(30);
    private readonly TimeZoneInfo zone = TimeZoneInfo.FindSystemTimeZoneById(config.TimeZone);

    public bool Holds(DateTimeOffset at)
    {
        if (config.NotBetween.Count == 0)
        {
            return false;
        }

        var wall = TimeZoneInfo.ConvertTime(at, zone);
        return config.NotBetween.Any(window => window.Holds(wall.DayOfWeek, (wall.Hour * 60) + wall.Minute));
    }

    /// <summary>The first full minute from a moment on that is in no span; the moment itself when it is in none.</summary>
    public DateTimeOffset OpenFrom(DateTimeOffset at)
    {
        if (!Holds(at))
        {
            return at;
        }

        // Minute by minute: the wall's clock may jump. Spans that leave no minute of the week are refused by the configuration.
        var minute = new DateTimeOffset(at.UtcTicks - (at.UtcTicks % TimeSpan.TicksPerMinute), TimeSpan.Zero);
        for (var passed = 0; passed < 2 * MinutesInWeek; passed++)
        {
            minute = minute.AddMinutes(1);
            if (!Holds(minute))
            {
                return minute;
            }
        }

        throw new InvalidOperationException("The spans without captures leave no minute of the week.");
    }

    /// <summary>Returns when a capture may start. The clock may be set meanwhile, so it is looked at now and then.</summary>
    public async Task WaitAsync(CancellationToken cancellation)
    {
        for (var now = time.GetUtcNow(); Holds(now); now = time.GetUtcNow())
        {
            var minute = TimeSpan.FromTicks(TimeSpan.TicksPerMinute - (now.UtcTicks % TimeSpan.TicksPerMinute));
            await Task.Delay(minute < look ? minute : look, time, cancellation);
        }
    }
}
