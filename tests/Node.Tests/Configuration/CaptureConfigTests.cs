using CsCheck;
using Mirror.Node.Configuration;
using static Mirror.Node.Tests.Configuration.Sample;

namespace Mirror.Node.Tests.Configuration;

public sealed class CaptureConfigTests
{
    private const string Capture = "sites.wiki.capture.";
    private const string Replication = "sites.wiki.replication.";

    [Fact]
    public void Without_the_keys_changes_start_captures_and_nothing_is_limited()
    {
        var site = Parse(Good).Sites["wiki"];
        Assert.Equal(CaptureConfig.Default with { NotBetween = site.Capture.NotBetween }, site.Capture);
        Assert.Empty(site.Capture.NotBetween);
        Assert.Equal((0, 0), (site.Replication.Bandwidth, site.Replication.Exempt.Count));
    }

    [Fact]
    public void The_example_says_what_it_says()
    {
        var site = ConfigFile.Load(Sample.Path, "alpha", NoEnvironment).Sites["wiki"];
        Assert.Equal(new CaptureConfig(true, TimeSpan.FromHours(6), "0 3 * * *", "Europe/Berlin", site.Capture.NotBetween, 10, IoPriority.Low), site.Capture);
        Assert.Equal(["01:00-02:30"], site.Capture.NotBetween.Select(window => window.ToString()));
        Assert.Equal(20 << 20, site.Replication.Bandwidth);
        Assert.Equal(["10.0.0.0/8"], site.Replication.Exempt);
    }

    [Fact]
    public void All_faults_are_listed_at_once()
    {
        var faults = FaultsOf(Good + """

                capture: { on-change: perhaps, every: 1s, cron: "0 25 * * *", time-zone: Mars/Olympus, not-between: ["1-2", "25:00-26:00", "funday 01:00-02:00"], nice: 20, io: fast, often: true }
                replication: { bandwidth: 1K, exempt: [10.0.0.0/33, rack] }
            """);
        Assert.Equal(
            ["cron", "every", "io", "nice", "not-between[0]", "not-between[1]", "not-between[2]", "often", "on-change", "time-zone"],
            Keys(faults, Capture));
        Assert.Equal(["bandwidth", "exempt[0]", "exempt[1]"], Keys(faults, Replication));
        Assert.All(faults, fault => Assert.NotEmpty(fault.Remedy));
    }

    [Theory]
    [InlineData("capture: { cron: \"0 0 30 2 *\" }", "cron", "never comes")]
    [InlineData("capture: { cron: \"* * * * * *\" }", "cron", "not a cron expression")]
    [InlineData("capture: { not-between: [\"08:00-20:00\", \"20:00-08:00\"] }", "not-between", "whole week")]
    [InlineData("capture: { not-between: [\"00:00-24:00\"] }", "not-between", "whole week")]
    [InlineData("capture: { not-between: [\"10:00-10:00\"] }", "not-between[0]", "not a span")]
    [InlineData("capture: { time-zone: ../../etc/passwd }", "time-zone", "no time zone")]
    public void What_can_never_be_meant_is_refused(string lines, string key, string what) =>
        Assert.Contains(FaultsOf(Good + $"\n    {lines}"), fault => fault.Key == Capture + key && fault.What.Contains(what, StringComparison.Ordinal));

    [Fact]
    public void A_site_that_nothing_captures_is_a_warning()
    {
        Assert.Contains(Parse(Good + "\n    capture: { on-change: false }").Warnings, warning => warning.Key == Capture + "on-change");
        Assert.DoesNotContain(Parse(Good + "\n    capture: { on-change: false, every: 1h }").Warnings, warning => warning.Key == Capture + "on-change");
    }

    [Fact]
    public void Any_schedule_survives_being_written_and_read()
    {
        string?[] crons = [null, "*/5 * * * *", "@daily", "0 8-18 * * mon-fri"];
        string[] zones = ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia"];
        var config = Parse(Good);
        var site = config.Sites["wiki"];
        var windows = Gen.Select(Gen.Int[1, 127], Gen.Int[0, 1439], Gen.Int[1, 1440], (days, from, to) => new WeekWindow(days, from, to)).Where(window => window.From != window.To);
        Gen.Select(
            Gen.Bool, Gen.Int[0, 1000], Gen.Int[0, 3].Select(index => crons[index]), Gen.Int[0, 2].Select(index => zones[index]),
            windows.List[0, 3], Gen.Int[0, 19], Gen.Int[0, 2].Select(index => (IoPriority)index), Gen.Long[0, 1000])
            .Where(drawn => WeekWindow.LeaveRoom(drawn.Item5))
            .Sample(
                drawn =>
                {
                    var (onChange, every, cron, zone, spans, nice, io, bandwidth) = drawn;
                    var changed = site with
                    {
                        Capture = new CaptureConfig(onChange, TimeSpan.FromSeconds(every < 10 ? 0 : every), cron, zone, spans, nice, io),
                        Replication = new ReplicationConfig(bandwidth < 64 ? 0 : bandwidth << 10, bandwidth % 2 == 0 ? [] : ["10.0.0.0/8", "fd00::/8"]),
                    };
                    var whole = config with { Sites = new Dictionary<string, SiteConfig> { ["wiki"] = changed } };
                    Assert.Equal(Fingerprint(whole), Fingerprint(Parse(ConfigWriter.Write(whole))));
                },
                iter: 300);
    }

    [Theory]
    [InlineData("01:00-02:30", "01:00-02:30")]
    [InlineData("mon-fri 08:00-18:00", "mon,tue,wed,thu,fri 08:00-18:00")]
    [InlineData("Sat,Sun 00:00-24:00", "sun,sat 00:00-24:00")]
    [InlineData("fri-mon 22:00-06:00", "sun,mon,fri,sat 22:00-06:00")]
    [InlineData("sun-sat 01:00-02:00", "01:00-02:00")]
    public void Spans_are_read_and_written(string text, string written)
    {
        Assert.True(WeekWindow.TryParse(text, out var window));
        Assert.Equal(written, window.ToString());
        Assert.True(WeekWindow.TryParse(written, out var again));
        Assert.Equal(window, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("01:00")]
    [InlineData("1:00-2:00")]
    [InlineData("01:60-02:00")]
    [InlineData("24:00-01:00")]
    [InlineData("01:00-24:01")]
    [InlineData("mon 01:00 02:00")]
    [InlineData("mon-wed-fri 01:00-02:00")]
    [InlineData(", 01:00-02:00")]
    [InlineData("01:00-02:00-03:00")]
    public void What_is_no_span_is_refused(string text) => Assert.False(WeekWindow.TryParse(text, out _));

    [Fact]
    public void A_span_over_midnight_belongs_to_the_day_it_begins_on()
    {
        Assert.True(WeekWindow.TryParse("fri 22:00-06:00", out var window));
        Assert.True(window.Holds(DayOfWeek.Friday, 22 * 60));
        Assert.True(window.Holds(DayOfWeek.Saturday, (6 * 60) - 1));
        Assert.False(window.Holds(DayOfWeek.Saturday, 6 * 60));
        Assert.False(window.Holds(DayOfWeek.Saturday, 22 * 60));
        Assert.False(window.Holds(DayOfWeek.Friday, 60));
    }

    private static string[] Keys(IReadOnlyList<ConfigFault> faults, string below) =>
        [.. faults.Select(fault => fault.Key).Where(key => key.StartsWith(below, StringComparison.Ordinal)).Select(key => key[below.Length..]).Order(StringComparer.Ordinal)];
}
