namespace Mirror.Node.Apps;

/// <summary>Running, healthy apps of one site on one tree.</summary>
public sealed class AppSet : IAsyncDisposable
{
    private readonly IReadOnlyList<BootedApp> _apps;
    private readonly TaskCompletionSource<string> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private Task? _stopping;

    internal AppSet(string tree, IReadOnlyList<BootedApp> apps)
    {
        Tree = tree;
        _apps = apps;
        Address = apps.Count > 0 ? apps[0].Address : null;
        ProcessIds = [.. apps.Select(app => app.Process.ProcessId)];
        foreach (var app in apps)
        {
            _ = WatchAsync(app);
        }
    }

    /// <summary>Where the first app answers, e.g. <c>http://10.0.0.1:20001</c>; null for a site without apps.</summary>
    public string? Address { get; }

    public string Tree { get; }

    public IReadOnlyList<int> ProcessIds { get; }

    /// <summary>Completes when any app ends on its own, with a sentence about it; never, when they are stopped here.</summary>
    public Task<string> Failed => _failed.Task;

    /// <summary>Stops all, gracefully, the last started first; idempotent.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _stopping ??= StopAsync(_apps);
            return new(_stopping);
        }
    }

    internal static async Task StopAsync(IReadOnlyList<BootedApp> apps)
    {
        foreach (var app in apps.Reverse())
        {
            await app.Process.StopAsync(CancellationToken.None);
            AppPorts.GiveBack(app.Port);
        }
    }

    private async Task WatchAsync(BootedApp app)
    {
        await app.Process.Exited;
        lock (_lock)
        {
            if (_stopping is null)
            {
                _failed.TrySetResult(app.Obituary());
            }
        }
    }
}
