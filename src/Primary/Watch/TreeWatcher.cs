using Microsoft.Extensions.Logging;
using Mirror.Primary.Capture;
using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

/// <summary>
/// Watches a tree by what the kernel offers: fanotify, else inotify, else nothing (and says why). A thread of its own waits for the kernel, and sees to the watch itself: when the
/// root goes, or comes back as another directory, when a queue runs over or a limit is met, all counts as touched, and a new watch is opened, at once the first time and ever less
/// often when that keeps happening.
/// </summary>
internal sealed class TreeWatcher : ITreeWatcher
{
    /// <summary>So long a round lets the kernel gather: a file written a thousand times meanwhile is one word, and one waking.</summary>
    private const int gatherMilliseconds = 10;

    private const int tickMilliseconds = 1000;
    private static readonly TimeSpan limitPause = TimeSpan.FromMinutes(5);

    private readonly string root;
    private readonly WatchOpener opener;
    private readonly WatchReport report;
    private readonly TimeProvider time;
    private readonly TouchCollector touches = new();
    private readonly Lock gate = new();
    private readonly Thread thread;
    private readonly int bell;
    private volatile bool stopping;

    // Under the gate. The source changes hands only in the thread, which may read it without.
    private IChangeSource? source;
    private RootIdentity? identity;
    private bool begun;
    private bool rootSuspect;
    private string? notOpened;
    private string allowed = "";
    private Backoff backoff;
    private long openedAt;
    private long rootSeenAt;

    private TreeWatcher(string root, WatchOpener opener, TimeProvider time, ILogger logger)
    {
        this.root = root;
        this.opener = opener;
        this.time = time;
        report = new WatchReport(root, logger);
        bell = PosixError.Check(WatchCalls.OpenBell(), "open an eventfd to watch", root, default);
        OpenSource();
        thread = new Thread(Run, 512 * 1024) { IsBackground = true, Name = "watch " + root };
        thread.Start();
    }

    /// <summary>What watches now; null when nothing does.</summary>
    public IChangeSource? Source => source;

    public string? Degraded => report.Degraded;

    /// <summary>
    /// Watches from here on. Where every directory needs a watch of its own they are set by the thread; touches are told when they stand, and until then all counts as touched.
    /// </summary>
    public static TreeWatcher Open(string root, PathFilter filter, TimeProvider time, ILogger logger, WatchOptions? options = null) =>
        new(root, new WatchOpener(root, new WatchScope(filter), options ?? new WatchOptions()), time, logger);

    public Task TouchedAsync(CancellationToken cancellation) => touches.TouchedAsync(cancellation);

    /// <remarks>Whatever was done to the tree before this call began is in the answer, unless it was in an earlier one.</remarks>
    public TouchedPaths Take()
    {
        lock (gate)
        {
            rootSuspect |= RootIdentity.Of(root) != identity;
            var whole = !stopping && begun && !rootSuspect && source is { IsWhole: true };
            if (whole)
            {
                source!.Drain(touches);
            }

            var taken = touches.Take();
            if (whole && source is { IsWhole: true, Limit: null, Fault: null })
            {
                return taken;
            }

            if (!stopping)
            {
                WatchCalls.Ring(bell);
            }

            return TouchedPaths.All;
        }
    }

    /// <summary>For tests: the kernel's queue is left alone meanwhile.</summary>
    internal void WhileNobodyReads(Action action)
    {
        lock (gate)
        {
            action();
        }
    }

    public void Dispose()
    {
        if (stopping)
        {
            return;
        }

        stopping = true;
        WatchCalls.Ring(bell);
        thread.Join();
        lock (gate)
        {
            CloseSource();
            Posix.Close(bell);
        }
    }

    private void Run()
    {
        try
        {
            var wait = 0;
            while (!stopping)
            {
                WatchCalls.Wait(source?.Descriptor ?? -1, bell, wait);
                lock (gate)
                {
                    WatchCalls.Quieten(bell);
                    wait = stopping ? 0 : Round();
                }

                if (wait > 0)
                {
                    WatchCalls.Wait(bell, -1, Math.Min(wait, gatherMilliseconds));
                }
            }
        }
        catch (Exception fault)
        {
            // Whoever waits for touches gets it, and ends as for any fault nobody foresaw.
            touches.Fail(fault);
        }
    }

    /// <summary>Does what there is to do; how long to wait for more.</summary>
    private int Round()
    {
        if (source is null)
        {
            // A root that is there again is not kept waiting.
            if (backoff.IsOver(time) || (identity is null && RootIdentity.Of(root) is not null))
            {
                OpenSource();
            }

            return source is null ? tickMilliseconds : 0;
        }

        source.Drain(touches);
        var next = source.Work(touches);
        if (source.Fault is { } fault)
        {
            return Reopen(fault);
        }

        if (rootSuspect || source.TakeRootSuspicion() || time.GetElapsedTime(rootSeenAt).TotalMilliseconds >= tickMilliseconds)
        {
            rootSuspect = false;
            rootSeenAt = time.GetTimestamp();
            if (RootIdentity.Of(root) != identity)
            {
                backoff = default;
                return Reopen("its root is gone, or is another directory now");
            }
        }

        if (!begun && source.IsWhole)
        {
            begun = true;
            touches.Everything();
        }

        if (begun)
        {
            report.Watched(source, notOpened);
            if (source.Limit is not null && (time.GetElapsedTime(openedAt) > limitPause || allowed != WatchOpener.Allowed()))
            {
                return Reopen(source.Limit);
            }
        }

        return next ?? tickMilliseconds;
    }

    private int Reopen(string why)
    {
        report.NotWatched(why);
        CloseSource();
        if (backoff.Next(time, openedAt) > TimeSpan.Zero)
        {
            touches.Everything();
            return tickMilliseconds;
        }

        OpenSource();
        return 0;
    }

    private void OpenSource()
    {
        begun = rootSuspect = false;
        openedAt = rootSeenAt = time.GetTimestamp();
        allowed = WatchOpener.Allowed();
        source = opener.TryOpen(out identity, out notOpened);
        if (source is null)
        {
            backoff.Next(time, openedAt);
            if (report.NotWatched(notOpened))
            {
                touches.Everything();
            }
        }
    }

    private void CloseSource()
    {
        source?.Dispose();
        source = null;
        begun = false;
    }
}
