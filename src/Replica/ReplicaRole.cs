using Grpc.Core;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Replica.Apply;
using Mirror.Replica.Receive;
using Mirror.Replica.Warm;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Replica;

/// <summary>Where a replica stands.</summary>
public sealed record ReplicaState(VersionId Stored, VersionRecord? Verified, VersionId Warm, AppSet? Apps, string Sentence);

/// <summary>
/// Being a replica of one site: two loops. One receives packs from whoever is the lawful primary; the other applies them, loads databases, boots the apps and flips.
/// So receiving never waits for a boot, and many small versions share one. Entering starts the loops; <see cref="StopAsync"/> ends them and hands the running apps on.
/// </summary>
public sealed partial class ReplicaRole
{
    private static readonly TimeSpan firstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan longestPause = TimeSpan.FromSeconds(3);

    private readonly SiteConfig site;
    private readonly string node;
    private readonly VersionStore store;
    private readonly PeerChannels peers;
    private readonly ICatalogue catalogue;
    private readonly IEpochGate epochs;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Func<ReplicaState, Task> changed;
    private readonly Inbox inbox;
    private readonly Applier applier;
    private readonly CancellationTokenSource receiving = new();
    private readonly Task receiveLoop;
    private readonly Task applyLoop;
    private readonly Reporter reporter;
    private readonly CancellationTokenSource reporting = new();
    private readonly Task reportLoop;
    private volatile string sentence = "waiting for a primary";

    private ReplicaRole(
        SiteConfig site, string node, VersionStore store, SiteApps apps, AppSet? running, PeerChannels peers, ICatalogue catalogue, IEpochGate epochs,
        Func<ReplicaState, Task> changed, Func<VersionId, bool> isProtected, TimeProvider time, ILogger logger)
    {
        this.site = site;
        this.node = node;
        this.store = store;
        this.peers = peers;
        this.catalogue = catalogue;
        this.epochs = epochs;
        this.changed = changed;
        this.time = time;
        this.logger = logger;
        inbox = new Inbox(store.InboxDirectory, store.Head);
        applier = new Applier(site, store, inbox, new Warmer(site, store, apps, running, time, logger), PublishAsync, time, logger);
        reporter = new Reporter(site.Name, node, peers, catalogue, () => State, isProtected, time, logger);
        reportLoop = reporter.RunAsync(reporting.Token);
        applyLoop = applier.RunAsync();
        receiveLoop = ReceiveAsync(receiving.Token);
    }

    /// <param name="running">Apps that run already on the current slot, when this node was primary a moment ago or the apps survived.</param>
    /// <param name="changed">Told after every change of state; awaited, so that what it spreads is spread before an old app is stopped.</param>
    /// <param name="isProtected">Whether this node's vote keeps everybody out who lacks a version that is held here.</param>
    public static ReplicaRole Enter(
        SiteConfig site, string node, VersionStore store, SiteApps apps, AppSet? running, PeerChannels peers, ICatalogue catalogue, IEpochGate epochs,
        Func<ReplicaState, Task> changed, Func<VersionId, bool> isProtected, TimeProvider time, ILogger logger) =>
        new(site, node, store, apps, running, peers, catalogue, epochs, changed, isProtected, time, logger);

    public ReplicaState State => new(inbox.Stored.Id, store.Head, applier.Warm, applier.Apps, sentence);

    /// <summary>Completes only when something nobody foresaw has ended a loop, with that exception: a replica that stands still must not look like one that follows.</summary>
    public async Task FaultAsync()
    {
        await await Task.WhenAny(receiveLoop, applyLoop, reportLoop);
        await Task.WhenAll(receiveLoop, applyLoop, reportLoop);
    }

    /// <summary>
    /// For promotion: receives no more, applies all that is stored, warms it, and hands over the running apps. What was acknowledged is then not only here but applied.
    /// </summary>
    /// <exception cref="StoreException">What is stored could not be applied.</exception>
    /// <exception cref="AppUnhealthyException">The newest version does not boot.</exception>
    public async Task<AppSet?> FinishAsync()
    {
        await receiving.CancelAsync();
        await receiveLoop;
        try
        {
            return await applier.FinishAsync(applyLoop);
        }
        finally
        {
            await reporting.CancelAsync();
            await reportLoop;
        }
    }

    /// <summary>Stops both loops where they are and the apps too.</summary>
    public async Task StopAsync()
    {
        await receiving.CancelAsync();
        await receiveLoop;
        try
        {
            await applier.AbortAsync(applyLoop);
        }
        finally
        {
            await reporting.CancelAsync();
            await reportLoop;
        }
    }

    private async Task ReceiveAsync(CancellationToken cancellation)
    {
        var pause = firstPause;
        try
        {
            while (true)
            {
                var snapshot = catalogue.Current;
                if (snapshot.PrimaryOf(site.Name) is not { } primary || primary.Node == node || !epochs.Admit(site.Name, primary.Epoch))
                {
                    sentence = "waiting for a primary";
                    await catalogue.ChangedSinceAsync(snapshot, cancellation);
                    continue;
                }

                try
                {
                    await FollowAsync(primary, snapshot, cancellation);
                    pause = firstPause;
                }
                catch (Exception failure) when (!cancellation.IsCancellationRequested && IsForeseen(failure))
                {
                    sentence = $"the stream from {primary.Node} ended: {Reason(failure)}";
                    Log.StreamEnded(logger, site.Name, primary.Node, Reason(failure));
                    await PauseAsync(snapshot, pause, cancellation);
                    pause = pause * 2 < longestPause ? pause * 2 : longestPause;
                }
            }
        }
        catch (Exception failure) when (cancellation.IsCancellationRequested && IsForeseen(failure))
        {
            // The role is being left, and that ends a stream in many ways.
        }
    }

    private static bool IsForeseen(Exception failure) =>
        failure is RpcException or IOException or StoreException or InvalidDataException or TimeoutException or Store.Packs.PackFormatException or OperationCanceledException;

    private async Task FollowAsync(SiteHolding primary, ClusterSnapshot snapshot, CancellationToken cancellation)
    {
        using var reign = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var client = new Replication.ReplicationClient(peers.To(primary.Node));
        var receiver = new Receiver(site.Name, node, client, primary.Epoch, inbox, Received, time);
        var superseded = WatchAsync(primary, snapshot, reign);
        try
        {
            sentence = $"following {primary.Node} in epoch {primary.Epoch}";
            // Said at once: where nothing changes, no version would carry the news.
            reporter.Follow(primary);
            await PublishAsync();
            if (applier.FillNeeded.IsCancellationRequested || await FollowUntilUnusableAsync(receiver, reign.Token) == FollowOutcome.NeedsFill)
            {
                // The head must not move under the list of what is at hand.
                var atHand = await applier.HoldStillAsync(reign.Token);
                Log.Filling(logger, site.Name, primary.Node, atHand.Entries.Count);
                applier.Filling();
                try
                {
                    await receiver.FillAsync(atHand, reign.Token);
                }
                catch
                {
                    await applier.FillFailedAsync();
                    throw;
                }
            }
        }
        finally
        {
            await reign.CancelAsync();
            await superseded;
        }

        void Received()
        {
            applier.Wake();

            // What is stored is safe, and somebody may be waiting to hear just that: not only when it is applied.
            reporter.Say();
        }
    }

    private async Task<FollowOutcome> FollowUntilUnusableAsync(Receiver receiver, CancellationToken cancellation)
    {
        var unusable = applier.FillNeeded;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, unusable);
        try
        {
            return await receiver.FollowAsync(either.Token);
        }
        catch (Exception failure) when (failure is OperationCanceledException or RpcException && unusable.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            return FollowOutcome.NeedsFill;
        }
    }

    // A stream of an old epoch ends as soon as a newer one is known.
    private async Task WatchAsync(SiteHolding primary, ClusterSnapshot snapshot, CancellationTokenSource reign)
    {
        try
        {
            while (snapshot.PrimaryOf(site.Name) is not { } now || (now.Node == primary.Node && now.Epoch == primary.Epoch))
            {
                snapshot = await catalogue.ChangedSinceAsync(snapshot, reign.Token);
            }

            await reign.CancelAsync();
        }
        catch (OperationCanceledException) when (reign.IsCancellationRequested)
        {
            // Following ended first.
        }
    }

    private async Task PauseAsync(ClusterSnapshot seen, TimeSpan pause, CancellationToken cancellation)
    {
        using var patient = new CancellationTokenSource(pause, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patient.Token, cancellation);
        try
        {
            var primary = seen.PrimaryOf(site.Name);
            while (seen.PrimaryOf(site.Name) is { } now && now.Node == primary?.Node && now.Epoch == primary.Epoch)
            {
                seen = await catalogue.ChangedSinceAsync(seen, either.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Time to try again.
        }
    }

    private Task PublishAsync()
    {
        // The primary first: gossip says the same to everybody, a little later.
        reporter.Say();
        return changed(State);
    }

    private static string Reason(Exception failure) => failure is RpcException call ? $"{call.StatusCode}: {call.Status.Detail}" : failure.Message;

    private static partial class Log
    {
        [LoggerMessage(4001, LogLevel.Information, "{Site}: the stream from {Primary} ended: {Reason}")]
        public static partial void StreamEnded(ILogger logger, string site, string primary, string reason);

        [LoggerMessage(4002, LogLevel.Information, "{Site}: asking {Primary} for what is lacking; {Entries} entries are at hand")]
        public static partial void Filling(ILogger logger, string site, string primary, int entries);
    }
}
