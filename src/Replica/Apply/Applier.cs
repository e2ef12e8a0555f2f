using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Replica.Receive;
using Mirror.Replica.Warm;
using Mirror.Node.Processes;
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
    private static readonly TimeSpan firstAgain = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan longestAgain = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan longestPause = TimeSpan.FromSeconds(30);

    private readonly Channel<bool> wakes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource aborted = new();
    private TaskCompletionSource settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource fillNeeded = new();
    private Exception? lastFailure;
    private volatile bool finishing;
    private TimeSpan again = firstAgain;
    private bool distrustTree;
    private int failures;

    public VersionId Warm => warmer.Warm;

    public AppSet? Apps => warmer.Running;

    /// <summary>Cancelled when what is stored cannot be applied: following makes no sense until a fill has come.</summary>
    public CancellationToken FillNeeded => Volatile.Read(ref fillNeeded).Token;

    public void Wake() => wakes.Writer.TryWrite(true);

    /// <summary>A fill is asked for now: what it brings may be refused again, and must not be mistaken for what was refused before.</summary>
    public void Filling() => Interlocked.Exchange(ref fillNeeded, new CancellationTokenSource());

    /// <summary>The fill did not come: it is still needed.</summary>
    public Task FillFailedAsync() => Volatile.Read(ref fillNeeded).CancelAsync();

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
            if (Lacking)
            {
                await ReviveAsync();
            }

            await publish();
            Wake();
            while (!finishing || inbox.Peek() is not null || Behind)
            {
                if (!finishing)
                {
                    // What does not run waits for something newer. It may have been the machine's fault, so it gets another chance by itself, ever later.
                    await NextTurnAsync(Behind ? again : null);
                    again = !Behind ? firstAgain : again * 2 < longestAgain ? again * 2 : longestAgain;
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
        try
        {
            await loop;
        }
        catch
        {
            await warmer.StopAsync();
            throw;
        }

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
        try
        {
            await loop;
        }
        finally
        {
            await warmer.StopAsync();
        }
    }

    private bool Behind => !store.IsHeadCurrent;

    // A tree that diverged is kept, never served.
    private bool Lacking => site.Apps.Count > 0 && warmer.Running is null && store.CurrentSlot is not null && !store.IsDiverged;

    // Waits for a pack. What is current is kept running meanwhile: apps that ended or did not start are started again, ever more patiently.
    private async Task NextTurnAsync(TimeSpan? atMost)
    {
        using var limit = new CancellationTokenSource(atMost ?? Timeout.InfiniteTimeSpan, time);
        using var turn = CancellationTokenSource.CreateLinkedTokenSource(aborted.Token, limit.Token);
        var wake = wakes.Reader.ReadAsync(turn.Token).AsTask();
        var pause = reviveAfter;
        while (!wake.IsCompleted)
        {
            if (warmer.Running?.Failed is { } ended)
            {
                if (await Task.WhenAny(wake, ended) == wake)
                {
                    break;
                }

                Log.AppsEnded(logger, site.Name, await ended);
            }
            else if (!Lacking)
            {
                break;
            }

            using var early = CancellationTokenSource.CreateLinkedTokenSource(aborted.Token);
            var rest = Task.Delay(pause, time, early.Token);
            if (await Task.WhenAny(wake, rest) == wake)
            {
                await early.CancelAsync();
                break;
            }

            await ReviveAsync();
            await publish();
            pause = pause * 2 < longestPause ? pause * 2 : longestPause;
        }

        try
        {
            await wake;
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            // Long enough waited.
        }
    }

    private Task<bool> ReviveAsync() => TryWarmAsync(store.Current!.Id, warmer.ReviveAsync);

    private async Task StageAllAsync()
    {
        while (inbox.Peek() is { } pack)
        {
            try
            {
                var began = time.GetTimestamp();
                var entries = store.HeadManifest.Entries.Count;
                var version = await store.StageAsync(pack.Path, null, aborted.Token);
                HeapTrim.After(Math.Abs(store.HeadManifest.Entries.Count - entries));
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
                inbox.Refuse(pack, store.Head);
                await Volatile.Read(ref fillNeeded).CancelAsync();
            }

            await publish();
        }

        Interlocked.Exchange(ref settled, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private async Task AdvanceAsync()
    {
        AppSet? old = null;
        if (!await TryWarmAsync(store.Head!.Id, async token => old = await warmer.AdvanceAsync(token)))
        {
            await publish();
            return;
        }

        await publish();
        if (old is not null)
        {
            await old.DisposeAsync();
        }
    }

    private async Task<bool> TryWarmAsync(VersionId version, Func<CancellationToken, Task> warm)
    {
        try
        {
            var began = time.GetTimestamp();
            await warm(aborted.Token);
            await warmer.NoteHealthyAsync(version);
            Log.Warm(logger, site.Name, warmer.Warm.ToString(), time.GetElapsedTime(began).TotalMilliseconds);
            return true;
        }
        catch (Exception failure) when (failure is AppUnhealthyException or LoadException)
        {
            lastFailure = failure;
            await NoteUnhealthyAsync(version, failure.Message);
            return false;
        }
        catch (Exception failure) when (failure is StoreException or IOException)
        {
            // No fault of the version: a full disk, say.
            lastFailure = failure;
            Log.NotFlipped(logger, site.Name, version.ToString(), failure.Message);
            return false;
        }
    }

    // Where the disk is full neither does the version run nor can that be written down. It is tried again, and that is all the note is for.
    private async Task NoteUnhealthyAsync(VersionId version, string reason)
    {
        try
        {
            await warmer.NoteUnhealthyAsync(version, reason);
        }
        catch (Exception failure) when (failure is StoreException or IOException)
        {
            Log.NotNoted(logger, site.Name, version.ToString(), failure.Message);
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

        [LoggerMessage(4014, LogLevel.Error, "{Site}: version {Version} could not become current: {Reason} What was current stays; it is tried again")]
        public static partial void NotFlipped(ILogger logger, string site, string version, string reason);

        [LoggerMessage(4015, LogLevel.Error, "{Site}: that version {Version} does not run here could not be noted: {Reason}")]
        public static partial void NotNoted(ILogger logger, string site, string version, string reason);

        [LoggerMessage(4013, LogLevel.Warning, "{Site}: its apps ended ({Reason}) and are started again")]
        public static partial void AppsEnded(ILogger logger, string site, string reason);
    }
}
