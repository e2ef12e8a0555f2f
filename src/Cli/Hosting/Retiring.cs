using Grpc.Core;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Node.Processes;
using Mirror.Node.Wire;
using Mirror.Primary.Capture;
using Mirror.Primary.Retire;
using Mirror.Replica.Warm;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>A node that was primary and finds a successor: keeps what diverged, and becomes able to follow.</summary>
internal static partial class Retiring
{
    private static readonly TimeSpan pause = TimeSpan.FromSeconds(2);

    public static async Task RetireAsync(SiteContext context, SiteHolding successor, CancellationToken cancellation)
    {
        var store = context.Store;
        var site = context.Site;
        while (true)
        {
            try
            {
                var live = store.Live ?? await store.BeginCapturingAsync(site.Files.Root, cancellation);
                var ancestry = await AncestryAsync(context, successor, cancellation);
                var retirement = await FormerPrimary.RetireAsync(
                    site, context.Member.Name, store, live, context.Spool, ancestry, context.Time, context.Logger, cancellation);
                context.Status.Say(retirement.Sentence);
                await PutEventsToSleepAsync(context, live, cancellation);
                return;
            }
            catch (Exception failure) when (failure is RpcException or CaptureException or StoreException or IOException)
            {
                Log.Postponed(context.Logger, site.Name, successor.Node, failure is RpcException call ? call.Status.Detail : failure.Message);
                context.Status.Say($"cannot follow {successor.Node} yet: {failure.Message}");
                await Task.Delay(pause, context.Time, cancellation);
            }
        }
    }

    // What the former primary's databases would go on doing by themselves is the new one's to do.
    private static async Task PutEventsToSleepAsync(SiteContext context, LiveTree live, CancellationToken cancellation)
    {
        try
        {
            await MariaDbEvents.PutToSleepAsync(context.Site, live.Tree, live.Slot, context.Time, cancellation);
        }
        catch (ToolException failure)
        {
            Log.EventsRun(context.Logger, context.Site.Name, failure.Message);
        }
    }

    private static async Task<IReadOnlyDictionary<VersionId, ContentHash>> AncestryAsync(SiteContext context, SiteHolding successor, CancellationToken cancellation)
    {
        var client = new Replication.ReplicationClient(context.Peers.To(successor.Node));
        var request = new ListVersionsRequest { Site = context.Site.Name, Epoch = successor.Epoch };
        var list = await client.ListVersionsAsync(request, deadline: context.Time.GetUtcNow().UtcDateTime.AddSeconds(10), cancellationToken: cancellation);
        return list.Versions
            .Where(version => version.Root.Length == ContentHash.Length && !version.Note.StartsWith("diverged", StringComparison.Ordinal))
            .ToDictionary(version => new VersionId(version.Id.Epoch, version.Id.Sequence), version => ContentHash.From(version.Root.Span));
    }

    private static partial class Log
    {
        [LoggerMessage(7011, LogLevel.Error, "{Site}: this node is primary no more, and the events of its former database may still run, because they could not be disabled: {Reason} Run ALTER EVENT … DISABLE there")]
        public static partial void EventsRun(ILogger logger, string site, string reason);

        [LoggerMessage(7010, LogLevel.Warning, "{Site}: cannot follow {Successor} yet, and tries again: {Reason}")]
        public static partial void Postponed(ILogger logger, string site, string successor, string reason);
    }
}
