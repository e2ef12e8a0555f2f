using System.Collections.Concurrent;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Capture;

public sealed class CaptureLoopTests : IDisposable
{
    private static readonly TimeSpan debounce = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan every = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private readonly CancellationTokenSource leaving = new();
    private readonly TimerCount time = new();
    private readonly ScriptedWatcher watcher = new();
    private readonly TouchLedger touches = new();
    private readonly ConcurrentQueue<TouchedPaths> captures = new();

    public void Dispose()
    {
        leaving.Dispose();
        touches.Dispose();
    }

    [Fact]
    public async Task A_burst_of_touches_gives_one_capture()
    {
        await using var loop = await StartAsync();
        for (var touch = 0; touch < 4; touch++)
        {
            await TouchAsync($"{touch}");
            time.Advance(debounce / 2);
        }

        Assert.Empty(captures);
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Single(captures);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.Single(captures);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task Endless_touches_are_captured_after_five_debounces()
    {
        await using var loop = await StartAsync();
        for (var step = 1; step < 10; step++)
        {
            time.Advance(debounce / 2);
            await TouchAsync("a");
        }

        Assert.Empty(captures);
        await ThenWaitsAgainAsync(() => time.Advance(debounce / 2));
        Assert.Single(captures);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task The_first_look_is_at_everything_and_the_next_at_what_was_touched()
    {
        await using var loop = await StartAsync();
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.True(Assert.Single(captures).Everything);

        await TouchAsync("a");
        await TouchAsync("b");
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Equal(2, captures.Count);
        Assert.False(captures.Last().Everything);
        Assert.Equal([EntryPath.Parse("a"), EntryPath.Parse("b")], captures.Last().Paths.Order());
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task Nothing_is_heard_and_everything_is_looked_at_all_the_same()
    {
        await using var loop = await StartAsync();
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        time.Advance(every * 0.89);
        Assert.Single(captures);
        await ThenWaitsAgainAsync(() => time.Advance(every * 0.22));
        Assert.Equal(2, captures.Count);
        Assert.True(captures.Last().Everything);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task Touches_do_not_put_off_the_look_at_everything()
    {
        await using var loop = await StartAsync();
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        for (var minute = 0; minute < 4; minute++)
        {
            time.Advance(TimeSpan.FromMinutes(1));
            await TouchAsync("a");
            await ThenWaitsAgainAsync(() => time.Advance(debounce));
        }

        Assert.Equal(1, captures.Count(static touched => touched.Everything));
        await ThenWaitsAgainAsync(() => time.Advance(TimeSpan.FromMinutes(1.6)));
        Assert.Equal(2, captures.Count(static touched => touched.Everything));
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task What_a_failed_capture_was_to_look_at_is_looked_at_by_the_next()
    {
        var failing = false;
        await using var loop = await StartAsync(() => failing ? throw new CaptureException("not now") : Task.CompletedTask);
        await ThenWaitsAgainAsync(() => time.Advance(debounce));

        failing = true;
        await TouchAsync("a");
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Equal([EntryPath.Parse("a")], captures.Last().Paths);
        await ThenWaitsAgainAsync(() => time.Advance(debounce * 5));

        failing = false;
        await TouchAsync("b");
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Equal(3, captures.Count);
        Assert.Equal([EntryPath.Parse("a"), EntryPath.Parse("b")], captures.Last().Paths.Order());

        await TouchAsync("c");
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Equal([EntryPath.Parse("c")], captures.Last().Paths);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task A_capture_that_is_refused_is_tried_again_by_itself_and_ever_less_often()
    {
        await using var loop = await StartAsync(static () => throw new CaptureException("not now"));
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        foreach (var pauses in new[] { 1, 2, 4, 8 })
        {
            // A pause that nothing cuts short, then one that a touch would.
            var before = captures.Count;
            await ThenWaitsAgainAsync(() => time.Advance(debounce * 5));
            time.Advance((debounce * 5 * pauses) - TimeSpan.FromMilliseconds(1));
            Assert.Equal(before, captures.Count);
            await ThenWaitsAgainAsync(() => time.Advance(TimeSpan.FromMilliseconds(1)));
            Assert.Equal(before + 1, captures.Count);
            Assert.True(captures.Last().Everything);
        }

        await leaving.CancelAsync();
    }

    [Fact]
    public async Task What_somebody_elses_capture_took_calls_for_none_and_what_it_failed_to_capture_does()
    {
        await using var loop = await StartAsync();
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        await TouchAsync("a");
        var claim = TouchClaim.Of(touches);
        Assert.Equal([EntryPath.Parse("a")], claim.Touched.Paths);
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Single(captures);

        await ThenWaitsAgainAsync(claim.GiveBack);
        await ThenWaitsAgainAsync(() => time.Advance(debounce));
        Assert.Equal([EntryPath.Parse("a")], captures.Last().Paths);
        await leaving.CancelAsync();
    }

    [Fact]
    public async Task A_fault_nobody_foresaw_is_not_kept_quiet()
    {
        var loop = await StartAsync(static () => throw new InvalidOperationException("a bug"));
        time.Advance(debounce);
        await Assert.ThrowsAsync<InvalidOperationException>(() => loop.Running.WaitAsync(patience));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await loop.DisposeAsync());
        Assert.True(watcher.IsDisposed);
    }

    [Fact]
    public async Task A_fault_of_the_watcher_is_not_kept_quiet_either()
    {
        var loop = await StartAsync();
        watcher.Touches.Fail(new InvalidOperationException("a bug"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => loop.Running.WaitAsync(patience));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await loop.DisposeAsync());
    }

    [Fact]
    public async Task A_file_written_deep_in_a_real_tree_is_captured()
    {
        using var files = new TemporaryDirectory();
        Directory.CreateDirectory(files["a/b"]);
        using var heard = new SemaphoreSlim(0);
        await using var loop = new CaptureLoop(
            files.Path, new FilesConfig(files.Path, [], TimeSpan.FromMilliseconds(50), TimeSpan.FromHours(1)), TimeProvider.System, NullLogger.Instance, touches,
            async _ =>
            {
                var everything = await CaptureAsync(null);
                heard.Release();
                return everything;
            });
        loop.Start(TreeWatcher.Open(files.Path, PathFilter.Nothing, TimeProvider.System, NullLogger.Instance), leaving.Token);
        Assert.True(await heard.WaitAsync(patience), "the first look");
        await File.WriteAllTextAsync(files["a/b/c"], "new");
        Assert.True(await heard.WaitAsync(patience), "the file");
        Assert.True(captures.Last().Everything || captures.Last().Paths.Contains(EntryPath.Parse("a/b/c")));
        await leaving.CancelAsync();
    }

    // What changed before anybody watched counts as touched, and is waited for until it is quiet.
    private async Task<CaptureLoop> StartAsync(Func<Task>? capture = null)
    {
        var loop = new CaptureLoop(
            "/site", new FilesConfig("/site", [], debounce, every), time, NullLogger.Instance, touches, _ => CaptureAsync(capture));
        loop.Start(watcher, leaving.Token);
        await time.UntilAsync(1);
        return loop;
    }

    // As a primary does: what was not captured is given back.
    private async Task<bool> CaptureAsync(Func<Task>? capture)
    {
        var claim = TouchClaim.Of(touches);
        captures.Enqueue(claim.Touched);
        try
        {
            await (capture?.Invoke() ?? Task.CompletedTask);
        }
        catch
        {
            claim.GiveBack();
            throw;
        }

        return claim.Touched.Everything;
    }

    private Task TouchAsync(string path) => ThenWaitsAgainAsync(() => watcher.Touches.Path(EntryPath.Parse(path)));

    private async Task ThenWaitsAgainAsync(Action action)
    {
        var before = time.Timers;
        action();
        await time.UntilAsync(before + 1);
    }

    private sealed class ScriptedWatcher : ITreeWatcher
    {
        public TouchCollector Touches { get; } = new();

        public bool IsDisposed { get; private set; }

        public string? Degraded => null;

        public Task TouchedAsync(CancellationToken cancellation) => Touches.TouchedAsync(cancellation);

        public TouchedPaths Take() => Touches.Take();

        public void Dispose() => IsDisposed = true;
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
