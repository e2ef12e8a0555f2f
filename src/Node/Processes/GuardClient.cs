namespace Mirror.Node.Processes;

/// <summary>
/// The node's side of the guard: apps are children of a tiny separate process (<c>mirror guard</c>), which stops them all when the node's heartbeat on its pipe ends or
/// stalls. So a killed or hung node cannot leave an app writing. A guard that was lost (killed, or because this process was stopped for long) has taken its apps with it; the
/// next app started gets a new one.
/// </summary>
public sealed class GuardClient : IAsyncDisposable
{
    private readonly IReadOnlyList<string> _command;
    private readonly TimeSpan _stall;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private GuardLink _link;
    private TimeSpan _longestGrace;
    private bool _disposed;

    private GuardClient(IReadOnlyList<string> command, TimeSpan stall, TimeProvider time, GuardLink link)
    {
        _command = command;
        _stall = stall;
        _time = time;
        _link = link;
    }

    /// <param name="command">How to start the guard, e.g. <c>[mirror, guard]</c>.</param>
    /// <param name="stall">Silence after which the guard stops everything. No app outlives the last heartbeat by more than twice that, so a lease must be longer.</param>
    /// <exception cref="GuardException">It cannot be started or does not answer.</exception>
    public static async Task<GuardClient> StartAsync(IReadOnlyList<string> command, TimeSpan stall, TimeProvider time, CancellationToken cancellation) =>
        new(command, stall, time, await GuardLink.StartAsync(command, stall, time, cancellation));

    /// <summary>Process id of the guard.</summary>
    public int ProcessId => _link.ProcessId;

    /// <exception cref="AppStartException">The program does not exist or cannot be run.</exception>
    /// <exception cref="GuardException">The guard was lost and no new one can be started.</exception>
    public async Task<RunningApp> StartAppAsync(AppLaunch launch, CancellationToken cancellation)
    {
        var link = await LinkAsync(launch.StopWithin, cancellation);
        return await link.StartAppAsync(launch, cancellation);
    }

    /// <summary>Stops all apps and the guard.</summary>
    public async ValueTask DisposeAsync()
    {
        await _gate.WaitAsync();
        try
        {
            if (!_disposed)
            {
                _disposed = true;
                await _link.QuitAsync(_longestGrace);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<GuardLink> LinkAsync(TimeSpan grace, CancellationToken cancellation)
    {
        await _gate.WaitAsync(cancellation);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_link.Lost.IsCompleted)
            {
                _link = await GuardLink.StartAsync(_command, _stall, _time, cancellation);
            }

            _longestGrace = grace > _longestGrace ? grace : _longestGrace;
            return _link;
        }
        finally
        {
            _gate.Release();
        }
    }
}
