using Mirror.Leadership.Core;
using Mirror.Node.Consul;

namespace Mirror.Leadership.Voting;

/// <summary>The right to be primary of a site in one epoch, while whoever granted it renews it.</summary>
public sealed class Lease(string site, ulong epoch, ILeaseKeeper keeper) : IAsyncDisposable
{
    public string Site => site;

    public ulong Epoch => epoch;

    /// <summary>Cancelled a margin before the lease could run out anywhere: from then on nothing may be written.</summary>
    public CancellationToken Lost => keeper.Lost;

    /// <summary>Asks the clock, so that it is right also when the timer behind <see cref="Lost"/> is late, as after a pause of the whole process.</summary>
    public bool IsHeld => keeper.IsHeld;

    /// <summary>How long it lasts as far as is known now; each renewal moves it on.</summary>
    public LeaseSpan Span => keeper.Span;

    /// <summary>Where an arbiter remembers what is consistent; null where votes protect it.</summary>
    public IConsistencyMark? Mark => keeper.Mark;

    /// <summary>What the guard frees when this node dies; null where it tells voters.</summary>
    public HeldLock? Lock => keeper.Lock;

    /// <summary>Gives the lease back; with a successor, only that node can be granted the next epoch for one lease. The right ends with the call.</summary>
    public Task GiveBackAsync(string? successor, CancellationToken cancellation) => keeper.GiveBackAsync(successor, cancellation);

    /// <summary>Stops renewing, without giving back. The right ends with the call.</summary>
    public ValueTask DisposeAsync() => keeper.DisposeAsync();
}

/// <summary>The end of a lease, as whoever must keep it needs it.</summary>
/// <param name="Until">Monotonic time, counted from timestamp 0, from which on nothing may be begun.</param>
/// <param name="Grace">So much later it must be over: what is left of the margin is for clocks that run at different speeds.</param>
public readonly record struct LeaseSpan(TimeSpan Until, TimeSpan Grace);

/// <summary>What keeps a lease alive: a majority of voters, or another arbiter.</summary>
public interface ILeaseKeeper : IAsyncDisposable
{
    CancellationToken Lost { get; }

    bool IsHeld { get; }

    LeaseSpan Span { get; }

    IConsistencyMark? Mark => null;

    HeldLock? Lock => null;

    Task GiveBackAsync(string? successor, CancellationToken cancellation);
}

/// <summary>An arbiter's memory of the newest consistent version. Nobody who lacks it is appointed: so a version is called consistent only once it stands there.</summary>
public interface IConsistencyMark
{
    /// <summary>What is known to stand there; default when nothing does.</summary>
    Position Current { get; }

    /// <summary>Returns true when a version stands there, or a newer one. False when that is not certain: it may be tried again, while the lease lasts.</summary>
    Task<bool> RaiseAsync(Position version, CancellationToken cancellation);
}
