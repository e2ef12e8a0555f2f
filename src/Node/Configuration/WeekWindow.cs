using System.Globalization;

namespace Mirror.Node.Configuration;

/// <summary>
/// A span of the clock on the wall, on some days of the week: <c>01:00-02:30</c>, <c>mon-fri 08:00-18:00</c>, <c>sat,sun 22:00-06:00</c>. The end does not belong to it. One that ends before it
/// begins goes over midnight, and its day is the one it begins on.
/// </summary>
/// <param name="Days">A bit for each day, Sunday's the lowest.</param>
/// <param name="From">Minute of the day.</param>
/// <param name="To">Minute of the day, up to 1440 for midnight.</param>
public sealed record WeekWindow(int Days, int From, int To)
{
    private const int AllDays = 0b111_1111;
    private const int DaysInWeek = 7;
    private const int MinutesInDay = 1440;
    private static readonly string[] names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

    public static bool TryParse(string text, out WeekWindow window)
    {
        window = new WeekWindow(AllDays, 0, 0);
        var parts = text.Trim().ToLowerInvariant().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var days = AllDays;
        if (parts.Length is not (1 or 2) || (parts.Length == 2 && !TryParseDays(parts[0], out days)))
        {
            return false;
        }

        if (parts[^1].Split('-') is not [var first, var last] || !TryParseTime(first, out var from) || !TryParseTime(last, out var to) || from == to || from == MinutesInDay)
        {
            return false;
        }

        window = new WeekWindow(days, from, to);
        return true;
    }

    /// <summary>True when the wall shows a time within.</summary>
    public bool Holds(DayOfWeek day, int minute) => From < To
        ? Has((int)day) && minute >= From && minute < To
        : (Has((int)day) && minute >= From) || (Has(((int)day + DaysInWeek - 1) % DaysInWeek) && minute < To);

    /// <summary>Whether there is a minute in the week that none of the windows holds.</summary>
    public static bool LeaveRoom(IReadOnlyList<WeekWindow> windows) =>
        Enumerable.Range(0, DaysInWeek).Any(day => Enumerable.Range(0, MinutesInDay).Any(minute => !windows.Any(window => window.Holds((DayOfWeek)day, minute))));

    public override string ToString()
    {
        var times = string.Create(CultureInfo.InvariantCulture, $"{From / 60:D2}:{From % 60:D2}-{To / 60:D2}:{To % 60:D2}");
        return Days == AllDays ? times : $"{string.Join(',', names.Where((_, day) => Has(day)))} {times}";
    }

    private bool Has(int day) => (Days & (1 << day)) != 0;

    private static bool TryParseDays(string text, out int days)
    {
        days = 0;
        foreach (var part in text.Split(','))
        {
            var ends = part.Split('-').Select(name => Array.IndexOf(names, name)).ToList();
            if (ends.Count > 2 || ends.Contains(-1))
            {
                return false;
            }

            for (var day = ends[0]; ; day = (day + 1) % DaysInWeek)
            {
                days |= 1 << day;
                if (day == ends[^1])
                {
                    break;
                }
            }
        }

        return true;
    }

    private static bool TryParseTime(string text, out int minute)
    {
        minute = 0;
        if (text.Split(':') is not [{ Length: 2 } hours, { Length: 2 } minutes]
            || !int.TryParse(hours, NumberStyles.None, CultureInfo.InvariantCulture, out var hour)
            || !int.TryParse(minutes, NumberStyles.None, CultureInfo.InvariantCulture, out var past))
        {
            return false;
        }

        minute = (hour * 60) + past;
        return past < 60 && minute <= MinutesInDay;
    }
}
