using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>A catalogue that says what the test says.</summary>
internal sealed class FakeCatalogue : ICatalogue
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Site, string Node), SiteHolding> _holdings = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ClusterSnapshot _current = ClusterSnapshot.Empty;
    private Exception? _failure;

    public ClusterSnapshot Current
    {
        get
        {
            lock (_lock)
            {
                return _current;
            }
        }
    }

    public async Task<ClusterSnapshot> ChangedSinceAsync(ClusterSnapshot seen, CancellationToken cancellation)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_failure is { } failure)
                {
                    _failure = null;
                    throw failure;
                }

                if (_current != seen)
                {
                    return _current;
                }

                changed = _changed.Task;
            }

            await changed.WaitAsync(cancellation);
        }
    }

    public Task PublishAsync(SiteHolding holding, CancellationToken cancellation)
    {
        Say(holding);
        return Task.CompletedTask;
    }

    /// <summary>All in one change, so that nobody sees a state in between.</summary>
    public void Say(params SiteHolding[] holdings) => Change(() =>
    {
        foreach (var holding in holdings)
        {
            _holdings[(holding.Site, holding.Node)] = holding;
        }
    });

    public void Forget(string node) => Change(() =>
    {
        foreach (var key in _holdings.Keys.Where(key => key.Node == node).ToList())
        {
            _holdings.Remove(key);
        }
    });

    /// <summary>The next who waits for a change gets this instead.</summary>
    public void FailOnce(Exception failure) => Change(() => _failure = failure);

    public static SiteHolding Primary(string node, ulong epoch, string? app, SiteRole role = SiteRole.Primary, int newest = 100) =>
        new("wiki", node, role, epoch, new Position(epoch, 9), new Position(epoch, 9), new Position(epoch, 9), app, At(newest), "", []);

    public static SiteHolding Replica(string node, ulong epoch, string? app, ulong sequence = 9, int newest = 100) =>
        new("wiki", node, SiteRole.Replica, epoch, new Position(epoch, sequence), new Position(epoch, sequence), new Position(epoch, sequence), app, At(newest), "", []);

    private static DateTimeOffset At(int second) => DateTimeOffset.UnixEpoch.AddSeconds(second);

    private void Change(Action change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            change();
            _current = new ClusterSnapshot(new Dictionary<string, ClusterMember>(), [.. _holdings.Values]);
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.SetResult();
    }
}
