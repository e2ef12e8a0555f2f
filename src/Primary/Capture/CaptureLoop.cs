using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;

namespace Mirror.Primary.Capture;

/// <summary>
/// When to capture. Watching is a hint: a change starts a capture once the tree was quiet for the debounce time, at the latest after five times that. Scanning is the
/// truth: whatever the hints say, a capture looks at everything every so often, with a tenth of jitter so that sites do not beat together.
/// </summary>
internal sealed partial class CaptureLoop(
    string tree, FilesConfig files, TimeProvider time, ILogger logger, Func<CancellationToken, Task> capture) : IAsyncDisposable
{
    private const int mostDebounces = 5;

    // One touch is as good as many: they only say "look".
    private readonly Channel<bool> touches = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private FileSystemWatcher? watcher;

    /// <summary>Ends when the role is left; fails on a fault nobody foresaw.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    public void Start(CancellationToken leaving)
    {
        watcher = Watch();

        // What changed before the watch stood was seen by nobody.
        Touch();
        Running = RunAsync(leaving);
    }

    public async ValueTask DisposeAsync()
    {
        watcher?.Dispose();
        await Running;
    }

    private async Task RunAsync(CancellationToken leaving)
    {
        try
        {
            while (true)
            {
                var jitter = 1 + (Random.Shared.NextDouble() - 0.5) / 5;
                if (await WaitAsync(files.Every * jitter, leaving))
                {
                    var began = time.GetTimestamp();
                    TimeSpan left;
                    while ((left = files.Debounce * mostDebounces - time.GetElapsedTime(began)) > TimeSpan.Zero
                        && await WaitAsync(left < files.Debounce ? left : files.Debounce, leaving))
                    {
                    }
                }

                try
                {
                    await capture(leaving);
                }
                catch (Exception failure) when (failure is CaptureException or IOException or UnauthorizedAccessException)
                {
                    Log.Failed(logger, tree, failure.Message);
                    await Task.Delay(files.Debounce * mostDebounces, time, leaving);
                }
            }
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            // The role is being left.
        }
    }

    // True when something was touched within the time.
    private async Task<bool> WaitAsync(TimeSpan patience, CancellationToken cancellation)
    {
        using var patient = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patient.Token, cancellation);
        try
        {
            await touches.Reader.ReadAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    private FileSystemWatcher? Watch()
    {
        try
        {
            var watching = new FileSystemWatcher(tree)
            {
                IncludeSubdirectories = true,
                NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size | NotifyFilters.Attributes,
            };
            watching.Changed += (_, _) => Touch();
            watching.Created += (_, _) => Touch();
            watching.Deleted += (_, _) => Touch();
            watching.Renamed += (_, _) => Touch();
            // Overflow or a limit: hints are incomplete, so look.
            watching.Error += (_, error) =>
            {
                Log.WatchFailed(logger, tree, error.GetException().Message);
                Touch();
            };
            watching.EnableRaisingEvents = true;
            return watching;
        }
        catch (Exception limit) when (limit is IOException or ArgumentException)
        {
            // Too many watches, or the tree is not there (any more).
            Log.WatchFailed(logger, tree, limit.Message);
            return null;
        }
    }

    /// <summary>Something changed, somewhere.</summary>
    internal void Touch() => touches.Writer.TryWrite(true);

    private static partial class Log
    {
        [LoggerMessage(3010, LogLevel.Error, "{Tree}: capture failed, and will be tried again: {Reason}")]
        public static partial void Failed(ILogger logger, string tree, string reason);

        [LoggerMessage(3011, LogLevel.Warning, "{Tree}: watching is incomplete ({Reason}); changes are found by scanning. Raising fs.inotify.max_user_watches may help")]
        public static partial void WatchFailed(ILogger logger, string tree, string reason);
    }
}
