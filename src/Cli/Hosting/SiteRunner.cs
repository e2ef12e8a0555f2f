using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Replica;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>
/// One site on this node, from start to stop: it is in exactly one role at a time, and a role is a method it is inside of. A node that has a live tree of its own (the
/// first primary, or one that comes back) waits for its lease or for news of a successor; every other node follows and stands for election at the same time.
/// </summary>
internal sealed partial class SiteRunner(SiteContext context)
{
    private static readonly TimeSpan beginAgain = TimeSpan.FromSeconds(2);

    private readonly Lock gate = new();
    private PrimaryReign? reign;
    private CancellationTokenSource? standNow;

    public SiteContext Context => context;

    /// <summary>The reign, while this node is primary.</summary>
    public PrimaryReign? Reign
    {
        get
        {
            lock (gate)
            {
                return reign;
            }
        }
    }

    /// <summary>An operator's word: stand for election without waiting for better candidates. The votes still decide.</summary>
    public void StandNow()
    {
        lock (gate)
        {
            standNow?.Cancel();
        }
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                var won = HasOwnTree ? await AwaitLeaseAsync(stopping) : await FollowAsync(stopping);
                if (won is { } victory)
                {
                    await ReignAsync(victory.Lease, victory.Apps, stopping);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node is stopping.
        }
    }

    private sealed record Victory(Lease Lease, AppSet? Apps);

    // Capturing: it was primary. Or it is the one appointed to begin, and nothing was ever captured.
    private bool HasOwnTree => context.Store.Live is not null
        || (context.Store.Head is null && context.Site.Primary == context.Member.Name && context.Epochs.Highest(context.Site.Name) == 0);

    private Position Verified => SiteStatus.PositionOf(context.Store.Head?.Id ?? default);

    // A node with a live tree serves nothing until it holds the lease; when another reigns in a later epoch, it turns into a replica.
    private async Task<Victory?> AwaitLeaseAsync(CancellationToken stopping)
    {
        var store = context.Store;

        // On disk before the first lease: that this tree is the site's stays true when the lease is lost before anything was captured.
        if (store.Live is null && !await TryBeginAsync(stopping))
        {
            return null;
        }

        await context.Status.PublishAsync(
            SiteRole.Joining, store.Head?.Id.Epoch ?? 0, store.Head?.Id ?? default, store.Head, default, null, "has a live tree; waiting for the lease", stopping);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var winning = WinAsync(either.Token);
        var successor = SuccessorAsync(either.Token);
        var first = await Task.WhenAny(winning, successor);
        await either.CancelAsync();
        if (first == winning || await IsWonAsync(winning))
        {
            return new Victory(await winning, null);
        }

        var primary = await successor;
        await Retiring.RetireAsync(context, primary, stopping);
        return null;
    }

    // False after a while, or when another node turns out to be primary: then there is something to follow.
    private async Task<bool> TryBeginAsync(CancellationToken stopping)
    {
        try
        {
            await context.Store.BeginCapturingAsync(context.Site.Files.Root, stopping);
            return true;
        }
        catch (StoreException failure)
        {
            Log.CannotBegin(context.Logger, context.Site.Name, failure.Message);
            await context.Status.PublishAsync(SiteRole.Joining, 0, default, null, default, null, failure.Message, stopping);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            await Task.WhenAny(SuccessorAsync(either.Token), Task.Delay(beginAgain, context.Time, either.Token));
            await either.CancelAsync();
            return false;
        }
    }

    private async Task<Victory?> FollowAsync(CancellationToken stopping)
    {
        await context.Store.AdoptRootLinkAsync(context.Site.Files.Root, stopping);
        var replica = ReplicaRole.Enter(
            context.Site, context.Member.Name, context.Store, context.Apps, null, context.Peers, context.Catalogue, context.Epochs,
            PublishAsync, context.Status.IsProtected, context.Time, context.Logger);
        Lease lease;
        try
        {
            lease = await WinWhileFollowingAsync(replica, stopping);
        }
        catch
        {
            await replica.StopAsync();
            throw;
        }

        try
        {
            context.Status.Say($"elected for epoch {lease.Epoch}; applying what is stored");
            var apps = await replica.FinishAsync();
            return new Victory(lease, apps);
        }
        catch (StoreException failure)
        {
            // It holds the lease but cannot serve: better another node than a broken site.
            Log.CannotServe(context.Logger, context.Site.Name, lease.Epoch, failure.Message);
            await lease.GiveBackAsync(null, stopping);
            await lease.DisposeAsync();
            return null;
        }

        Task PublishAsync(ReplicaState state) => context.Status.PublishAsync(
            SiteRole.Replica, null, state.Stored, state.Verified, state.Warm, state.Apps, state.Sentence, CancellationToken.None);
    }

    private async Task<Lease> WinWhileFollowingAsync(ReplicaRole replica, CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var winning = WinAsync(either.Token);
        var fault = replica.FaultAsync();
        if (await Task.WhenAny(winning, fault) == winning)
        {
            return await winning;
        }

        await either.CancelAsync();
        if (await IsWonAsync(winning))
        {
            var lease = await winning;
            await lease.GiveBackAsync(null, stopping);
            await lease.DisposeAsync();
        }

        await fault;
        throw new InvalidOperationException("The replica's loops ended without anybody ending them.");
    }

    private async Task ReignAsync(Lease lease, AppSet? apps, CancellationToken stopping)
    {
        await using (lease)
        {
            var entered = await PrimaryReign.EnterAsync(context, lease, apps, stopping);
            if (entered is null)
            {
                return;
            }

            lock (gate)
            {
                reign = entered;
            }

            try
            {
                await entered.RunAsync();
            }
            finally
            {
                lock (gate)
                {
                    reign = null;
                }

                await entered.DisposeAsync();
            }
        }
    }

    // Wins by itself, or at once when an operator says so.
    private async Task<Lease> WinAsync(CancellationToken cancellation)
    {
        using var word = new CancellationTokenSource();
        lock (gate)
        {
            standNow = word;
        }

        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, word.Token);
            try
            {
                return await context.Election.WinAsync(() => Verified, context.Status.Say, either.Token);
            }
            catch (OperationCanceledException) when (word.IsCancellationRequested && !cancellation.IsCancellationRequested)
            {
                return await context.Election.StandNowAsync(() => Verified, context.Status.Say, cancellation);
            }
        }
        finally
        {
            lock (gate)
            {
                standNow = null;
            }
        }
    }

    private async Task<SiteHolding> SuccessorAsync(CancellationToken cancellation)
    {
        var own = context.Store.Head?.Id.Epoch ?? 0;
        var snapshot = context.Catalogue.Current;
        while (true)
        {
            if (snapshot.PrimaryOf(context.Site.Name) is { Role: SiteRole.Primary } primary && primary.Node != context.Member.Name && primary.Epoch > own
                && context.Epochs.Admit(context.Site.Name, primary.Epoch))
            {
                return primary;
            }

            snapshot = await context.Catalogue.ChangedSinceAsync(snapshot, cancellation);
        }
    }

    private static async Task<bool> IsWonAsync(Task<Lease> winning)
    {
        try
        {
            await winning;
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(7002, LogLevel.Error, "{Site}: this node is to be its first primary and cannot begin: {Reason}")]
        public static partial void CannotBegin(ILogger logger, string site, string reason);

        [LoggerMessage(7001, LogLevel.Error, "{Site}: elected for epoch {Epoch}, but cannot serve, and gives the lease back: {Reason}")]
        public static partial void CannotServe(ILogger logger, string site, ulong epoch, string reason);
    }
}
