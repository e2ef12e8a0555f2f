using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Capture;

public sealed class CaptureLoopTests : IDisposable
{
    private static readonly TimeSpan debounce = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(30);
    private readonly TemporaryDirectory files = new();
    private readonly CancellationTokenSource leaving = new();
    private readonly TimerCount time = new();
    private int captures;

    public void Dispose()
    {
        leaving.Dispose();
        files.Dispose();
    }

    [Fact]
    public async Task A_burst_of_touches_gives_one_capture()
    {
        await using var loop = await StartAsync();
        for (var touch = 0; touch < 4; touch++)
        {
            await TouchAsync(loop);
            time.Advance(debounce / 2);
        }

        Assert.Equal(0, captures);
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Equal(1, captures);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(1, captures);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task Endless_touches_are_captured_after_five_debounces()
    {
        await using var loop = await StartAsync();
        for (var step = 1; step < 10; step++)
        {
            time.Advance(debounce / 2);
            await TouchAsync(loop);
        }

        Assert.Equal(0, captures);
        await ThenWaitsAgainAsync(() => time.Advance(debounce / 2));
        Assert.Equal(1, captures);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task Nothing_is_heard_and_everything_is_looked_at_all_the_same()
    {
        await using var loop = await StartAsync();
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        await ThenWaitsAgainAsync(() => time.Advance(TimeSpan.FromMinutes(6)));
        Assert.Equal(2, captures);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task A_capture_that_is_refused_is_tried_again()
    {
        await using var loop = await StartAsync(() => throw new CaptureException("not now"));
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Equal(1, captures);
        await ThenWaitsAgainAsync(() => time.Advance(debounce * 5));
        await ThenWaitsAgainAsync(() => time.Advance(TimeSpan.FromMinutes(6)));
        Assert.Equal(2, captures);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task A_fault_nobody_foresaw_is_not_kept_quiet()
    {
        var loop = await StartAsync(() => throw new InvalidOperationException("a bug"));
        time.Advance(debounce);
        await Assert.ThrowsAsync<InvalidOperationException>(() => loop.Running.WaitAsync(patience));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await loop.DisposeAsync());
    }

    [Fact]
    public async Task A_tree_that_is_not_there_is_tried_again_too()
    {
        await using var loop = await StartAsync(tree: files["absent"]);
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Equal(1, captures);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task A_file_written_deep_in_the_tree_is_heard_of()
    {
        var heard = new SemaphoreSlim(0);
        Directory.CreateDirectory(files["a/b"]);
        await using var loop = new CaptureLoop(
            files.Path, new FilesConfig(files.Path, [], TimeSpan.FromMilliseconds(5), TimeSpan.FromHours(1)), TimeProvider.System, NullLogger.Instance,
            _ =>
            {
                heard.Release();
                return Task.CompletedTask;
            });
        loop.Start(leaving.Token);
        Assert.True(await heard.WaitAsync(patience), "the first look");
        await File.WriteAllTextAsync(files["a/b/c"], "new");
        Assert.True(await heard.WaitAsync(patience), "the file");
        await leaving.CancelAsync();
    }

    // The first look, at what changed before anybody watched, is a touch as well.
    private async Task<CaptureLoop> StartAsync(Action? capture = null, string? tree = null)
    {
        var loop = new CaptureLoop(
            tree ?? files.Path, new FilesConfig(files.Path, [], debounce, TimeSpan.FromMinutes(5)), time, NullLogger.Instance,
            _ =>
            {
                Interlocked.Increment(ref captures);
                capture?.Invoke();
                return Task.CompletedTask;
            });
        loop.Start(leaving.Token);
        await time.UntilAsync(2);
        return loop;
    }

    private async Task TouchAsync(CaptureLoop loop)
    {
        var before = time.Timers;
        loop.Touch();
        await time.UntilAsync(before + 1);
    }

    private async Task ThenWaitsAgainAsync(Action action)
    {
        var before = time.Timers;
        action();
        await time.UntilAsync(before + 1);
    }

    /// <summary>Time by hand that knows how often somebody began to wait.</summary>
    private sealed class TimerCount : TimeProvider
    {
        private readonly FakeTimeProvider hand = new();
        private int timers;

        public int Timers => Volatile.Read(ref timers);

        public override long TimestampFrequency => hand.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => hand.GetUtcNow();

        public override long GetTimestamp() => hand.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = hand.CreateTimer(callback, state, dueTime, period);
            Interlocked.Increment(ref timers);
            return timer;
        }

        public void Advance(TimeSpan by) => hand.Advance(by);

        public async Task UntilAsync(int count)
        {
            var began = System.GetTimestamp();
            while (Timers < count)
            {
                Assert.True(System.GetElapsedTime(began) < patience, $"{Timers} waits begun, {count} expected");
                await Task.Delay(TimeSpan.FromMilliseconds(1), System);
            }
        }
    }
}
