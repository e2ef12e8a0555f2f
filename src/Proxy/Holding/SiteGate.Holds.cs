namespace Mirror.Proxy.Holding;

/// <summary>Planned holds: what the primary asks for during a switchover.</summary>
internal sealed partial class SiteGate
{
    // Tunnels that were cut need a moment to be gone; a client that does not read must not stretch the switchover.
    private static readonly TimeSpan TunnelsEndWithin = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// Stops sending new requests, waits until those in flight are done, at most <paramref name="drain"/>, then cuts tunnels.
    /// The hold ends by itself after <paramref name="duration"/>, by <see cref="Release"/>, or when a higher epoch appears.
    /// Asking again prolongs it. An epoch that the catalogue does not know yet may hold, for that harms nobody for long; it ends no reign.
    /// </summary>
    /// <returns>Null when <paramref name="epoch"/> is lower than the highest seen.</returns>
    public async Task<HoldReport?> HoldAsync(ulong epoch, TimeSpan duration, TimeSpan drain, CancellationToken cancellation)
    {
        Task quiet;
        Reign? reign;
        lock (_lock)
        {
            if (IsOutdated_NeedsLock(epoch))
            {
                return null;
            }

            _hold?.Dispose();
            var hold = new PlannedHold(epoch);
            hold.Arm(time.CreateTimer(_ => Expire(hold), null, duration, Timeout.InfiniteTimeSpan));
            _hold = hold;
            Settle_NeedsLock();
            quiet = QuietAsync_NeedsLock();
            reign = _reign;
        }

        await WithinAsync(quiet, drain, cancellation);
        if (reign is not null)
        {
            reign.CutTunnels();
            await WithinAsync(TunnelsGoneAsync(), TunnelsEndWithin, cancellation);
        }

        lock (_lock)
        {
            // A long download changes nothing; it is waited for while there is time, and is no reason to call a switchover off.
            return new HoldReport(_writes + _tunnels == 0, _reads + _writes + _tunnels, _waiting.Count);
        }
    }

    /// <returns>How many waited; null when <paramref name="epoch"/> is lower than the highest seen.</returns>
    public int? Release(ulong epoch)
    {
        lock (_lock)
        {
            if (IsOutdated_NeedsLock(epoch))
            {
                return null;
            }

            var waiting = _waiting.Count;
            EndHold_NeedsLock();
            Settle_NeedsLock();
            return waiting - _waiting.Count;
        }
    }

    private void Expire(PlannedHold hold)
    {
        lock (_lock)
        {
            if (_hold == hold)
            {
                LogHoldExpired(site, hold.Epoch);
                EndHold_NeedsLock();
                Settle_NeedsLock();
            }
        }
    }

    private bool IsOutdated_NeedsLock(ulong epoch) => epoch < Math.Max(_highest, _hold?.Epoch ?? 0);

    private void EndOutrankedHold_NeedsLock()
    {
        if (_hold is { } hold && hold.Epoch < _highest)
        {
            EndHold_NeedsLock();
        }
    }

    private void EndHold_NeedsLock()
    {
        _hold?.Dispose();
        _hold = null;
    }

    private Task QuietAsync_NeedsLock()
    {
        if (_reads + _writes == 0)
        {
            return Task.CompletedTask;
        }

        _quiet ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return _quiet.Task;
    }

    private Task TunnelsGoneAsync()
    {
        lock (_lock)
        {
            if (_tunnels == 0)
            {
                return Task.CompletedTask;
            }

            _tunnelsGone ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _tunnelsGone.Task;
        }
    }

    private void SignalQuiet_NeedsLock()
    {
        if (_reads + _writes == 0)
        {
            _quiet?.SetResult();
            _quiet = null;
        }

        if (_tunnels == 0)
        {
            _tunnelsGone?.SetResult();
            _tunnelsGone = null;
        }
    }

    private async Task WithinAsync(Task task, TimeSpan limit, CancellationToken cancellation)
    {
        try
        {
            await task.WaitAsync(limit, time, cancellation);
        }
        catch (TimeoutException)
        {
            // The counts in the answer say what was not done.
        }
    }

    private sealed class PlannedHold(ulong epoch) : IDisposable
    {
        private ITimer? _deadline;

        public ulong Epoch => epoch;

        public void Arm(ITimer deadline) => _deadline = deadline;

        public void Dispose() => _deadline?.Dispose();
    }
}

/// <param name="Drained">No request that may change the site is in flight any more.</param>
internal sealed record HoldReport(bool Drained, int InFlight, int Held);
