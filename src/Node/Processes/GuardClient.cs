using System.Collections.Concurrent;

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
    private readonly GuardedNode? _node;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, SiteHold> _holds = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _gate = new(1, 1);
    private volatile GuardLink _link;
    private TimeSpan _longestGrace;
    private bool _disposed;

    private GuardClient(IReadOnlyList<string> command, TimeSpan stall, GuardedNode? node, TimeProvider time, GuardLink link)
    {
        _command = command;
        _stall = stall;
        _node = node;
        _time = time;
        _link = link;
    }

    /// <param name="command">How to start the guard, e.g. <c>[mirror, guard]</c>.</param>
    /// <param name="stall">Silence after which the guard stops everything. No app outlives the last heartbeat by more than twice that, so a lease must be longer.</param>
    /// <param name="node">In whose name the guard gives leases back when this process has died; null: it lets them run out.</param>
    /// <exception cref="GuardException">It cannot be started or does not answer.</exception>
    public static async Task<GuardClient> StartAsync(
        IReadOnlyList<string> command, TimeSpan stall, TimeProvider time, CancellationToken cancellation, GuardedNode? node = null) =>
        new(command, stall, node, time, await GuardLink.StartAsync(command, stall, node, time, cancellation));

    /// <summary>Process id of the guard.</summary>
    public int ProcessId => _link.ProcessId;

    /// <exception cref="AppStartException">The program does not exist or cannot be run.</exception>
    /// <exception cref="GuardException">The guard was lost and no new one can be started.</exception>
    public async Task<RunningApp> StartAppAsync(AppLaunch launch, CancellationToken cancellation)
    {
        var link = await LinkAsync(launch.StopWithin, cancellation);
        return await link.StartAppAsync(launch, cancellation);
    }

    /// <summary>From now on the apps of a site, those that run and those to come, are not to outlive a lease. Told anew at each renewal.</summary>
    public void Hold(SiteHold hold)
    {
        _holds[hold.Site] = hold;
        _link.Hold(hold);
    }

    /// <summary>The apps of a site hang on no lease any more.</summary>
    public void Release(string site)
    {
        _holds.TryRemove(site, out _);
        _link.Release(site);
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
                var link = await GuardLink.StartAsync(_command, _stall, _node, _time, cancellation);
                foreach (var hold in _holds.Values)
                {
                    link.Hold(hold);
                }

                _link = link;
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
