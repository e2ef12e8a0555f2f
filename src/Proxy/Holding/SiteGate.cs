using Microsoft.Extensions.Logging;
using Mirror.Proxy.Routing;

namespace Mirror.Proxy.Holding;

/// <summary>
/// The one way to a site's primary. A request enters when there is a lawful primary whose app answers and nobody asked for a hold;
/// otherwise it waits here, in order, and is admitted to whoever is primary then.
///
/// Lawful is: claims to be primary in the highest epoch this proxy ever saw, alone. A claim that falls silent stays good (a node that
/// lost its right stops its app by itself, so sending there is safe); a claim that is contradicted, by its own node or by a
/// higher epoch, ends at once and what is in flight to it is cut. There is never a fallback to "any address".
/// </summary>
internal sealed partial class SiteGate(string site, ulong highest, HoldingRoom room, ProxyMetrics metrics, TimeProvider time, ILogger<SiteGate> log)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private ulong _highest = highest;
    private Reign? _reign;
    private Uri? _app;
    private bool _handingOver;
    private bool _silent;
    private PlannedHold? _hold;
    private string? _closed = "no primary is known yet";
    private long _closedSince = time.GetTimestamp();
    private int _reads;
    private int _writes;
    private int _tunnels;
    private TaskCompletionSource? _quiet;
    private TaskCompletionSource? _tunnelsGone;

    /// <summary>A passage at once, or null when one has to wait.</summary>
    public Passage? TryEnter(Traffic traffic)
    {
        lock (_lock)
        {
            return _closed is null ? Admit_NeedsLock(traffic) : null;
        }
    }

    /// <summary>Asks for a passage, waiting at most <paramref name="patience"/>.</summary>
    public async ValueTask<Entry> EnterAsync(Traffic traffic, TimeSpan patience, CancellationToken gone)
    {
        LinkedListNode<Waiter> place;
        lock (_lock)
        {
            if (_closed is null)
            {
                return new Entry(Admit_NeedsLock(traffic));
            }

            if (patience <= TimeSpan.Zero)
            {
                return new Entry(null, Refusal.WaitedTooLong);
            }

            if (!room.TryTake())
            {
                return new Entry(null, Refusal.TooManyWaiting);
            }

            place = _waiting.AddLast(new Waiter(traffic));
        }

        metrics.Held(site);
        try
        {
            return new Entry(await place.Value.Admitted.Task.WaitAsync(patience, time, gone));
        }
        catch (TimeoutException)
        {
            return TryWithdraw(place) ? new Entry(null, Refusal.WaitedTooLong) : new Entry(await place.Value.Admitted.Task);
        }
        catch (OperationCanceledException)
        {
            if (!TryWithdraw(place))
            {
                (await place.Value.Admitted.Task).Dispose();
            }

            throw;
        }
        finally
        {
            room.Return();
        }
    }

    /// <summary>Takes over what the catalogue says now.</summary>
    public void Apply(SiteView view)
    {
        Reign? over = null;
        lock (_lock)
        {
            _highest = Math.Max(_highest, view.HighestEpoch);
            if (LawfulClaim_NeedsLock(view) is { } claim)
            {
                over = Follow_NeedsLock(claim);
            }
            else if (_reign is { } reign && (reign.Epoch < _highest || view.Speakers.Contains(reign.Node)))
            {
                over = End_NeedsLock();
            }

            EndOutrankedHold_NeedsLock();
            Settle_NeedsLock();
        }

        Cut(over);
    }

    /// <summary>Nothing answers where this passage led. Requests wait until a probe is answered there, or the route leads elsewhere.</summary>
    public void FoundSilent(Passage passage)
    {
        lock (_lock)
        {
            if (_silent || !Leads_NeedsLock(passage.Reign, passage.App))
            {
                return;
            }

            _silent = true;
            Settle_NeedsLock();
        }

        _ = ProbeAsync(passage.Reign, passage.App);
    }

    public void Leave(Traffic traffic)
    {
        lock (_lock)
        {
            _ = traffic switch
            {
                Traffic.Read => _reads--,
                Traffic.Write => _writes--,
                _ => _tunnels--,
            };
            SignalQuiet_NeedsLock();
        }
    }

    public GateStatus Status()
    {
        lock (_lock)
        {
            return new GateStatus(_reign?.Node, _reign?.Epoch ?? 0, Math.Max(_highest, _hold?.Epoch ?? 0), _closed, _waiting.Count, _reads + _writes, _tunnels);
        }
    }

    private PrimaryClaim? LawfulClaim_NeedsLock(SiteView view)
    {
        var claims = view.Claims.Where(claim => claim.Epoch == _highest).ToList();
        if (claims.Count <= 1)
        {
            return claims.FirstOrDefault();
        }

        // Votes make this impossible; gossip could still garble it. Stay with the one we know, or trust nobody.
        LogTwoClaims(site, _highest, string.Join(", ", claims.Select(claim => claim.Node)));
        return claims.FirstOrDefault(claim => claim.Node == _reign?.Node && claim.Epoch == _reign.Epoch);
    }

    /// <returns>The reign that this ends, if any.</returns>
    private Reign? Follow_NeedsLock(PrimaryClaim claim)
    {
        Reign? over = null;
        if (_reign is null || _reign.Node != claim.Node || _reign.Epoch != claim.Epoch)
        {
            over = End_NeedsLock();
            _reign = new Reign(claim.Node, claim.Epoch);
        }

        // Within one reign an app that moves to another port drains at the old one.
        if (_app != claim.App)
        {
            _app = claim.App;
            _silent = false;
            LogRoute(site, claim.Node, claim.Epoch, _app?.ToString() ?? "an app that is still starting");
            metrics.RouteChanged(site);
        }

        _handingOver = claim.HandingOver;
        return over;
    }

    private Reign? End_NeedsLock()
    {
        var over = _reign;
        _reign = null;
        _app = null;
        _silent = false;
        _handingOver = false;
        return over;
    }

    private bool Leads_NeedsLock(Reign reign, Uri app) => _reign == reign && _app == app;

    private void Cut(Reign? reign)
    {
        if (reign is not null)
        {
            LogReignOver(site, reign.Node, reign.Epoch);
            reign.End();
        }
    }

    private string? WhyClosed_NeedsLock()
    {
        if (_reign is null)
        {
            return "there is no primary";
        }

        if (_hold is not null || _handingOver)
        {
            return "a planned switchover is under way";
        }

        if (_app is null)
        {
            return "the primary's app is starting";
        }

        return _silent ? "the primary's app does not answer" : null;
    }

    /// <summary>Opens or closes after any change; on opening, all who wait go in, first come first.</summary>
    private void Settle_NeedsLock()
    {
        var before = _closed;
        _closed = WhyClosed_NeedsLock();
        if (_closed is not null)
        {
            if (before is null)
            {
                _closedSince = time.GetTimestamp();
            }

            if (_closed != before)
            {
                LogHolding(site, _closed);
            }

            return;
        }

        if (before is not null)
        {
            LogReleased(site, _waiting.Count, time.GetElapsedTime(_closedSince).TotalMilliseconds);
        }

        while (_waiting.First is { } first)
        {
            _waiting.RemoveFirst();
            first.Value.Admitted.SetResult(Admit_NeedsLock(first.Value.Traffic));
        }
    }

    private Passage Admit_NeedsLock(Traffic traffic)
    {
        _ = traffic switch
        {
            Traffic.Read => _reads++,
            Traffic.Write => _writes++,
            _ => _tunnels++,
        };
        return new Passage(this, _reign!, _app!, traffic);
    }

    private bool TryWithdraw(LinkedListNode<Waiter> place)
    {
        lock (_lock)
        {
            if (place.List is null)
            {
                return false;
            }

            _waiting.Remove(place);
            return true;
        }
    }

    private sealed class Waiter(Traffic traffic)
    {
        public Traffic Traffic => traffic;

        // Continuations must not run under the gate's lock.
        public TaskCompletionSource<Passage> Admitted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}

/// <param name="Closed">Why requests wait; null when they pass.</param>
internal sealed record GateStatus(string? Primary, ulong Epoch, ulong HighestEpoch, string? Closed, int Held, int InFlight, int Tunnels);
