using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Voting;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Primary.Capture.Logs;
using Mirror.Primary.Publish;
using Mirror.Primary.Schedule;
using Mirror.Primary.Sweep;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Primary;

/// <summary>What a replica said it holds.</summary>
public sealed record ReplicaHolding(VersionId Stored, VersionId Verified, VersionId Warm)
{
    /// <summary>The replica's vote keeps everybody out who lacks what it has verified.</summary>
    public bool IsProtected { get; init; } = true;
}

/// <param name="Newest">The version that holds the site's state now.</param>
/// <param name="Made">The same, when this capture made it; null when nothing had changed.</param>
/// <param name="Everything">All of the tree was looked at, and not only what was touched.</param>
public sealed record CaptureOutcome(VersionRecord Newest, VersionRecord? Made, TimeSpan Took, bool Everything);

/// <summary>
/// Being primary of one site in one epoch: captures the live tree, keeps the outbox, and feeds every replica that follows. Entering opens the outbox and starts to
/// watch; disposing stops both. Captures and fills run one at a time.
/// </summary>
public sealed partial class PrimaryRole : IAsyncDisposable
{
    private readonly SiteConfig site;
    private readonly string node;
    private readonly VersionStore store;
    private readonly LiveTree live;
    private readonly SiteDumps dumps;
    private readonly CaptureHooks hooks;
    private readonly GentleThreads? gentle;
    private readonly SiteLogs? logs;
    private readonly PathFilter filter;
    private readonly Outbox outbox;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly IConsistencyMark? mark;
    private readonly SemaphoreSlim capturing = new(1, 1);
    private readonly CancellationTokenSource left = new();
    private readonly CancellationToken leaving;
    private readonly ConcurrentDictionary<string, ReplicaHolding> replicas = new(StringComparer.Ordinal);
    private readonly Exposure exposure;
    private readonly TouchLedger touches = new();
    private readonly CaptureLoop loop;
    private readonly ChecksumSweep sweep;
    private readonly HashSet<EntryPath> mountsSaid = [];
    private IReadOnlyList<EntryPath> unsettled = [];
    private readonly QuietTimes quiet;
    private readonly ScheduleLoop schedule;
    private int disposed;

    // Captures are numbered as they begin; the last one is kept for those who waited for its turn to end, and the last that looked at everything for those who want that.
    private long begun;
    private (long Number, CaptureOutcome Outcome)? served;
    private (long Number, CaptureOutcome Outcome)? servedFully;
    private volatile LastCapture? last;
    private volatile bool underWay;

    // The head, but only when its pack is in the outbox too: a stream that looks in between would find a version and no way to it, and ask for a fill.
    private volatile VersionRecord? published;
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PrimaryRole(SiteConfig site, string node, ulong epoch, VersionStore store, LiveTree live, string spool, TimeProvider time, ILogger logger, IConsistencyMark? mark)
    {
        this.site = site;
        this.node = node;
        this.store = store;
        this.live = live;
        this.time = time;
        this.logger = logger;
        this.mark = mark;
        exposure = new Exposure(time.GetUtcNow());
        Epoch = epoch;
        leaving = left.Token;
        filter = PathFilter.For(site);
        gentle = Niceness.Of(site.Capture) is var niceness && niceness != Niceness.None ? new GentleThreads("capture " + site.Name, niceness) : null;
        dumps = new SiteDumps(site, live.Tree, live.Slot, spool, time, gentle);
        hooks = new CaptureHooks(
            site, live.Tree, CaptureHooks.MarkOf(spool), time,
            new HookTouches(touches, path => Log.HooksTouch(logger, site.Name, path.ToString()))) { Snapshot = site.Files.ReadFrom };
        logs = SiteLogs.For(site, spool, time, logger);
        outbox = new Outbox(store.OutboxDirectory, store.Head);
        published = store.Head;
        quiet = new QuietTimes(site.Capture, time);
        var moment = new ScheduleMark(Path.Combine(Path.GetDirectoryName(spool)!, "schedule"));
        schedule = new ScheduleLoop(site.Name, epoch, site.Capture, quiet, moment, time, logger, token => CaptureAsync(false, token));
        loop = new CaptureLoop(live.Tree, site.Files, time, logger, touches, async token =>
        {
            await quiet.WaitAsync(token);
            return await CaptureDueAsync(token);
        });
        sweep = new ChecksumSweep(site.Name, live.Tree, site.Files.Sweep, new CapturedFiles(store, capturing), $"{Path.TrimEndingDirectorySeparator(spool)}.sweep", time, logger);
        sweep.Changed += SignalChange;
    }

    public ulong Epoch { get; }

    /// <summary>Newest captured version.</summary>
    public VersionRecord? Newest => store.Head;

    public IReadOnlyDictionary<string, ReplicaHolding> Replicas => replicas;

    /// <summary>Files that are not as they were captured, though nobody touched them.</summary>
    public IReadOnlyList<SweepFinding> Rotten => sweep.Findings;

    /// <summary>Ends when the role is left; fails when capturing met a fault nobody foresaw: then this process should not go on as if all were well.</summary>
    public Task Watching { get; private set; } = Task.CompletedTask;

    /// <summary>Starts with a capture, so that the reign begins with a version of its own.</summary>
    /// <param name="spool">Directory for database dumps, private to this site.</param>
    /// <param name="mark">Where it has to stand that a version is consistent before anybody is told; null: the votes protect what enough nodes hold.</param>
    public static async Task<PrimaryRole> EnterAsync(
        SiteConfig site, string node, ulong epoch, VersionStore store, LiveTree live, string spool, TimeProvider time, ILogger logger, CancellationToken cancellation,
        IConsistencyMark? mark = null)
    {
        var role = new PrimaryRole(site, node, epoch, store, live, spool, time, logger, mark);
        try
        {
            role.logs?.TakeFrom(live.Tree);
            await role.CaptureAsync(allowMassDelete: false, cancellation);
        }
        catch (Exception failure) when (failure is CaptureException or IOException or UnauthorizedAccessException)
        {
            // The site is served all the same; the loop tries again, and says so each time.
            Log.CaptureFailed(logger, site.Name, failure.Message);
        }

        role.Start();
        return role;
    }

    /// <summary>Captures now, looking at everything; returns the new version, or null when nothing changed.</summary>
    /// <exception cref="CaptureException"/>
    public async Task<VersionRecord?> CaptureAsync(bool allowMassDelete, CancellationToken cancellation) => (await CaptureNowAsync(allowMassDelete, cancellation)).Made;

    /// <summary>The same for what was touched since the last capture, as far as the caller and the watcher know; all else is taken to be as it was.</summary>
    /// <exception cref="CaptureException"/>
    public async Task<VersionRecord?> CaptureAsync(TouchedPaths touched, bool allowMassDelete, CancellationToken cancellation) =>
        (await InTurnAsync(token => Noted_NeedsTurn(() => TouchClaim.OfThese(touches, touched), allowMassDelete, token), cancellation)).Made;

    /// <summary>
    /// A version with everything that was written before this call, wherever and however. One capture serves all who called before it began: whoever comes while one runs waits for its end, and then one more is made
    /// for everybody who came meanwhile.
    /// </summary>
    /// <exception cref="CaptureException"/>
    public Task<CaptureOutcome> CaptureNowAsync(bool allowMassDelete, CancellationToken cancellation)
    {
        var called = Volatile.Read(ref begun);
        return InTurnAsync(
            token => servedFully is { } other && other.Number > called ? Task.FromResult(other.Outcome) : Noted_NeedsTurn(() => TouchClaim.OfEverything(touches), allowMassDelete, token), cancellation);
    }

    /// <summary>
    /// The barrier: a version with everything that was written before this call. Where a watcher is at work it looks only at what the kernel has told by the time of this call, which is all that was written by calls to the kernel; what was
    /// written through a memory map is told when the file is closed. Without a watcher it looks at everything.
    /// </summary>
    /// <exception cref="CaptureException"/>
    public Task<CaptureOutcome> BarrierAsync(bool allowMassDelete, CancellationToken cancellation)
    {
        var called = Volatile.Read(ref begun);
        return InTurnAsync(
            token => served is { } other && other.Number > called ? Task.FromResult(other.Outcome) : Noted_NeedsTurn(() => TouchClaim.Of(touches), allowMassDelete, token), cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        await left.CancelAsync();
        await loop.DisposeAsync();
        await emptying;
        await marking;
        await sweep.DisposeAsync();
        await schedule.DisposeAsync();

        // Whoever is capturing ends; the turn is not given to anybody again.
        await capturing.WaitAsync();
        logs?.Dispose();
        gentle?.Dispose();
        left.Dispose();
    }

    private void Start()
    {
        if (site.Capture.OnChange)
        {
            loop.Start(TreeWatcher.Open(live.Tree, filter, time, logger), leaving);
        }

        schedule.Start(leaving);
        if (site.Files.Sweep > TimeSpan.Zero)
        {
            sweep.Start(leaving);
        }

        StartEmptying();
        StartMarking();
        Watching = FirstFaultAsync([loop.Running, schedule.Running, emptying, marking]);

        // What is not started is over at once, and that is no fault.
        async Task FirstFaultAsync(List<Task> running)
        {
            while (running.Count > 0)
            {
                var ended = await Task.WhenAny(running);
                running.Remove(ended);
                await ended;
            }

            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, time, leaving);
            }
            catch (OperationCanceledException)
            {
                // The role is being left.
            }
        }
    }

    /// <summary>For the loop: what calls for a capture, if nobody else's had it meanwhile. Whether everything was looked at.</summary>
    private async Task<bool> CaptureDueAsync(CancellationToken cancellation)
    {
        var everything = false;
        await InTurnAsync(
            async token => touches.IsDue
                ? await Noted_NeedsTurn(
                    () =>
                    {
                        var claim = TouchClaim.Of(touches);
                        everything = claim.Touched.Everything;
                        return claim;
                    },
                    allowMassDelete: false, token)
                : null,
            cancellation);
        return everything;
    }

    private async Task<T> InTurnAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellation, leaving);
        await capturing.WaitAsync(linked.Token);
        try
        {
            return await work(linked.Token);
        }
        finally
        {
            capturing.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3001, LogLevel.Information, "{Site}: captured {Version}: {Put} changed, {Removed} gone, pack of {Bytes} bytes, in {Milliseconds:F0} ms")]
        public static partial void Captured(ILogger logger, string site, string version, int put, int removed, long bytes, double milliseconds);

        [LoggerMessage(3002, LogLevel.Error, "{Site}: capture failed: {Reason}")]
        public static partial void CaptureFailed(ILogger logger, string site, string reason);

        [LoggerMessage(3003, LogLevel.Warning, "{Site}: {Path} never held still while it was read; it is stored as read")]
        public static partial void Unstable(ILogger logger, string site, string path);

        [LoggerMessage(3005, LogLevel.Warning, "{Site}: {Count} group(s) of names differ in case or Unicode form only, and would fall together where a file system does not tell them apart: {Names}")]
        public static partial void Twins(ILogger logger, string site, int count, string names);

        [LoggerMessage(3006, LogLevel.Warning, "{Site}: another file system is mounted at {Path}: it is no part of the site's versions. Make it a site of its own, or exclude the path to hear no more of it")]
        public static partial void OtherFileSystem(ILogger logger, string site, string path);

        [LoggerMessage(3007, LogLevel.Warning, "{Site}: its hooks change the site itself (such as {Path}): that goes into the next version that something else calls for, and calls for none. Let them write elsewhere, or exclude what they write")]
        public static partial void HooksTouch(ILogger logger, string site, string path);

        [LoggerMessage(3004, LogLevel.Information, "{Site}: fill begins again: {Reason}")]
        public static partial void FillRepeated(ILogger logger, string site, string reason);
    }
}
