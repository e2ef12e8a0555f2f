using System.CommandLine;
using System.CommandLine.Parsing;
using Mirror.Node.Configuration;
using Mirror.Store.Retention;

namespace Mirror.Cli.Commands;

/// <summary>A retention policy on the command line.</summary>
internal sealed class PolicyOptions
{
    public Option<int> Last { get; } = Count("--keep-last", "Keep the newest N versions.");

    public Option<TimeSpan> Within { get; } = new("--keep-within")
    {
        Description = "Keep what came at most this long before the newest version: 12h, 30d.",
        CustomParser = found => Parsed<TimeSpan>(found, Durations.TryParse, "a duration, such as 12h or 30d"),
    };

    public Option<int> Hourly { get; } = Count("--keep-hourly", "Keep the newest version of each of the last N hours that have one.");

    public Option<int> Daily { get; } = Count("--keep-daily", "Keep the newest version of each of the last N days that have one.");

    public Option<int> Weekly { get; } = Count("--keep-weekly", "Keep the newest version of each of the last N weeks that have one.");

    public Option<int> Monthly { get; } = Count("--keep-monthly", "Keep the newest version of each of the last N months that have one.");

    public Option<int> Yearly { get; } = Count("--keep-yearly", "Keep the newest version of each of the last N years that have one.");

    public Option<long> Budget { get; } = new("--budget")
    {
        Description = "What the history may take: 512M, 50G. If it takes more, versions go that the rules would keep, oldest and densest first.",
        CustomParser = found => Parsed<long>(found, Sizes.TryParse, "a size, such as 512M or 50G"),
    };

    public RetentionPolicy Read(ParseResult parsed) => new()
    {
        KeepLast = parsed.GetValue(Last),
        KeepWithin = parsed.GetValue(Within),
        KeepHourly = parsed.GetValue(Hourly),
        KeepDaily = parsed.GetValue(Daily),
        KeepWeekly = parsed.GetValue(Weekly),
        KeepMonthly = parsed.GetValue(Monthly),
        KeepYearly = parsed.GetValue(Yearly),
        Budget = parsed.GetValue(Budget),
    };

    private delegate bool Parse<T>(string text, out T value);

    private static Option<int> Count(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = static found => Parsed<int>(
            found, static (text, out value) => int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out value) && value > 0, "a number of versions, 1 or more"),
    };

    private static T Parsed<T>(ArgumentResult found, Parse<T> parse, string what)
        where T : struct
    {
        var text = found.Tokens.Count > 0 ? found.Tokens[0].Value : "";
        if (parse(text, out var value))
        {
            return value;
        }

        found.AddError($"\"{text}\" is not {what}.");
        return default;
    }
}
