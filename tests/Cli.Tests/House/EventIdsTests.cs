using System.Globalization;
using System.Text.RegularExpressions;
using Mirror.Testing;

namespace Mirror.Cli.Tests.House;

/// <summary>Whoever looks for an event in a log goes by its number.</summary>
public sealed partial class EventIdsTests
{
    [Fact]
    public void No_two_events_have_one_number()
    {
        var events = Directory.GetFiles(Checkout.Path("src"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(source => Number().Matches(File.ReadAllText(source)).Select(match => (Id: int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), Source: Path.GetFileName(source))))
            .ToList();

        Assert.True(events.Count > 50, $"only {events.Count} events were found");
        Assert.Empty(events.GroupBy(one => one.Id).Where(group => group.Count() > 1).Select(group => $"{group.Key}: {string.Join(", ", group.Select(one => one.Source))}"));
    }

    [GeneratedRegex(@"\[LoggerMessage\((?:EventId\s*=\s*)?(\d+)")]
    private static partial Regex Number();
}
