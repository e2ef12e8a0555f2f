using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Primary.Watch;

namespace Mirror.Primary.Capture;

/// <summary>
/// When to capture, and what to look at. Watching is a hint: what was touched is captured once the tree was quiet for the debounce time, at the latest after five times that, so that
/// a tree that never rests is captured too. Scanning is the truth: whatever the hints say, a capture looks at everything every so often, with a tenth of jitter so that sites do not
/// beat together. What a failed capture was to look at is looked at by the next.
/// </summary>
/// <param name="watch">Opens the watcher; from then on the loop owns it.</param>
/// <param name="capture">Captures what was touched.</param>
internal sealed partial class CaptureLoop(
    string tree, FilesConfig files, TimeProvider time, ILogger logger, Func<ITreeWatcher> watch, Func<TouchedPaths, CancellationToken, Task> capture) : IAsyncDisposable
{
    private const int mostDebounces = 5;

    // Taken from the watcher, and not captured yet.
    private readonly TouchCollector pending = new();

    // Taken by a capture under way.
    private readonly TouchCollector late = new();
    private ITreeWatcher? watcher;
    private volatile FullLook? next;

    private sealed record FullLook(long Since, TimeSpan After);

    /// <summary>Ends when the role is left; fails on a fault nobody foresaw.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>Why hints are incomplete, and what helps; null when all is well.</summary>
    public string? Degraded => watcher?.Degraded;

    /// <summary>When everything is looked at next, whatever the watcher says; null before it runs.</summary>
    public DateTimeOffset? NextFull => next is { } look ? time.GetUtcNow() + (look.After - time.GetElapsedTime(look.Since)) : null;

    public void Start(CancellationToken leaving)
    {
        watcher = watch();

        // What changed before the watch stood was seen by nobody.
        pending.Everything();
        Running = RunAsync(watcher, leaving);
    }

    /// <summary>What was touched since the capture under way was called for.</summary>
    public TouchedPaths TakeMore()
    {
        var more = watcher?.Take() ?? TouchedPaths.Nothing;
        late.Add(more);
        return more;
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await Running;
        }
        finally
        {
            watcher?.Dispose();
        }
    }

    private async Task RunAsync(ITreeWatcher watching, CancellationToken leaving)
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
                touched = touched || await TouchedAsync(watching, retry > TimeSpan.Zero ? retry : every - time.GetElapsedTime(full), leaving);
                if (touched)
                {
                    await QuietAsync(watching, leaving);
                }
                else if (time.GetElapsedTime(full) >= every)
                {
                    pending.Everything();
                }

                touched = false;
                pending.Add(late.Take());
                pending.Add(watching.Take());
                var due = pending.Take();
                if (due.IsEmpty)
                {
                    continue;
                }

                try
                {
                    var began = time.GetTimestamp();
                    await capture(due, leaving);
                    late.Take();
                    retry = TimeSpan.Zero;
                    if (due.Everything)
                    {
                        full = began;
                        every = Jittered();
                        next = new FullLook(full, every);
                    }
                }
                catch (Exception failure) when (failure is CaptureException or IOException or UnauthorizedAccessException)
                {
                    pending.Add(due);
                    Log.Failed(logger, tree, failure.Message);

                    // A while for sure, so that what is broken is not hammered; then with the next touch, or by itself, ever less often.
                    var pause = files.Debounce * mostDebounces;
                    retry = retry == TimeSpan.Zero ? pause : retry * 2 < files.Every ? retry * 2 : files.Every;
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
    private async Task QuietAsync(ITreeWatcher watching, CancellationToken leaving)
    {
        var began = time.GetTimestamp();
        TimeSpan left;
        do
        {
            pending.Add(watching.Take());
            left = files.Debounce * mostDebounces - time.GetElapsedTime(began);
        }
        while (left > TimeSpan.Zero && await TouchedAsync(watching, left < files.Debounce ? left : files.Debounce, leaving));
    }

    // True when something was touched within the time.
    private async Task<bool> TouchedAsync(ITreeWatcher watching, TimeSpan patience, CancellationToken cancellation)
    {
        if (patience <= TimeSpan.Zero)
        {
            return false;
        }

        using var patient = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patient.Token, cancellation);
        try
        {
            await watching.TouchedAsync(either.Token);
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
