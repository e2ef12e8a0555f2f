using Mirror.Leadership.Core;

namespace Mirror.Leadership.Voting;

/// <summary>The right to be primary of a site in one epoch, while a majority of voters renews it.</summary>
public sealed class Lease : IAsyncDisposable
{
    public string Site => throw new NotImplementedException();
    public ulong Epoch => throw new NotImplementedException();

    /// <summary>Cancelled a margin before the lease could run out anywhere: from then on nothing may be written.</summary>
    public CancellationToken Lost => throw new NotImplementedException();

    /// <summary>Gives the lease back to the voters; with a successor, only that node can be granted the next epoch for one lease.</summary>
    public Task GiveBackAsync(string? successor, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Stops renewing, without giving back.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

/// <summary>This node's part in appointing the primary of one site.</summary>
public interface IElection
{
    /// <summary>Waits until this node should stand (lease of the last holder run out or given back, best candidate, rules met), stands, and returns when a majority granted the epoch.</summary>
    /// <param name="verified">Newest version this node holds applied, read at each turn.</param>
    /// <param name="decided">One sentence a turn: what was decided and why.</param>
    Task<Lease> WinAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation);

    /// <summary>Stands now, on an operator's word: the usual wait for the best candidate is skipped, the votes are not.</summary>
    Task<Lease> StandNowAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation);
}

/// <summary>The highest epoch seen per site, on disk (fsync): every receiver refuses lower ones, also after a restart.</summary>
public interface IEpochGate
{
    ulong Highest(string site);

    /// <summary>False when the epoch is lower than the highest seen; otherwise remembers it, durably before returning.</summary>
    bool Admit(string site, ulong epoch);
}
