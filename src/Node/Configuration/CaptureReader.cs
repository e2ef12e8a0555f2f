using System.Net;
using System.Text.RegularExpressions;
using Cronos;

namespace Mirror.Node.Configuration;

/// <summary>The keys below a site that say when it is captured, and how fast what was captured travels.</summary>
internal static partial class CaptureReader
{
    private static readonly DateTime anyDay = new(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    public static CaptureConfig ReadCapture(Section site)
    {
        var section = site.Child("capture");
        var capture = new CaptureConfig(
            section.Flag("on-change", true),
            section.Duration("every", TimeSpan.Zero, TimeSpan.FromSeconds(10), TimeSpan.FromDays(366)),
            ReadCron(section),
            ReadTimeZone(section),
            ReadWindows(section),
            section.Integer("nice", 0, 0, 19),
            ReadIo(section));
        section.Close();
        return capture;
    }

    public static ReplicationConfig ReadReplication(Section site)
    {
        var section = site.Child("replication");
        var exempt = section.Texts("exempt");
        for (var i = 0; i < exempt.Count; i++)
        {
            if (exempt[i].Length > 0 && !IPNetwork.TryParse(exempt[i], out _))
            {
                section.Fault($"exempt[{i}]", $"'{exempt[i]}' is not a network.", "Write its first address and the length of its prefix: 10.0.0.0/8, 192.168.1.0/24, fd00::/8.");
            }
        }

        var replication = new ReplicationConfig(section.Size("bandwidth", 0, 64 << 10, 1L << 40), exempt);
        section.Close();
        return replication;
    }

    private static string? ReadCron(Section section)
    {
        var text = section.Text("cron", "");
        if (text.Length == 0)
        {
            return null;
        }

        if (!CronExpression.TryParse(text, CronFormat.Standard, out var cron))
        {
            section.Fault("cron", $"'{text}' is not a cron expression.", "Write five fields: minute, hour, day, month, weekday. \"0 3 * * *\" is every day at three, \"*/10 8-18 * * mon-fri\" every ten minutes of a working day.");
            return null;
        }

        if (cron.GetNextOccurrence(anyDay) is null)
        {
            section.Fault("cron", $"'{text}' names a moment that never comes.", "Check day and month: there is no 30th of February.");
            return null;
        }

        return text;
    }

    private static string ReadTimeZone(Section section)
    {
        var text = section.Text("time-zone", "UTC");
        if (text != "UTC" && !(ZonePattern().IsMatch(text) && TimeZoneInfo.TryFindSystemTimeZoneById(text, out _)))
        {
            section.Fault("time-zone", $"'{text}' is no time zone that this machine knows.", "Write an IANA name, such as Europe/Berlin, or UTC; and see that the machine's time zone data are installed (Debian: tzdata).");
            return "UTC";
        }

        return text;
    }

    private static List<WeekWindow> ReadWindows(Section section)
    {
        var windows = new List<WeekWindow>();
        var texts = section.Texts("not-between");
        for (var i = 0; i < texts.Count; i++)
        {
            if (WeekWindow.TryParse(texts[i], out var window))
            {
                windows.Add(window);
            }
            else if (texts[i].Length > 0)
            {
                section.Fault($"not-between[{i}]", $"'{texts[i]}' is not a span of time.", "Write 01:00-02:30, with days before it if it is not daily: \"mon-fri 08:00-18:00\", \"sat,sun 00:00-24:00\".");
            }
        }

        if (!WeekWindow.LeaveRoom(windows))
        {
            section.Fault("not-between", "Together these spans take up the whole week: no capture could ever start.", "Leave some time, or write `on-change: false` without a schedule.");
            return [];
        }

        return windows;
    }

    private static IoPriority ReadIo(Section section)
    {
        switch (section.Text("io", "normal"))
        {
            case "normal":
            case "":
                return IoPriority.Normal;
            case "low":
                return IoPriority.Low;
            case "idle":
                return IoPriority.Idle;
            case var other:
                section.Fault("io", $"'{other}' is no priority.", "Write normal, low (behind everybody else) or idle (only when nobody else wants the disk).");
                return IoPriority.Normal;
        }
    }

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*){0,2}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex ZonePattern();
}
