using Mirror.Leadership.Membership;

namespace Mirror.Bench.Proxying;

/// <summary>A catalogue that knows what it is told.</summary>
internal sealed class ToldCatalogue : ICatalogue
{
    private readonly TaskCompletionSource _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ClusterSnapshot Current { get; private set; } = ClusterSnapshot.Empty;

    /// <summary>Once.</summary>
    public void Say(SiteHolding holding)
    {
        Current = new ClusterSnapshot(new Dictionary<string, ClusterMember>(), [holding]);
        _told.SetResult();
    }

    public async Task<ClusterSnapshot> ChangedSinceAsync(ClusterSnapshot seen, CancellationToken cancellation)
    {
        await (seen == Current && Current != ClusterSnapshot.Empty ? Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation) : _told.Task.WaitAsync(cancellation));
        return Current;
    }

    public Task PublishAsync(SiteHolding holding, CancellationToken cancellation) => Task.CompletedTask;
}
