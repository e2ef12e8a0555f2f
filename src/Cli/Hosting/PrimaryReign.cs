using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Node.Processes;
using Mirror.Primary;
using Mirror.Primary.Capture;
using Mirror.Primary.Sweep;
using Mirror.Replica.Warm;
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
    private static readonly TimeSpan longestRevive = TimeSpan.FromSeconds(10);

    private readonly SiteContext context;
    private readonly Lease lease;
    private readonly LiveTree live;
    private readonly PrimaryRole role;
    private readonly GuardedLease guarded;
    private readonly TaskCompletionSource handedOver = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource ending;

    // Whoever stops or starts the apps: the reign itself, and the hand-over beside it.
    private readonly SemaphoreSlim appsTurn = new(1, 1);
    private TaskCompletionSource resumed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? handover;
    private volatile AppSet? apps;
    private volatile SiteRole shown = SiteRole.Primary;

    private PrimaryReign(SiteContext context, Lease lease, GuardedLease guarded, LiveTree live, PrimaryRole role, AppSet? apps, CancellationToken stopping)
    {
        ending = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost);
        Ending = ending.Token;
        this.context = context;
        this.lease = lease;
        this.guarded = guarded;
        this.live = live;
        this.role = role;
        this.apps = apps;
    }

    public Lease Lease => lease;

    public PrimaryRole Role => role;

    /// <summary>Cancelled when this node may or should serve no more: the lease is lost or given back, or the node stops.</summary>
    public CancellationToken Ending { get; }

    public string EndingReason => lease.Lost.IsCancellationRequested
        ? $"the lease of epoch {lease.Epoch} was lost, because {(lease.Lock is null ? "a majority of the voters did not renew it in time" : "the lock in Consul could not be confirmed in time, or is held no more")}"
        : $"{context.Member.Name} is stopping";

    /// <summary>Null when the reign ended before it began: the lease was lost meanwhile, or the apps do not run on the live tree.</summary>
    public static async Task<PrimaryReign?> EnterAsync(SiteContext context, Lease lease, AppSet? running, CancellationToken stopping)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping, lease.Lost);
        var site = context.Site;
        var store = context.Store;
        var apps = running;
        var guarded = GuardedLease.Begin(context, lease);
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
            await WakeEventsAsync(context, live, limit.Token);
            var role = await PrimaryRole.EnterAsync(
                site, context.Member.Name, lease.Epoch, store, live, context.Spool, context.Time, context.Logger, limit.Token, lease.Mark);
            context.Served.Enter(site.Name, role);
            Log.Entered(context.Logger, site.Name, lease.Epoch, live.Tree);
            return new PrimaryReign(context, lease, guarded, live, role, apps, stopping);
        }
        catch (Exception failure) when (failure is AppUnhealthyException or StoreException or OperationCanceledException)
        {
            if (apps is not null)
            {
                await apps.DisposeAsync();
            }

            await guarded.DisposeAsync();
            stopping.ThrowIfCancellationRequested();
            Log.NotEntered(context.Logger, site.Name, lease.Epoch, failure.Message);
            context.Status.Say($"could not serve epoch {lease.Epoch}: {failure.Message}");
            await context.Status.PublishAsync(
                SiteRole.Fenced, lease.Epoch, store.Head?.Id ?? default, store.Head, default, null, $"could not serve: {failure.Message}", CancellationToken.None);
            await lease.GiveBackAsync(null, CancellationToken.None);
            return null;
        }
    }

    // Before the first capture, which would find them asleep. That they are is no reason not to serve.
    private static async Task WakeEventsAsync(SiteContext context, LiveTree live, CancellationToken cancellation)
    {
        try
        {
            if (live.Slot != SlotDatabases.Unadopted && await MariaDbEvents.WakeAsync(context.Site, live.Tree, live.Slot, context.Time, cancellation) is var woken and > 0)
            {
                Log.EventsRun(context.Logger, context.Site.Name, woken);
            }
        }
        catch (ToolException failure)
        {
            Log.EventsSleep(context.Logger, context.Site.Name, failure.Message);
        }
    }

    public async Task RunAsync()
    {
        // The token itself is asked, and this only wakes: what hangs on a token is called one after another, and nobody knows in which order.
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var onEnd = Ending.Register(() => over.TrySetResult());
        while (!Ending.IsCancellationRequested && !handedOver.Task.IsCompleted)
        {
            var taken = Volatile.Read(ref resumed).Task;
            var rotten = role.Rotten;
            var consistent = role.Consistent;
            if (shown == SiteRole.Primary)
            {
                await ReviveAsync();
                await PublishAsync($"primary in epoch {lease.Epoch}{Remark(rotten)}");
            }

            var seen = role.Newest?.Id ?? default;
            using var turn = CancellationTokenSource.CreateLinkedTokenSource(Ending);
            var newer = role.NewsAsync(seen, rotten, consistent, turn.Token);
            var ended = shown == SiteRole.Primary ? apps?.Failed : null;
            var first = await Task.WhenAny([over.Task, handedOver.Task, taken, role.Watching, newer, .. ended is null ? Array.Empty<Task>() : [ended]]);
            await turn.CancelAsync();
            if (first == role.Watching)
            {
                await role.Watching;
            }

            if (first == ended)
            {
                Log.AppsEnded(context.Logger, context.Site.Name, await ended!);
                await StopAppsAsync();
            }
        }

        if (lease.Lost.IsCancellationRequested)
        {
            // Nothing may be written from here on; the app stops before anything else is done.
            await StopAppsAsync();
        }

        await HandoverEndedAsync();
        if (handedOver.Task.IsCompletedSuccessfully)
        {
            return;
        }

        if (!lease.Lost.IsCancellationRequested)
        {
            await LeaveInOrderAsync();
        }
        else
        {
            await StopAppsAsync();
            Log.LeaseLost(context.Logger, context.Site.Name, lease.Epoch);
            var why = lease.Lock is null ? "could not be renewed by a majority" : "hung on a lock in Consul that could not be confirmed in time, or is held no more";
            await PublishAsync($"the lease of epoch {lease.Epoch} {why}; nothing is served here", SiteRole.Fenced);
        }
    }

    private static string Remark(IReadOnlyList<SweepFinding> rotten) => rotten.Count == 0
        ? ""
        : $"; {rotten.Count} file(s) are not what was captured though nobody touched them: {string.Join(", ", rotten.Take(3).Select(found => found.Path))}{(rotten.Count > 3 ? ", …" : "")}. See the log";

    // Handing over, step by step; Handover drives it, beside the reign that goes on meanwhile.

    /// <summary>One hand-over at a time. True for who may begin, and then has to say that it ended.</summary>
    public bool TryBeginHandover() =>
        Interlocked.CompareExchange(ref handover, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), null) is null;

    public void EndHandover() => Interlocked.Exchange(ref handover, null)!.SetResult();

    public Task PublishHandingOverAsync(string sentence)
    {
        shown = SiteRole.HandingOver;
        return PublishAsync(sentence);
    }

    public async Task StopAppsAsync()
    {
        await appsTurn.WaitAsync();
        try
        {
            if (apps is { } running)
            {
                apps = null;
                await running.DisposeAsync();
            }
        }
        finally
        {
            appsTurn.Release();
        }
    }

    /// <summary>Takes up serving again after a hand-over that did not come about. An app that does not start is tried again by the reign.</summary>
    public async Task ResumeAsync()
    {
        shown = SiteRole.Primary;
        try
        {
            await BootAppsAsync();
        }
        catch (Exception failure) when (failure is AppUnhealthyException or AppTemplateException or GuardException)
        {
            Log.AppsEnded(context.Logger, context.Site.Name, failure.Message);
        }
        catch (OperationCanceledException) when (Ending.IsCancellationRequested)
        {
            return;
        }

        await PublishAsync($"primary in epoch {lease.Epoch}; the hand-over did not come about");
        Interlocked.Exchange(ref resumed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    public async Task GiveBackAsync(string successor)
    {
        await lease.GiveBackAsync(successor, CancellationToken.None);
        await PublishAsync($"handed over to {successor}", SiteRole.Fenced);
        handedOver.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        context.Served.Leave(context.Site.Name);
        await ending.CancelAsync();
        await HandoverEndedAsync();
        await StopAppsAsync();
        await guarded.DisposeAsync();
        await role.DisposeAsync();
        ending.Dispose();
    }

    // It hangs on Ending wherever it waits, so this is soon.
    private Task HandoverEndedAsync() => Volatile.Read(ref handover)?.Task ?? Task.CompletedTask;

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

    // Starts apps that ended, and goes on trying: while the lease is held here, nobody else can serve.
    private async Task ReviveAsync()
    {
        var pause = reviveAfter;
        while (apps is null && context.Site.Apps.Count > 0 && shown == SiteRole.Primary && !Ending.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(pause, context.Time, Ending);
                await BootAppsAsync();
            }
            catch (Exception failure) when (failure is AppUnhealthyException or AppTemplateException or GuardException)
            {
                Log.AppsEnded(context.Logger, context.Site.Name, failure.Message);
                pause = pause * 2 < longestRevive ? pause * 2 : longestRevive;
            }
            catch (OperationCanceledException) when (Ending.IsCancellationRequested)
            {
                // The reign is over.
            }
        }
    }

    // Not while handing over: what an app wrote after its last capture would be lost.
    private async Task BootAppsAsync()
    {
        await appsTurn.WaitAsync(Ending);
        try
        {
            if (apps is null && context.Site.Apps.Count > 0 && shown == SiteRole.Primary)
            {
                apps = await context.Apps.BootAsync(live.Tree, live.Slot, "primary", SlotDatabases.Of(context.Site, live.Tree, live.Slot), Ending);
            }
        }
        finally
        {
            appsTurn.Release();
        }
    }

    private Task PublishAsync(string sentence, SiteRole? show = null)
    {
        var newest = role.Newest;
        context.Status.Consistent = role.Consistent;
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

        [LoggerMessage(7025, LogLevel.Information, "{Site}: {Count} event(s) of its databases run here from now on")]
        public static partial void EventsRun(ILogger logger, string site, int count);

        [LoggerMessage(7026, LogLevel.Error, "{Site}: the events of its databases could not be enabled, and do not run: {Reason} Run ALTER EVENT … ENABLE for those with the status SLAVESIDE_DISABLED")]
        public static partial void EventsSleep(ILogger logger, string site, string reason);

        [LoggerMessage(7024, LogLevel.Warning, "{Site}: its apps ended ({Reason}) and are started again")]
        public static partial void AppsEnded(ILogger logger, string site, string reason);
    }
}
