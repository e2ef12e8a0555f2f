using System.Threading.Channels;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Node.Channels;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Replica;

/// <summary>
/// Tells the primary what this replica holds, as soon as that changes: somebody may be waiting for it. One report at a time and always the newest state, so that none overtakes another; one that
/// did not arrive is said again.
/// </summary>
internal sealed partial class Reporter(
    string site, string node, PeerChannels peers, ICatalogue catalogue, Func<ReplicaState> state, Func<VersionId, bool> isProtected, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan within = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan again = TimeSpan.FromSeconds(1);

    // One word is as good as many: what is reported is read when it is sent.
    private readonly Channel<bool> news = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    // A report that was given up here may arrive there all the same, and after the next.
    private readonly string run = Guid.NewGuid().ToString("N");
    private ulong number;
    private volatile SiteHolding? followed;

    /// <summary>Who is told from now on. What gossip says at this or that moment would not do: it may know of no primary while one is followed.</summary>
    public void Follow(SiteHolding primary)
    {
        followed = primary;
        Say();
    }

    public void Say() => news.Writer.TryWrite(true);

    /// <summary>Ends when cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                await news.Reader.ReadAsync(cancellation);
                if (!await TryReportAsync(cancellation))
                {
                    await Task.Delay(again, time, cancellation);
                    Say();
                }
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The role is being left.
        }
    }

    // True when there is nothing to say again: it was heard, or nobody is there to hear it.
    private async Task<bool> TryReportAsync(CancellationToken cancellation)
    {
        if (followed is not { } primary || (catalogue.Current.PrimaryOf(site) is { } now && now.Epoch > primary.Epoch))
        {
            // Following the new one begins with a report to it.
            return true;
        }

        var held = state();
        var report = new HoldingReport
        {
            Site = site,
            Replica = node,
            Epoch = primary.Epoch,
            Stored = ToWire(held.Stored),
            Verified = ToWire(held.Verified?.Id ?? default),
            Warm = ToWire(held.Warm),
            Run = run,
            Number = ++number,
            Unprotected = !isProtected(held.Verified?.Id ?? default),
        };
        try
        {
            await new Replication.ReplicationClient(peers.To(primary.Node)).ReportAsync(
                report, deadline: (time.GetUtcNow() + within).UtcDateTime, cancellationToken: cancellation);
            return true;
        }
        catch (RpcException failure) when (!cancellation.IsCancellationRequested)
        {
            Log.NotHeard(logger, site, primary.Node, failure.Status.Detail);
            return false;
        }
        catch (RpcException)
        {
            return true;
        }
    }

    private static VersionPosition ToWire(VersionId id) => new() { Epoch = id.Epoch, Sequence = id.Sequence };

    private static partial class Log
    {
        [LoggerMessage(4003, LogLevel.Debug, "{Site}: {Primary} did not take the report, which is made again: {Reason}")]
        public static partial void NotHeard(ILogger logger, string site, string primary, string reason);
    }
}
