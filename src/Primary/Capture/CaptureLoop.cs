using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Primary.Watch;

namespace Mirror.Primary.Capture;

/// <summary>
/// When to capture, and what to look at. Watching is a hint: what was touched is captured once the tree was quiet for the debounce time, at the latest after five times that, so that
/// a tree that never rests is captured too. Scanning is the truth: whatever the hints say, a capture looks at everything every so often, with a tenth of jitter so that sites do not
/// beat together. What a failed capture was to look at is looked at by the next.
/// </summary>
/// <param name="touches">What the watcher tells; from the start on the loop owns it.</param>
/// <param name="capture">Captures what was touched, taking it from there; whether everything was looked at. What it fails to capture is there again afterwards.</param>
internal sealed partial class CaptureLoop(
    string tree, FilesConfig files, TimeProvider time, ILogger logger, TouchLedger touches, Func<CancellationToken, Task<bool>> capture) : IAsyncDisposable
{
    private const int mostDebounces = 5;

    private volatile FullLook? next;

    private sealed record FullLook(long Since, TimeSpan After);

    /// <summary>Ends when the role is left; fails on a fault nobody foresaw.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>When everything is looked at next, whatever the watcher says; null before it runs.</summary>
    public DateTimeOffset? NextFull => next is { } look ? time.GetUtcNow() + (look.After - time.GetElapsedTime(look.Since)) : null;

    public void Start(ITreeWatcher watcher, CancellationToken leaving)
    {
        touches.Watch(watcher);
        Running = RunAsync(leaving);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await Running;
        }
        finally
        {
            touches.Dispose();
        }
    }

    private async Task RunAsync(CancellationToken leaving)
    {
        try
        {
            var full = time.GetTimestamp();
            var every = Jittered();
            next = new FullLook(full, every);
            var retry = TimeSpan.Zero;
            var touched = true;
            while (true)
            {
                touched = touched || await TouchedAsync(retry > TimeSpan.Zero ? retry : every - time.GetElapsedTime(full), leaving);
                if (touched)
                {
                    await QuietAsync(leaving);
                }
                else if (time.GetElapsedTime(full) >= every)
                {
                    touches.Everything();
                }

                touched = false;
                touches.Gather();
                if (!touches.IsDue)
                {
                    // Somebody else's capture had it.
                    retry = TimeSpan.Zero;
                    continue;
                }

                try
                {
                    var began = time.GetTimestamp();
                    var everything = await capture(leaving);
                    retry = TimeSpan.Zero;
                    if (everything)
                    {
                        full = began;
                        every = Jittered();
                        next = new FullLook(full, every);
                    }
                }
                catch (Exception failure) when (failure is CaptureException or IOException or UnauthorizedAccessException)
                {
                    Log.Failed(logger, tree, failure.Message);

                    // A while for sure, so that what is broken is not hammered; then with the next touch, or by itself, ever less often.
                    var pause = files.Debounce * mostDebounces;
                    retry = retry == TimeSpan.Zero ? pause : retry * 2 < files.Every ? retry * 2 : files.Every;
                    touches.Gather();
                    await Task.Delay(pause, time, leaving);
                }
            }
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            // The role is being left.
        }
    }

    private TimeSpan Jittered() => files.Every * (1 + ((Random.Shared.NextDouble() - 0.5) / 5));

    // What is touched is taken at once, so that the next touch shows.
    private async Task QuietAsync(CancellationToken leaving)
    {
        var began = time.GetTimestamp();
        TimeSpan left;
        do
        {
            touches.Gather();
            left = files.Debounce * mostDebounces - time.GetElapsedTime(began);
        }
        while (left > TimeSpan.Zero && await TouchedAsync(left < files.Debounce ? left : files.Debounce, leaving));
    }

    // True when something was touched within the time.
    private async Task<bool> TouchedAsync(TimeSpan patience, CancellationToken cancellation)
    {
        if (patience <= TimeSpan.Zero)
        {
            return false;
        }

        using var patient = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patient.Token, cancellation);
        try
        {
            await touches.TouchedAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3010, LogLevel.Error, "{Tree}: capture failed, and will be tried again: {Reason}")]
        public static partial void Failed(ILogger logger, string tree, string reason);
    }
}
