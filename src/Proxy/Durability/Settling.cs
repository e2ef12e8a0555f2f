using Grpc.Core;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Proxy.Holding;

namespace Mirror.Proxy.Durability;

/// <summary>
/// Before the answer to a change goes out: its effects are to outlive the primary. The app has answered, so what it did is on the primary's disk; the primary captures and waits until
/// other nodes have it.
/// </summary>
internal sealed class Settling(PeerChannels peers, ProxyMetrics metrics, TimeProvider time)
{
    private static readonly TimeSpan pause = TimeSpan.FromMilliseconds(50);

    // The node answers in time by itself; this is for one that does not.
    private static readonly TimeSpan grace = TimeSpan.FromSeconds(1);

    /// <summary>The answer to such a request waits.</summary>
    public static bool Concerns(SiteConfig site, Traffic traffic, string path) =>
        site.Durability.Quorum && traffic == Traffic.Write && site.Durability.Paths.Any(prefix => path.StartsWith(prefix, StringComparison.Ordinal));

    /// <returns>False: others did not have it in time, or nobody who knows could be asked.</returns>
    /// <exception cref="RpcException">Who is asked is primary no more: nobody knows.</exception>
    /// <exception cref="OperationCanceledException">The reign has ended meanwhile, or the client is gone.</exception>
    public async Task<bool> WaitAsync(SiteConfig site, Reign reign, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        var settled = await AskAsync(site, reign, began, cancellation);
        metrics.Settled(site.Name, time.GetElapsedTime(began), settled);
        return settled;
    }

    // A node that cannot be reached may be dead while its app still answers, for a moment: then its reign ends soon, and that ends the waiting. Else it is asked again, which does no harm.
    private async Task<bool> AskAsync(SiteConfig site, Reign reign, long began, CancellationToken cancellation)
    {
        var client = new Node.Wire.Durability.DurabilityClient(peers.To(reign.Node));
        while (site.Durability.Within - time.GetElapsedTime(began) is var left && left > TimeSpan.Zero)
        {
            try
            {
                var request = new SettleRequest { Site = site.Name, Epoch = reign.Epoch, WithinMs = (uint)Math.Ceiling(left.TotalMilliseconds) };
                return (await client.SettleAsync(request, deadline: (time.GetUtcNow() + left + grace).UtcDateTime, cancellationToken: cancellation)).Settled;
            }
            catch (RpcException failure) when (failure.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded && !cancellation.IsCancellationRequested)
            {
                await Task.Delay(pause, time, cancellation);
            }
            catch (RpcException) when (cancellation.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancellation);
            }
        }

        return false;
    }
}

/// <summary>What is asked before one answer goes out; of one attempt, for it is the primary of that attempt who knows.</summary>
internal sealed class Seal(Settling settling, SiteConfig site, Reign reign)
{
    /// <summary>The app has answered, and others did not have what it did in time.</summary>
    public bool IsBroken { get; private set; }

    public async Task<bool> CloseAsync(CancellationToken cancellation)
    {
        IsBroken = !await settling.WaitAsync(site, reign, cancellation);
        return !IsBroken;
    }
}
