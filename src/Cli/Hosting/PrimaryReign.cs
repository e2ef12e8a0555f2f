using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Primary;
using Mirror.Primary.Capture;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>
/// Being primary, as seen by the node: the lease, the live tree, the apps that may write to it, and the capturing role. It ends when the lease is lost (the apps are
/// stopped at once), when it is handed over, or when the node stops.
/// </summary>
internal sealed partial class PrimaryReign : IAsyncDisposable
{
    private static readonly TimeSpan farewell = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan reviveAfter = TimeSpan.FromMilliseconds(500);

    private readonly SiteContext context;
    private readonly Lease lease;
    private readonly LiveTree live;
    private readonly PrimaryRole role;
    private readonly TaskCompletionSource handedOver = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AppSet? apps;
    private SiteRole shown = SiteRole.Primary;
    private int handingOver;

    private PrimaryReign(SiteContext context, Lease lease, LiveTree live, PrimaryRole role, AppSet? apps)
    {
        this.context = context;
        this.lease = lease;
        this.live = live;
        this.role = role;
        this.apps = apps;
    }

    public Lease Lease => lease;

    public PrimaryRole Role => role;

    /// <summary>Null when the reign ended before it began: the lease was lost meanwhile, or the apps do not run on the live tree.</summary>
    public static async Task<PrimaryReign?> EnterAsync(SiteContext context, Lease lease, AppSet? running, CancellationToken stopping)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost);
        var site = context.Site;
        var store = context.Store;
        var apps = running;
        try
        {
            context.Epochs.Admit(site.Name, lease.Epoch);
            var live = store.Live
                ?? (store.Head is null ? await store.BeginCapturingAsync(site.Files.Root, limit.Token) : await store.BeginCapturingAsync(limit.Token));
            if (apps is null && site.Apps.Count > 0)
            {
                apps = await context.Apps.BootAsync(live.Tree, live.Slot, "primary", SlotDatabases.Of(site, live.Tree, live.Slot), limit.Token);
            }

            // Users first: the app may write from here on, and requests that wait at the proxies go to it; then the first capture of the reign.
            var sentence = $"primary in epoch {lease.Epoch}";
            await context.Status.PublishAsync(
                SiteRole.Primary, lease.Epoch, store.Head?.Id ?? default, store.Head, store.Head?.Id ?? default, apps, sentence, limit.Token);
            var role = await PrimaryRole.EnterAsync(
                site, context.Member.Name, lease.Epoch, store, live, context.Spool, context.Time, context.Logger, limit.Token);
            context.Served.Enter(site.Name, role);
            Log.Entered(context.Logger, site.Name, lease.Epoch, live.Tree);
            return new PrimaryReign(context, lease, live, role, apps);
        }
        catch (Exception failure) when (failure is AppUnhealthyException or StoreException or OperationCanceledException)
        {
            if (apps is not null)
            {
                await apps.DisposeAsync();
            }

            stopping.ThrowIfCancellationRequested();
            Log.NotEntered(context.Logger, site.Name, lease.Epoch, failure.Message);
            context.Status.Say($"could not serve epoch {lease.Epoch}: {failure.Message}");
            await context.Status.PublishAsync(
                SiteRole.Fenced, lease.Epoch, store.Head?.Id ?? default, store.Head, default, null, $"could not serve: {failure.Message}", CancellationToken.None);
            await lease.GiveBackAsync(null, CancellationToken.None);
            return null;
        }
    }

    public async Task RunAsync(CancellationToken stopping)
    {
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var onLost = lease.Lost.Register(() => lost.TrySetResult());
        await using var onStop = stopping.Register(() => lost.TrySetResult());
        var seen = default(VersionId);
        while (!lost.Task.IsCompleted && !handedOver.Task.IsCompleted)
        {
            if (shown == SiteRole.Primary)
            {
                await PublishAsync($"primary in epoch {lease.Epoch}");
            }

            seen = role.Newest?.Id ?? default;
            using var turn = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost);
            var newer = role.NewerThanAsync(seen, turn.Token);
            var ended = shown == SiteRole.Primary && apps is not null ? apps.Failed : null;
            var first = await Task.WhenAny([lost.Task, handedOver.Task, role.Watching, newer, .. ended is null ? Array.Empty<Task>() : [ended]]);
            await turn.CancelAsync();
            if (first == role.Watching)
            {
                await role.Watching;
            }

            if (first == ended)
            {
                await ReviveAsync(await ended!, stopping);
            }
        }

        if (handedOver.Task.IsCompletedSuccessfully)
        {
            return;
        }

        if (stopping.IsCancellationRequested && !lease.Lost.IsCancellationRequested)
        {
            await LeaveInOrderAsync();
        }
        else
        {
            // Nothing may be written from here on; the app stops before anything else is done.
            await StopAppsAsync();
            Log.LeaseLost(context.Logger, context.Site.Name, lease.Epoch);
            await PublishAsync($"the lease of epoch {lease.Epoch} could not be renewed by a majority; nothing is served here", SiteRole.Fenced);
        }
    }

    // Handing over, step by step; Handover drives it.

    /// <summary>One hand-over at a time. True for who may begin.</summary>
    public bool TryBeginHandover() => Interlocked.CompareExchange(ref handingOver, 1, 0) == 0;

    public Task PublishHandingOverAsync(string sentence)
    {
        shown = SiteRole.HandingOver;
        return PublishAsync(sentence);
    }

    public async Task StopAppsAsync()
    {
        if (Interlocked.Exchange(ref apps, null) is { } running)
        {
            await running.DisposeAsync();
        }
    }

    /// <summary>Takes up serving again after a hand-over that did not come about.</summary>
    public async Task ResumeAsync(CancellationToken cancellation)
    {
        if (apps is null && context.Site.Apps.Count > 0)
        {
            apps = await context.Apps.BootAsync(live.Tree, live.Slot, "primary", SlotDatabases.Of(context.Site, live.Tree, live.Slot), cancellation);
        }

        shown = SiteRole.Primary;
        Volatile.Write(ref handingOver, 0);
        await PublishAsync($"primary in epoch {lease.Epoch}; the hand-over did not come about");
    }

    public async Task GiveBackAsync(string successor, CancellationToken cancellation)
    {
        await lease.GiveBackAsync(successor, cancellation);
        await PublishAsync($"handed over to {successor}", SiteRole.Fenced);
        handedOver.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        context.Served.Leave(context.Site.Name);
        await StopAppsAsync();
        await role.DisposeAsync();
    }

    // A clean stop loses nothing: the app ends, the last state is captured and given some time to reach a replica, and the lease goes back.
    private async Task LeaveInOrderAsync()
    {
        await PublishHandingOverAsync("the node is stopping");
        await StopAppsAsync();
        using var limit = new CancellationTokenSource(farewell, context.Time);
        try
        {
            await role.CaptureAsync(allowMassDelete: false, limit.Token);
            if (role.Newest is { } newest && context.Site.Nodes.Count > 1)
            {
                await role.WaitForCopiesAsync(newest.Id, 2, limit.Token);
            }
        }
        catch (Exception failure) when (failure is OperationCanceledException or CaptureException)
        {
            Log.LeftBehind(context.Logger, context.Site.Name, failure.Message);
        }

        await lease.GiveBackAsync(null, CancellationToken.None);
        await PublishAsync("stopped in order; the lease was given back", SiteRole.Fenced);
    }

    private async Task ReviveAsync(string reason, CancellationToken stopping)
    {
        Log.AppsEnded(context.Logger, context.Site.Name, reason);
        await StopAppsAsync();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost);
        try
        {
            await Task.Delay(reviveAfter, context.Time, limit.Token);
            apps = await context.Apps.BootAsync(live.Tree, live.Slot, "primary", SlotDatabases.Of(context.Site, live.Tree, live.Slot), limit.Token);
        }
        catch (AppUnhealthyException failure)
        {
            Log.AppsEnded(context.Logger, context.Site.Name, failure.Message);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            // The reign is over.
        }
    }

    private Task PublishAsync(string sentence, SiteRole? show = null)
    {
        var newest = role.Newest;
        return context.Status.PublishAsync(
            show ?? shown, lease.Epoch, newest?.Id ?? default, newest, newest?.Id ?? default, apps, sentence, CancellationToken.None);
    }

    private static partial class Log
    {
        [LoggerMessage(7020, LogLevel.Information, "{Site}: primary in epoch {Epoch}, serving {Tree}")]
        public static partial void Entered(ILogger logger, string site, ulong epoch, string tree);

        [LoggerMessage(7021, LogLevel.Error, "{Site}: epoch {Epoch} could not be served: {Reason}")]
        public static partial void NotEntered(ILogger logger, string site, ulong epoch, string reason);

        [LoggerMessage(7022, LogLevel.Error, "{Site}: the lease of epoch {Epoch} is lost; the apps were stopped")]
        public static partial void LeaseLost(ILogger logger, string site, ulong epoch);

        [LoggerMessage(7023, LogLevel.Warning, "{Site}: the last changes may not have reached a replica: {Reason}")]
        public static partial void LeftBehind(ILogger logger, string site, string reason);

        [LoggerMessage(7024, LogLevel.Warning, "{Site}: its apps ended ({Reason}) and are started again")]
        public static partial void AppsEnded(ILogger logger, string site, string reason);
    }
}
