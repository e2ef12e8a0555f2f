using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;
using Mirror.Node.Consul;

namespace Mirror.Leadership.Consul;

/// <summary>How the key of a lock was left by its holder.</summary>
internal readonly record struct LockState(LockRecord Record, ulong LockIndex, ulong ModifyIndex);

/// <summary>
/// Keeps a lock in Consul, and knows how long that is worth something. Whatever ends a session (its time, its check, an operator, an agent that leaves), from then on Consul keeps the lock from
/// everybody for its delay, which is a lease. So who saw the lock to be its own may believe in it for a lease from when it asked, a margin less, whatever happens afterwards; and need not know when a
/// session ends. It asks three times a lease, the leader itself, and soon again after a failure. That the session was renewed proves nothing: a server that has just lost the lead may say so.
/// </summary>
internal sealed class LockedLease : ILeaseKeeper, IConsistencyMark
{
    private const int MostRaises = 3;
    private static readonly TimeSpan LongestFarewell = TimeSpan.FromSeconds(2);

    private readonly SiteRules rules;
    private readonly ulong epoch;
    private readonly HeldLock held;
    private readonly LockWays ways;
    private readonly Lock guard = new();
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly LeaseEnd end;
    private readonly Task keeping;
    private TimeSpan confirmed;
    private bool closed;

    // Changed by who has the turn to write.
    private LockState state;
    private Position marked;

    /// <param name="asked">When the lock was asked for.</param>
    public LockedLease(SiteRules rules, ulong epoch, HeldLock held, LockState taken, TimeSpan asked, LockWays ways)
    {
        this.rules = rules;
        this.epoch = epoch;
        this.held = held;
        this.ways = ways;
        state = taken;
        marked = MarkOf(taken.Record);
        confirmed = asked;
        end = new LeaseEnd(rules, epoch, () => Span.Until, "Consul did not confirm it in time.", ways.Time, ways.Log);
        end.Watch();
        keeping = KeepAsync(end.Stopping);
    }

    public CancellationToken Lost => end.Lost;

    public bool IsHeld
    {
        get
        {
            lock (guard)
            {
                return !end.IsOver && Now < Deadline_NeedsLock;
            }
        }
    }

    public LeaseSpan Span
    {
        get
        {
            lock (guard)
            {
                return new LeaseSpan(Deadline_NeedsLock, rules.Margin / 2);
            }
        }
    }

    public IConsistencyMark Mark => this;

    public HeldLock Lock => held;

    public Position Current
    {
        get
        {
            lock (guard)
            {
                return marked;
            }
        }
    }

    private TimeSpan Now => ways.Time.GetElapsedTime(0);

    private TimeSpan Deadline_NeedsLock => confirmed + rules.Lease - rules.Margin;

    public async Task<bool> RaiseAsync(Position version, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(rules.Lease / 4, ways.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await writing.WaitAsync(both.Token);
            try
            {
                return await Raise_NeedsTurn(version, both.Token);
            }
            finally
            {
                writing.Release();
            }
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            Log.NotNoted(ways.Log, rules.Site, version.ToString(), failure.Message);
            return false;
        }
    }

    public async Task GiveBackAsync(string? successor, CancellationToken cancellation)
    {
        await end.ComeAsync(keeping);
        using var limit = new CancellationTokenSource(rules.Lease / 4, ways.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            if (await LockRelease.RunAsync(ways.Consul, held.Key, held.Session, successor, both.Token) == ReleaseOutcome.Released)
            {
                Log.GivenBack(ways.Log, rules.Site, epoch, successor);
            }
            else
            {
                Log.NotGivenBack(ways.Log, rules.Site, epoch, "it is not held any more");
            }
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException)
        {
            Log.NotGivenBack(ways.Log, rules.Site, epoch, failure.Message);
        }

        await CloseAsync();
    }

    /// <summary>Its session ends with it: Consul then keeps the lock from others for its delay, which is a lease.</summary>
    public async ValueTask DisposeAsync()
    {
        await end.ComeAsync(keeping);
        await CloseAsync();
        writing.Dispose();
    }

    private static Position MarkOf(LockRecord record) => new(record.Epoch, record.Sequence);

    private async Task<bool> Raise_NeedsTurn(Position version, CancellationToken cancellation)
    {
        for (var attempt = 0; attempt < MostRaises && version > Current; attempt++)
        {
            var next = state.Record with { Epoch = version.Epoch, Sequence = version.Sequence };
            if (await Write_NeedsTurn(next, state.ModifyIndex, cancellation))
            {
                return true;
            }

            // Written by somebody else, or by an attempt of ours that was not answered: from what stands there now, it may go on if the lock is still held.
            var reading = await ways.Consul.ReadKeyAsync(held.Key, cancellation);
            if (!IsOurs(reading.Entry))
            {
                return false;
            }

            Adopt_NeedsTurn(reading.Entry!);
        }

        return version <= Current;
    }

    private async Task<bool> Write_NeedsTurn(LockRecord record, ulong at, CancellationToken cancellation)
    {
        var outcome = await ways.Consul.CommitAsync(
            [
                new KeyOperation(KeyVerb.CheckSession, held.Key) { Session = held.Session },
                new KeyOperation(KeyVerb.Cas, held.Key) { Index = at, Value = record.Write() },
            ],
            cancellation);
        if (!outcome.Committed || outcome.Entries is not [.., var written])
        {
            return false;
        }

        state = state with { Record = record, ModifyIndex = written.ModifyIndex };
        lock (guard)
        {
            marked = MarkOf(record);
        }

        return true;
    }

    // The higher mark is right, whoever wrote it: one that is too high keeps candidates away that would have been good enough, one that is too low lets one in that lacks something.
    private void Adopt_NeedsTurn(KeyEntry entry)
    {
        state = state with { ModifyIndex = entry.ModifyIndex };
        if (LockRecord.Read(entry.Value) is { } found && MarkOf(found) > MarkOf(state.Record))
        {
            state = state with { Record = state.Record with { Epoch = found.Epoch, Sequence = found.Sequence } };
            lock (guard)
            {
                marked = MarkOf(found);
            }
        }
    }

    private bool IsOurs(KeyEntry? entry) => entry is not null && entry.Session == held.Session && entry.LockIndex == state.LockIndex;

    private async Task KeepAsync(CancellationToken cancellation)
    {
        var answered = true;
        while (!cancellation.IsCancellationRequested)
        {
            var asked = Now;
            string? trouble;
            using (var limit = new CancellationTokenSource(rules.Lease / 4, ways.Time))
            using (var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation))
            {
                var renewing = RenewAsync(both.Token);
                trouble = await ConfirmAsync(asked, both.Token);
                await renewing;
            }

            if (cancellation.IsCancellationRequested)
            {
                return;
            }

            if (answered != trouble is null)
            {
                answered = trouble is null;
                Tell(trouble);
            }

            var pause = trouble is null ? (rules.Lease / 3) - (Now - asked) : rules.Lease / 16;
            await Task.Delay(pause > TimeSpan.Zero ? pause : TimeSpan.Zero, ways.Time, cancellation)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    /// <returns>Null when the lock is certainly held; otherwise why that is not known.</returns>
    private async Task<string?> ConfirmAsync(TimeSpan asked, CancellationToken cancellation)
    {
        KeyEntry? entry;
        try
        {
            entry = (await ways.Consul.ReadKeyAsync(held.Key, cancellation)).Entry;
        }
        catch (ConsulException failure)
        {
            return failure.Message;
        }
        catch (OperationCanceledException)
        {
            return "Consul does not answer in time.";
        }

        if (!IsOurs(entry))
        {
            end.Come(entry is null ? "its key is gone from Consul." : entry.Session is null ? "nobody holds it any more." : "somebody else has it.");
            return "it is lost";
        }

        lock (guard)
        {
            // Once it has ended it stays so: a late answer cannot bring it back.
            if (Now < Deadline_NeedsLock && asked > confirmed)
            {
                confirmed = asked;
            }
        }

        await MendAsync(entry!, cancellation);
        return null;
    }

    // An index beyond that of the last write: somebody else wrote. Below it: the question was older than the write.
    private async Task MendAsync(KeyEntry entry, CancellationToken cancellation)
    {
        if (!await writing.WaitAsync(TimeSpan.Zero, CancellationToken.None))
        {
            return;
        }

        try
        {
            if (entry.ModifyIndex > state.ModifyIndex)
            {
                Adopt_NeedsTurn(entry);
                if (!entry.Value.AsSpan().SequenceEqual(state.Record.Write()))
                {
                    Log.Overwritten(ways.Log, held.Key);
                    await Write_NeedsTurn(state.Record, entry.ModifyIndex, cancellation);
                }
            }
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException)
        {
            // The next question finds it as it is, and tries again.
            state = state with { ModifyIndex = entry.ModifyIndex - 1 };
        }
        finally
        {
            writing.Release();
        }
    }

    // What this says is no proof; a session that is gone shows at the key.
    private async Task RenewAsync(CancellationToken cancellation)
    {
        try
        {
            await ways.Consul.RenewSessionAsync(held.Session, cancellation);
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException)
        {
            // Asked again with the next question, which is soon when Consul does not answer.
        }
    }

    private void Tell(string? trouble)
    {
        if (trouble is null)
        {
            Log.ConfirmedAgain(ways.Log, rules.Site, epoch);
        }
        else if (IsHeld)
        {
            Log.NotConfirmed(ways.Log, rules.Site, epoch, trouble);
        }
    }

    private async Task CloseAsync()
    {
        if (closed)
        {
            return;
        }

        closed = true;
        using var limit = new CancellationTokenSource(rules.Lease / 4 < LongestFarewell ? rules.Lease / 4 : LongestFarewell, ways.Time);
        try
        {
            await ways.Consul.CloseSessionAsync(held.Session, limit.Token);
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException)
        {
            Log.NotWithdrawn(ways.Log, rules.Site, failure.Message);
        }
    }
}
