using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Schedule;
using Mirror.Testing;
using static Mirror.Primary.Tests.Schedule.QuietTimesTests;

namespace Mirror.Primary.Tests.Schedule;

public sealed class ScheduleLoopTests : IAsyncLifetime, IDisposable
{
    private static readonly CaptureConfig hourly = CaptureConfig.Default with { Cron = "0 * * * *" };
    private readonly TemporaryDirectory files = new();
    private readonly CancellationTokenSource leaving = new();
    private readonly WaitedTime time = new(At("2026-11-23T12:00Z"));
    private readonly List<DateTimeOffset> captures = [];
    private ScheduleLoop? loop;
    private Func<Task> capture = () => Task.CompletedTask;
    private volatile bool held;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await leaving.CancelAsync();
        if (loop is not null)
        {
            await loop.DisposeAsync();
        }
    }

    public void Dispose()
    {
        leaving.Dispose();
        files.Dispose();
    }

    [Fact]
    public async Task A_capture_starts_at_each_moment()
    {
        await StartAsync(hourly);
        await time.PassAsync(TimeSpan.FromHours(3));
        Assert.Equal([At("2026-11-23T13:00Z"), At("2026-11-23T14:00Z"), At("2026-11-23T15:00Z")], captures);
        Assert.Equal(MissedCaptures.None, loop!.Missed);
        Assert.Equal(At("2026-11-23T16:00Z"), loop.Next()!.Value.At);
    }

    [Fact]
    public async Task A_capture_that_takes_longer_than_to_the_next_lets_that_one_out_and_it_is_said()
    {
        var goOn = new TaskCompletionSource();
        capture = async () =>
        {
            held = true;
            await goOn.Task;
            held = false;
        };
        await StartAsync(hourly);
        await time.PassAsync(TimeSpan.FromHours(3.5), held: () => held);
        Assert.Equal([At("2026-11-23T13:00Z")], captures);

        capture = () => Task.CompletedTask;
        goOn.SetResult();
        await time.SettledAsync();
        Assert.Equal(2, loop!.Missed.Count);
        Assert.Contains("the capture before them took that long", loop.Missed.Last, StringComparison.Ordinal);
        Assert.Single(captures);
        await time.PassAsync(TimeSpan.FromHours(0.5));
        Assert.Equal(At("2026-11-23T16:00Z"), captures[^1]);
    }

    [Fact]
    public async Task What_comes_due_in_a_quiet_time_is_done_once_at_its_end_and_is_not_missed()
    {
        await StartAsync(hourly with { NotBetween = [Window("12:30-15:10")] });
        Assert.Equal(At("2026-11-23T15:10Z"), loop!.Next()!.Value.At);
        Assert.Contains("put off", loop.Next()!.Value.Why, StringComparison.Ordinal);
        await time.PassAsync(TimeSpan.FromHours(3.5));
        Assert.Equal([At("2026-11-23T15:10Z")], captures);
        Assert.Equal(MissedCaptures.None, loop.Missed);
        await time.PassAsync(TimeSpan.FromHours(0.5));
        Assert.Equal(At("2026-11-23T16:00Z"), captures[^1]);
    }

    [Fact]
    public async Task A_clock_set_forward_over_moments_gives_one_capture_and_the_rest_is_missed()
    {
        await StartAsync(hourly);
        time.Set(At("2026-11-23T15:30Z"));
        await time.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Single(captures);
        Assert.Equal(2, loop!.Missed.Count);
        Assert.Contains("the clock was set forward", loop.Missed.Last, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_capture_that_is_refused_is_tried_again()
    {
        capture = () => captures.Count < 3 ? throw new CaptureException("not now") : Task.CompletedTask;
        await StartAsync(hourly);
        await time.PassAsync(TimeSpan.FromMinutes(63));
        Assert.Equal([At("2026-11-23T13:00Z"), At("2026-11-23T13:01Z"), At("2026-11-23T13:02Z")], captures);
    }

    [Fact]
    public async Task A_fault_nobody_foresaw_is_not_kept_quiet()
    {
        capture = () => throw new InvalidOperationException("a bug");
        await StartAsync(hourly);
        await time.PassAsync(TimeSpan.FromHours(1), held: () => loop!.Running.IsCompleted);
        await Assert.ThrowsAsync<InvalidOperationException>(() => loop!.Running);
        loop = null;
    }

    [Theory]
    [InlineData(3ul, 3ul, 3)]
    [InlineData(3ul, 4ul, 3)]
    [InlineData(3ul, 5ul, 0)]
    [InlineData(4ul, 3ul, 0)]
    public async Task What_was_missed_while_the_node_was_down_is_said_unless_others_may_have_reigned(ulong before, ulong now, int missed)
    {
        Mark().Write(before, At("2026-11-23T09:00Z"));
        await StartAsync(hourly, now);
        Assert.Equal(missed, loop!.Missed.Count);
        Assert.Equal(missed > 0, loop.Missed.Last.Contains("the node was down", StringComparison.Ordinal));
        Assert.Empty(captures);
    }

    [Fact]
    public async Task What_was_kept_is_not_missed_when_the_node_comes_back()
    {
        await StartAsync(hourly);
        await time.PassAsync(TimeSpan.FromHours(2.5));
        await leaving.CancelAsync();
        await loop!.DisposeAsync();
        using var again = new CancellationTokenSource();
        await using var second = New(hourly, 1);
        second.Start(again.Token);
        await time.SettledAsync();
        Assert.Equal(MissedCaptures.None, second.Missed);
        await again.CancelAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("mirror schedule 1\n3\n")]
    [InlineData("mirror schedule 1\nthree\n2026-11-23T09:00:00.0000000+00:00\n")]
    [InlineData("mirror schedule 1\n3\nyesterday\n")]
    [InlineData("mirror schedule 9\n3\n2026-11-23T09:00:00.0000000+00:00\n")]
    public async Task A_mark_that_makes_no_sense_says_nothing_and_is_replaced(string content)
    {
        File.WriteAllText(files["schedule"], content);
        await StartAsync(hourly, 3);
        Assert.Equal(MissedCaptures.None, loop!.Missed);
        Assert.Equal((3ul, At("2026-11-23T12:00Z")), Mark().Read());
    }

    [Fact]
    public async Task A_mark_that_cannot_be_written_stops_no_capture()
    {
        Directory.CreateDirectory(files["schedule"]);
        await StartAsync(hourly);
        await time.PassAsync(TimeSpan.FromHours(2));
        Assert.Equal(2, captures.Count);
    }

    private ScheduleMark Mark() => new(files["schedule"]);

    private ScheduleLoop New(CaptureConfig config, ulong epoch) =>
        new("wiki", epoch, config, new QuietTimes(config, time), Mark(), time, NullLogger.Instance, async _ =>
        {
            captures.Add(time.GetUtcNow());
            await capture();
        });

    private async Task StartAsync(CaptureConfig config, ulong epoch = 1)
    {
        loop = New(config, epoch);
        loop.Start(leaving.Token);
        await time.SettledAsync();
    }
}
