using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Replica.Receive;
using Mirror.Replica.Warm;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Replica.Apply;

/// <summary>
/// Stages what the inbox holds, one version after another, and warms the newest when there is no more. One loop, so that staging, booting and flipping never overlap.
/// A pack that cannot be applied drops the chain and asks for a fill; nothing that was current is touched by it.
/// </summary>
internal sealed partial class Applier(SiteConfig site, VersionStore store, Inbox inbox, Warmer warmer, Func<Task> publish, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan reviveAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan longestPause = TimeSpan.FromSeconds(30);

    private readonly Channel<bool> wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource aborted = new();
    private TaskCompletionSource settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource fillNeeded = new();
    private Exception? lastFailure;
    private volatile bool finishing;
    private bool distrustTree;
    private int failures;

    public VersionId Warm => warmer.Warm;

    public AppSet? Apps => warmer.Running;

    /// <summary>Cancelled when what is stored cannot be applied: following makes no sense until a fill has come.</summary>
    public CancellationToken FillNeeded => Volatile.Read(ref fillNeeded).Token;

    public void Wake() => wakes.Writer.TryWrite(true);

    public void Filled() => Interlocked.Exchange(ref fillNeeded, new CancellationTokenSource()).Dispose();

    /// <summary>Waits until everything received is staged, and tells what contents the tree has. After a failure it waits longer each time.</summary>
    public async Task<Manifest> HoldStillAsync(CancellationToken cancellation)
    {
        if (failures > 1)
        {
            var pause = TimeSpan.FromSeconds(Math.Min(longestPause.TotalSeconds, 1 << Math.Min(failures, 6)));
            await Task.Delay(pause, time, cancellation);
        }

        while (true)
        {
            var next = Volatile.Read(ref settled);
            if (inbox.Peek() is null)
            {
                return distrustTree ? Manifest.Empty : store.HeadManifest;
            }

            await next.Task.WaitAsync(cancellation);
        }
    }

    public async Task RunAsync()
    {
        try
        {
            // A tree that diverged is kept, never served.
            if (store.Current is not null && warmer.Running is null && !store.IsDiverged)
            {
                await TryWarmAsync(token => warmer.ReviveAsync(token));
            }

            await publish();
            Wake();
            while (!finishing || inbox.Peek() is not null || Behind)
            {
                if (!finishing)
                {
                    await NextTurnAsync();
                }

                await StageAllAsync();
                if (Behind)
                {
                    await AdvanceAsync();
                }

                if (finishing && lastFailure is not null)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (aborted.IsCancellationRequested)
        {
            // The role is being left without finishing.
        }
    }

    /// <summary>Applies and warms the rest, ends the loop and hands over the apps.</summary>
    public async Task<AppSet?> FinishAsync(Task loop)
    {
        lastFailure = null;
        finishing = true;
        Wake();
        await loop;
        if (lastFailure is not null)
        {
            await warmer.StopAsync();
            throw new StoreException($"The newest stored version of {site.Name} is not warm here: {lastFailure.Message}", lastFailure);
        }

        return warmer.Running;
    }

    public async Task AbortAsync(Task loop)
    {
        await aborted.CancelAsync();
        await loop;
        await warmer.StopAsync();
    }

    private bool Behind => !store.IsHeadCurrent;

    private async Task NextTurnAsync()
    {
        var wake = wakes.Reader.ReadAsync(aborted.Token).AsTask();
        var ended = warmer.Running?.Failed;
        if (ended is null || await Task.WhenAny(wake, ended) == wake)
        {
            await wake;
            return;
        }

        Log.AppsEnded(logger, site.Name, await ended);
        await Task.Delay(reviveAfter, time, aborted.Token);
        await TryWarmAsync(token => warmer.ReviveAsync(token));
        await publish();
        Wake();
        await wake;
    }

    private async Task StageAllAsync()
    {
        while (inbox.Peek() is { } pack)
        {
            try
            {
                var began = time.GetTimestamp();
                var version = await store.StageAsync(pack.Path, null, aborted.Token);
                inbox.Staged(pack);
                failures = 0;
                distrustTree = false;
                Log.Staged(logger, site.Name, version.Id.ToString(), time.GetElapsedTime(began).TotalMilliseconds);
            }
            catch (Exception failure) when (failure is PackFormatException or StoreException or IOException or InvalidDataException)
            {
                failures++;
                lastFailure = failure;
                distrustTree = failure is MissingContentException || failures > 1;
                Log.NotApplied(logger, site.Name, pack.To.ToString(), failure.Message);
                inbox.Clear(store.Head);
                await Volatile.Read(ref fillNeeded).CancelAsync();
                break;
            }

            await publish();
        }

        Interlocked.Exchange(ref settled, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private async Task AdvanceAsync()
    {
        AppSet? old = null;
        if (!await TryWarmAsync(async token => old = await warmer.AdvanceAsync(token)))
        {
            // Nothing newer came in meanwhile: wait for it instead of booting the same version again.
            if (!finishing)
            {
                await publish();
                await NextTurnAsync();
            }

            return;
        }

        await publish();
        if (old is not null)
        {
            await old.DisposeAsync();
        }
    }

    private async Task<bool> TryWarmAsync(Func<CancellationToken, Task> warm)
    {
        try
        {
            var began = time.GetTimestamp();
            await warm(aborted.Token);
            Log.Warm(logger, site.Name, warmer.Warm.ToString(), time.GetElapsedTime(began).TotalMilliseconds);
            return true;
        }
        catch (Exception failure) when (failure is AppUnhealthyException or LoadException)
        {
            lastFailure = failure;
            await warmer.NoteUnhealthyAsync(failure.Message);
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4010, LogLevel.Information, "{Site}: staged {Version} in {Milliseconds:F0} ms")]
        public static partial void Staged(ILogger logger, string site, string version, double milliseconds);

        [LoggerMessage(4011, LogLevel.Error, "{Site}: version {Version} could not be applied and is refused: {Reason} What is current stays; a fill is asked for")]
        public static partial void NotApplied(ILogger logger, string site, string version, string reason);

        [LoggerMessage(4012, LogLevel.Information, "{Site}: {Version} is warm, after {Milliseconds:F0} ms")]
        public static partial void Warm(ILogger logger, string site, string version, double milliseconds);

        [LoggerMessage(4013, LogLevel.Warning, "{Site}: its apps ended ({Reason}) and are started again")]
        public static partial void AppsEnded(ILogger logger, string site, string reason);
    }
}
