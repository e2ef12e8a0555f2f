using Mirror.Node.Consul;

namespace Mirror.Node.Processes;

/// <summary>
/// The last will where Consul is the arbiter: frees the lock, says in its record that it was given back, and takes the site's service of the dead node out of Consul's answers. Whoever knows the
/// session may do so, and only the node told its guard.
/// </summary>
internal sealed class LockWill(HeldLock held, TimeProvider time) : IDisposable
{
    // Made when the node takes the lock: what the client needs is loaded and dialled before it matters.
    private readonly Lazy<ConsulClient> _consul = new(() => new ConsulClient(held.Agent, time));
    private Task _prepared = Task.CompletedTask;
    private bool _isFree;

    public HeldLock Held => held;

    public void Prepare(TimeSpan within) => _prepared = Task.Run(async () =>
    {
        using var limit = new CancellationTokenSource(within, time);
        try
        {
            await _consul.Value.LeaderAsync(limit.Token);
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException)
        {
            // The node, which speaks to the same agent, has said so.
        }
    });

    /// <returns>False when it may be tried again.</returns>
    public async Task<bool> TellAsync(TimeSpan within)
    {
        using var limit = new CancellationTokenSource(within, time);
        try
        {
            if (!_isFree)
            {
                await LockRelease.RunAsync(_consul.Value, held.Key, held.Session, null, limit.Token);
                _isFree = true;
            }

            await _consul.Value.CloseSessionAsync(held.Session, limit.Token);
            await _consul.Value.DeregisterAsync(held.Service, limit.Token);
            return true;
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException)
        {
            return false; // Nobody is left to be told: the node is dead, and has its own log.
        }
    }

    // The deciding thread of a guard waits for nobody.
    public void Dispose() => _prepared.ContinueWith(
        _ =>
        {
            if (_consul.IsValueCreated)
            {
                _consul.Value.Dispose();
            }
        },
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
}
