using System.Buffers;
using System.Globalization;

namespace Mirror.Node.Configuration;

/// <summary>Durations as people write them: <c>200ms</c>, <c>4s</c>, <c>5m</c>, <c>1h</c>, <c>7d</c>, also joined: <c>1m30s</c>.</summary>
public static class Durations
{
    private static readonly (string Unit, long Ticks)[] Units =
    [
        ("ms", TimeSpan.TicksPerMillisecond), ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute),
        ("h", TimeSpan.TicksPerHour), ("d", TimeSpan.TicksPerDay),
    ];

    // Milliseconds of the longest duration there is, and far below what a decimal can add up.
    private const long Largest = 1_000_000_000_000_000;

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        decimal ticks = 0;
        var rest = text.AsSpan().Trim();
        if (rest.IsEmpty || rest.Length > 32)
        {
            return false;
        }

        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept(Digits);
            if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                return false;
            }

            rest = rest[digits..];
            var end = rest.IndexOfAny(Digits);
            var unit = (end < 0 ? rest : rest[..end]).ToString();
            var known = Array.Find(Units, candidate => candidate.Unit == unit);
            if (known.Unit is null || number > Largest)
            {
                return false;
            }

            ticks += number * known.Ticks;
            rest = end < 0 ? default : rest[end..];
        }

        if (ticks > TimeSpan.MaxValue.Ticks)
        {
            return false;
        }

        duration = TimeSpan.FromTicks((long)ticks);
        return true;
    }

    /// <summary>In the largest unit that leaves a whole number.</summary>
    public static string Format(TimeSpan duration)
    {
        if (duration == TimeSpan.Zero)
        {
            return "0s";
        }

        foreach (var (unit, ticks) in Units.Reverse())
        {
            if (duration.Ticks % ticks == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{duration.Ticks / ticks}{unit}");
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"{(decimal)duration.Ticks / TimeSpan.TicksPerMillisecond}ms");
    }
}
