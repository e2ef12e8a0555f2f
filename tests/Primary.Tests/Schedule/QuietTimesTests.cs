using CsCheck;
using Mirror.Node.Configuration;
using Mirror.Primary.Schedule;

namespace Mirror.Primary.Tests.Schedule;

public sealed class QuietTimesTests
{
    private const string berlin = "Europe/Berlin";

    [Theory]
    [InlineData("2026-11-23T01:00+01:00", true)]
    [InlineData("2026-11-23T02:29+01:00", true)]
    [InlineData("2026-11-23T00:59+01:00", false)]
    [InlineData("2026-11-23T02:30+01:00", false)]
    public void A_span_goes_by_the_clock_of_its_time_zone_and_its_end_is_free(string at, bool holds) =>
        Assert.Equal(holds, Quiet(berlin, "01:00-02:30").Holds(At(at)));

    [Fact]
    public void A_span_that_the_change_to_summer_time_skips_is_not_there_that_day()
    {
        var quiet = Quiet(berlin, "02:15-02:45");
        Assert.True(quiet.Holds(At("2026-03-28T02:30+01:00")));
        for (var minute = At("2026-03-29T00:00+01:00"); minute < At("2026-03-30T00:00+02:00"); minute = minute.AddMinutes(1))
        {
            Assert.False(quiet.Holds(minute), $"{minute}");
        }
    }

    [Fact]
    public void A_span_whose_end_is_skipped_ends_where_the_clock_goes_on() =>
        Assert.Equal(At("2026-03-29T03:00+02:00"), Quiet(berlin, "01:00-02:30").OpenFrom(At("2026-03-29T01:10+01:00")));

    [Fact]
    public void An_hour_that_comes_twice_is_quiet_twice()
    {
        var quiet = Quiet(berlin, "01:00-02:30");
        Assert.Equal(At("2026-10-25T02:30+02:00"), quiet.OpenFrom(At("2026-10-25T01:10+02:00")));
        Assert.True(quiet.Holds(At("2026-10-25T02:10+01:00")));
        Assert.Equal(At("2026-10-25T02:30+01:00"), quiet.OpenFrom(At("2026-10-25T02:10+01:00")));
    }

    [Fact]
    public void Spans_that_follow_one_another_end_together_and_one_over_midnight_belongs_to_its_first_day()
    {
        var quiet = Quiet("UTC", "fri 22:00-24:00", "sat 00:00-06:00", "sun 23:00-01:00");
        Assert.Equal(At("2026-11-28T06:00Z"), quiet.OpenFrom(At("2026-11-27T22:30Z")));
        Assert.Equal(At("2026-11-30T01:00Z"), quiet.OpenFrom(At("2026-11-29T23:00Z")));
        Assert.False(quiet.Holds(At("2026-11-29T00:30Z")));
    }

    [Fact]
    public void Without_spans_any_time_is_free() => Assert.False(Quiet(berlin).Holds(At("2026-11-23T03:00+01:00")));

    [Fact]
    public void From_any_moment_on_the_first_free_minute_is_found()
    {
        string[] zones = ["UTC", berlin, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
        Gen.Select(Gen.Int[0, zones.Length - 1].Select(index => zones[index]), Gen.Select(Gen.Int[1, 127], Gen.Int[0, 1439], Gen.Int[1, 1440]).Where((_, from, to) => from != to).List[1, 3], Gen.Int[0, 527_040])
            .Where((_, spans, _) => WeekWindow.LeaveRoom([.. spans.Select(span => new WeekWindow(span.Item1, span.Item2, span.Item3))]))
            .Sample(
                (zone, spans, minutes) =>
                {
                    var quiet = new QuietTimes(
                        CaptureConfig.Default with { TimeZone = zone, NotBetween = [.. spans.Select(span => new WeekWindow(span.Item1, span.Item2, span.Item3))] }, TimeProvider.System);
                    var at = At("2026-01-01T00:00Z").AddMinutes(minutes);
                    var open = quiet.OpenFrom(at);
                    Assert.False(quiet.Holds(open));
                    for (var minute = at; minute < open; minute = minute.AddMinutes(1))
                    {
                        Assert.True(quiet.Holds(minute));
                    }
                },
                iter: 200);
    }

    [Fact]
    public async Task Waiting_ends_with_the_span_or_when_the_clock_is_set_out_of_it()
    {
        var time = new WaitedTime(At("2026-11-23T01:00Z"));
        var quiet = new QuietTimes(CaptureConfig.Default with { NotBetween = [Window("01:00-02:30")] }, time);
        var waiting = quiet.WaitAsync(CancellationToken.None);
        await time.PassAsync(TimeSpan.FromMinutes(89.9), TimeSpan.FromSeconds(20));
        Assert.False(waiting.IsCompleted);
        await time.PassAsync(TimeSpan.FromSeconds(20), held: () => waiting.IsCompleted);
        await waiting.WaitAsync(TimeSpan.FromMinutes(5));

        time.Set(At("2026-11-24T01:00Z"));
        waiting = quiet.WaitAsync(CancellationToken.None);
        time.Set(At("2026-11-24T00:30Z"));
        await time.PassAsync(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30), () => waiting.IsCompleted);
        await waiting.WaitAsync(TimeSpan.FromMinutes(5));
    }

    internal static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, System.Globalization.CultureInfo.InvariantCulture);

    internal static WeekWindow Window(string text) => WeekWindow.TryParse(text, out var window) ? window : throw new ArgumentException(text);

    private static QuietTimes Quiet(string zone, params string[] spans) =>
        new(CaptureConfig.Default with { TimeZone = zone, NotBetween = [.. spans.Select(Window)] }, TimeProvider.System);
}
