using Mirror.Leadership.Membership;

namespace Mirror.Leadership.Tests.Voting;

/// <summary>A catalogue that says what the test tells it.</summary>
internal sealed class HandCatalogue : ICatalogue
{
    private TaskCompletionSource changed = new();

    public ClusterSnapshot Current { get; private set; } = ClusterSnapshot.Empty;

    public void Say(ClusterSnapshot snapshot)
    {
        Current = snapshot;
        var signal = changed;
        changed = new();
        signal.SetResult();
    }

    public async Task<ClusterSnapshot> ChangedSinceAsync(ClusterSnapshot seen, CancellationToken cancellation)
    {
        var next = changed.Task;
        if (ReferenceEquals(Current, seen))
        {
            await next.WaitAsync(cancellation);
        }

        return Current;
    }

    public Task PublishAsync(SiteHolding holding, CancellationToken cancellation) => throw new NotSupportedException();
}
