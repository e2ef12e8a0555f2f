namespace Mirror.Primary.Watch;

/// <summary>Why the next capture is called for, by what was touched.</summary>
internal enum TouchReason
{
    /// <summary>It is not: what was touched is looked at when something else calls.</summary>
    None,

    /// <summary>Only by what was touched while the hooks of the last one ran.</summary>
    Hooks,

    Change,
}

/// <summary>
/// What was touched and is in no version yet, whoever captures next. A capture claims it when its turn has come, and so has all that the kernel had told until then, for whomever it is made; one that fails gives its claim
/// back. The watcher is asked by nobody else, and all of it happens under one lock: a touch is either still the watcher's, or here, or claimed.
/// </summary>
internal sealed class TouchLedger : IDisposable
{
    private readonly Lock gate = new();
    private readonly TouchCollector pending = new();
    private readonly TouchCollector duringHook = new();
    private TaskCompletionSource news = NewSignal();
    private ITreeWatcher? watcher;
    private TouchReason reason;
    private bool hookRuns;

    /// <summary>Why hints are incomplete, and what helps; null when all is well.</summary>
    public string? Degraded => watcher?.Degraded;

    /// <summary>Something was touched that calls for a capture.</summary>
    public bool IsDue
    {
        get
        {
            lock (gate)
            {
                return reason != TouchReason.None;
            }
        }
    }

    /// <summary>From here on it is told what is touched. What changed before the watch stood was seen by nobody, and so all of it counts as touched.</summary>
    /// <param name="by">The ledger owns it.</param>
    public void Watch(ITreeWatcher by)
    {
        lock (gate)
        {
            watcher = by;
            Add_NeedsLock(TouchedPaths.All, TouchReason.Change);
        }
    }

    /// <summary>Completes when the watcher has more to tell, or when somebody else than who waits has put in what calls for a capture.</summary>
    public async Task TouchedAsync(CancellationToken cancellation)
    {
        Task other;
        lock (gate)
        {
            other = news.Task;
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var first = await Task.WhenAny(watcher!.TouchedAsync(ended.Token), other.WaitAsync(ended.Token));
        await ended.CancelAsync();
        await first;
    }

    /// <summary>Takes over what the watcher has, so that the next touch shows.</summary>
    public void Gather()
    {
        lock (gate)
        {
            Gather_NeedsLock();
            if (news.Task.IsCompleted)
            {
                news = NewSignal();
            }
        }
    }

    public void Everything()
    {
        lock (gate)
        {
            Add_NeedsLock(TouchedPaths.All, TouchReason.Change);
        }
    }

    public bool IsWatched => watcher is not null;

    /// <summary>All that was touched until now and is in no version, for a capture that begins.</summary>
    /// <param name="why">What called for a capture, if any of it did.</param>
    public TouchedPaths Take(out TouchReason why)
    {
        lock (gate)
        {
            Gather_NeedsLock();
            why = reason;
            reason = TouchReason.None;
            return pending.Take();
        }
    }

    /// <param name="why">Whether it calls for a capture, and for which reason.</param>
    public void Put(TouchedPaths touched, TouchReason why)
    {
        if (watcher is null || touched.IsEmpty)
        {
            return;
        }

        lock (gate)
        {
            Add_NeedsLock(touched, why);
            Tell_NeedsLock();
        }
    }

    /// <summary>What is touched from here on, until the hook has ended, is told apart.</summary>
    public void BeginHook()
    {
        lock (gate)
        {
            Gather_NeedsLock();
            Tell_NeedsLock();
            hookRuns = true;
        }
    }

    /// <returns>What was touched while it ran.</returns>
    public TouchedPaths EndHook()
    {
        lock (gate)
        {
            Gather_NeedsLock();
            hookRuns = false;
            return duringHook.Take();
        }
    }

    public void Dispose() => watcher?.Dispose();

    private void Gather_NeedsLock()
    {
        if (watcher?.Take() is not { IsEmpty: false } more)
        {
            return;
        }

        if (hookRuns)
        {
            duringHook.Add(more);
        }
        else
        {
            Add_NeedsLock(more, TouchReason.Change);
        }
    }

    private void Add_NeedsLock(TouchedPaths touched, TouchReason why)
    {
        pending.Add(touched);
        reason = why > reason ? why : reason;
    }

    // Whoever took it from the watcher took the watcher's word along with it.
    private void Tell_NeedsLock()
    {
        if (reason != TouchReason.None)
        {
            news.TrySetResult();
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>What one capture looks at, and what of that it took from a ledger: whoever made no version of it gives that back.</summary>
internal sealed class TouchClaim
{
    private readonly TouchLedger ledger;
    private TouchedPaths taken;
    private TouchReason reason;

    private TouchClaim(TouchLedger ledger, TouchedPaths? look)
    {
        this.ledger = ledger;
        taken = ledger.Take(out reason);
        Touched = look ?? (ledger.IsWatched ? taken : TouchedPaths.All);
        IsWhole = Touched.Everything || ledger.IsWatched;
    }

    public TouchedPaths Touched { get; private set; }

    /// <summary>All that was touched before it was claimed is in it.</summary>
    public bool IsWhole { get; }

    /// <summary>Nothing but what happened during the hooks of the last capture calls for this one.</summary>
    public bool IsEcho => reason == TouchReason.Hooks;

    /// <summary>What was touched until now: everything, when nobody watches.</summary>
    public static TouchClaim Of(TouchLedger ledger) => new(ledger, null);

    public static TouchClaim OfEverything(TouchLedger ledger) => new(ledger, TouchedPaths.All);

    /// <summary>What was touched until now, and these.</summary>
    public static TouchClaim OfThese(TouchLedger ledger, TouchedPaths touched)
    {
        var claim = new TouchClaim(ledger, TouchedPaths.Nothing);
        claim.Touched = claim.taken.And(touched);
        return claim;
    }

    /// <summary>And what was touched since. To be called before it is looked at, and before a snapshot is made of what will be looked at.</summary>
    public void TakeMore()
    {
        Add(ledger.Take(out var why));
        reason = why > reason ? why : reason;
    }

    public void Add(TouchedPaths more)
    {
        taken = taken.And(more);
        Touched = Touched.And(more);
    }

    public void GiveBack() => ledger.Put(taken, reason);
}
