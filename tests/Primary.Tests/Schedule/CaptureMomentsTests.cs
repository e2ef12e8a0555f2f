using Mirror.Node.Configuration;
using Mirror.Primary.Schedule;
using static Mirror.Primary.Tests.Schedule.QuietTimesTests;

namespace Mirror.Primary.Tests.Schedule;

public sealed class CaptureMomentsTests
{
    private readonly SteadyTime time = new(At("2026-11-23T12:00Z"));

    [Fact]
    public void Every_so_often_is_every_so_often()
    {
        var moments = Every("5m");
        Assert.Equal((At("2026-11-23T12:05Z"), "every 5m"), moments.Next());
        time.Pass(TimeSpan.FromMinutes(4.9));
        Assert.Equal(0, moments.TakePassed());
        time.Pass(TimeSpan.FromMinutes(0.2));
        Assert.Equal(1, moments.TakePassed());
        Assert.Equal(0, moments.TakePassed());

        // Not from when it was noticed: late once is not late for ever.
        Assert.Equal(At("2026-11-23T12:10Z"), moments.Next()!.Value.At);
        time.Pass(TimeSpan.FromMinutes(17));
        Assert.Equal(3, moments.TakePassed());
        Assert.Equal(At("2026-11-23T12:25Z"), moments.Next()!.Value.At);
    }

    [Fact]
    public void Every_so_often_does_not_care_how_the_clock_is_set()
    {
        var moments = Every("5m");
        time.Pass(TimeSpan.FromMinutes(3));
        time.AdjustTime(At("2020-01-01T00:00Z"));
        Assert.Equal(0, moments.TakePassed());
        Assert.Equal(At("2020-01-01T00:02Z"), moments.Next()!.Value.At);
        time.AdjustTime(At("2030-01-01T00:00Z"));
        Assert.Equal(0, moments.TakePassed());
        time.Pass(TimeSpan.FromMinutes(2));
        Assert.Equal(1, moments.TakePassed());
    }

    [Fact]
    public void Cron_goes_by_the_clock_of_its_time_zone()
    {
        var moments = Cron("0 3 * * *", "America/New_York");
        Assert.Equal((At("2026-11-24T08:00Z"), "cron 0 3 * * * (America/New_York)"), moments.Next());
        Assert.Equal(TimeSpan.Zero, moments.Next()!.Value.At.Offset);
    }

    [Fact]
    public void What_falls_into_the_hour_that_summer_time_skips_comes_at_its_end()
    {
        time.AdjustTime(At("2026-03-28T12:00Z"));
        Assert.Equal(At("2026-03-29T03:00+02:00"), Cron("30 2 * * *", "Europe/Berlin").Next()!.Value.At);
    }

    [Fact]
    public void A_fixed_hour_that_comes_twice_is_done_once()
    {
        time.AdjustTime(At("2026-10-24T12:00Z"));
        var moments = Cron("30 2 * * *", "Europe/Berlin");
        Assert.Equal(At("2026-10-25T02:30+02:00"), moments.Next()!.Value.At);
        time.Pass(TimeSpan.FromHours(20));
        Assert.Equal(1, moments.TakePassed());
        Assert.Equal(At("2026-10-26T02:30+01:00"), moments.Next()!.Value.At);
    }

    [Fact]
    public void Every_few_minutes_goes_on_through_both_changes_of_the_year()
    {
        foreach (var (day, hours) in new[] { ("2026-03-29T00:00+01:00", 23), ("2026-10-25T00:00+02:00", 25), ("2026-06-01T00:00+02:00", 24) })
        {
            time.AdjustTime(At(day));
            var moments = Cron("*/10 * * * *", "Europe/Berlin");
            time.Pass(TimeSpan.FromHours(hours));
            Assert.Equal(hours * 6, moments.TakePassed());
        }
    }

    [Fact]
    public void A_clock_set_back_is_followed_and_nothing_waits_until_it_has_caught_up()
    {
        var moments = Cron("0 * * * *");
        time.Pass(TimeSpan.FromHours(2));
        Assert.Equal(2, moments.TakePassed());
        time.AdjustTime(At("2026-11-20T08:30Z"));
        Assert.Equal(0, moments.TakePassed());
        Assert.Equal(At("2026-11-20T09:00Z"), moments.Next()!.Value.At);
        time.Pass(TimeSpan.FromMinutes(30));
        Assert.Equal(1, moments.TakePassed());
    }

    [Fact]
    public void A_clock_that_slips_back_a_little_repeats_nothing()
    {
        var moments = Cron("0 * * * *");
        time.Pass(TimeSpan.FromHours(1));
        Assert.Equal(1, moments.TakePassed());
        time.AdjustTime(At("2026-11-23T12:59:30Z"));
        time.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal(0, moments.TakePassed());
        Assert.Equal(At("2026-11-23T14:00Z"), moments.Next()!.Value.At);
    }

    [Fact]
    public void A_clock_set_forward_passes_what_lies_between_and_a_wrong_century_is_survived()
    {
        var moments = Cron("0 * * * *");
        time.AdjustTime(At("2026-11-23T15:30Z"));
        Assert.Equal(3, moments.TakePassed());
        Assert.Equal(At("2026-11-23T16:00Z"), moments.Next()!.Value.At);
        time.AdjustTime(At("2091-01-01T00:00Z"));
        Assert.Equal(10_000, moments.TakePassed());
        Assert.Equal(0, moments.TakePassed());
        Assert.Equal(At("2091-01-01T01:00Z"), moments.Next()!.Value.At);
    }

    [Fact]
    public void Of_both_the_earlier_comes_and_two_at_once_are_one()
    {
        var moments = new CaptureMoments(CaptureConfig.Default with { Every = TimeSpan.FromMinutes(30), Cron = "0 * * * *" }, time);
        Assert.Equal("every 30m", moments.Next()!.Value.Why);
        time.Pass(TimeSpan.FromMinutes(30));
        Assert.Equal(1, moments.TakePassed());
        time.Pass(TimeSpan.FromMinutes(30));
        Assert.Equal(1, moments.TakePassed());
    }

    [Theory]
    [InlineData("2026-11-23T09:30Z", "2026-11-23T12:00Z", 3)]
    [InlineData("2026-11-23T12:00Z", "2026-11-23T12:59Z", 0)]
    [InlineData("2026-11-23T12:00Z", "2026-11-23T09:00Z", 0)]
    public void Moments_of_which_nobody_took_notice_are_counted_afterwards(string after, string upTo, int count)
    {
        Assert.Equal(count, Cron("0 * * * *").CountBetween(At(after), At(upTo)));
        Assert.Equal(Math.Max(0, (int)((At(upTo) - At(after)) / TimeSpan.FromMinutes(5))), Every("5m").CountBetween(At(after), At(upTo)));
    }

    [Fact]
    public void Without_a_schedule_nothing_comes()
    {
        var moments = new CaptureMoments(CaptureConfig.Default, time);
        time.Pass(TimeSpan.FromDays(400));
        Assert.Null(moments.Next());
        Assert.Equal(0, moments.TakePassed());
    }

    private CaptureMoments Every(string text) =>
        new(CaptureConfig.Default with { Every = Durations.TryParse(text, out var every) ? every : throw new ArgumentException(text) }, time);

    private CaptureMoments Cron(string cron, string zone = "UTC") => new(CaptureConfig.Default with { Cron = cron, TimeZone = zone }, time);
}
