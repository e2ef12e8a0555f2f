using Grpc.Core;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;

namespace Mirror.Cli.Hosting;

/// <summary>
/// The planned switchover, driven by the primary that hands over: hold at the proxies, stop the app, capture the last state, wait until the successor is warm on
/// exactly that, give it the lease. Whatever fails before the lease is given back is undone: the app runs again and the proxies release.
/// </summary>
internal sealed partial class Handover(SiteContext context, PrimaryReign reign, string successor)
{
    private static readonly TimeSpan holdFor = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan drainFor = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan warmWithin = TimeSpan.FromSeconds(20);

    /// <returns>Null when it succeeded; else why it did not come about.</returns>
    public async Task<string?> RunAsync(Func<string, Task> step, CancellationToken cancellation)
    {
        var site = context.Site.Name;
        if (!reign.TryBeginHandover())
        {
            return $"Another switchover of {site} is under way; `mirror status` shows its end.";
        }

        var began = context.Time.GetTimestamp();
        try
        {
            // Most of the work is done before anybody has to wait.
            await step("capturing, so that little is left to do while requests wait");
            await reign.Role.CaptureAsync(allowMassDelete: false, cancellation);
            await WarmAsync(cancellation);

            await step("holding requests at the proxies");
            await reign.PublishHandingOverAsync($"handing over to {successor}");
            await HoldAsync(cancellation);
            await step("stopping the app and capturing its last state");
            await reign.StopAppsAsync();
            await reign.Role.CaptureAsync(allowMassDelete: false, cancellation);
            await step($"waiting until {successor} is warm at {reign.Role.Newest!.Id}");
            await WarmAsync(cancellation);
        }
        catch (Exception failure) when (!reign.Lease.Lost.IsCancellationRequested)
        {
            // Whatever it was: users must not be left waiting.
            Log.Undone(context.Logger, site, successor, failure.Message);
            await reign.ResumeAsync(CancellationToken.None);
            await ReleaseAsync();
            return $"The switchover to {successor} did not come about, and {context.Member.Name} serves again: {failure.Message}";
        }

        await step($"handing the lease to {successor}");
        await reign.GiveBackAsync(successor, cancellation);
        Log.Done(context.Logger, site, successor, context.Time.GetElapsedTime(began).TotalMilliseconds);
        return null;
    }

    private async Task WarmAsync(CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(warmWithin, context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation, reign.Lease.Lost);
        var target = reign.Role.Newest!.Id;
        try
        {
            await reign.Role.WaitForAsync(successor, holding => holding.Warm >= target, either.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"{successor} was not warm at {target} within {warmWithin.TotalSeconds:F0} s.");
        }
    }

    // A proxy that cannot be reached holds by itself when it hears of the hand-over or finds nobody listening.
    private async Task HoldAsync(CancellationToken cancellation)
    {
        var request = new HoldRequest
        {
            Site = context.Site.Name,
            Epoch = reign.Lease.Epoch,
            DeadlineMs = (uint)holdFor.TotalMilliseconds,
            DrainMs = (uint)drainFor.TotalMilliseconds,
        };
        await AskProxiesAsync(client => client.HoldAsync(request, deadline: Deadline(drainFor * 2), cancellationToken: cancellation).ResponseAsync);
    }

    private Task ReleaseAsync() => AskProxiesAsync(client => client.ReleaseAsync(
        new ReleaseRequest { Site = context.Site.Name, Epoch = reign.Lease.Epoch }, deadline: Deadline(drainFor)).ResponseAsync);

    private async Task AskProxiesAsync(Func<Routing.RoutingClient, Task> ask)
    {
        var proxies = context.Config.Members.Values.Where(member => member.Kind == MemberKind.Proxy);
        await Task.WhenAll(proxies.Select(async proxy =>
        {
            try
            {
                await ask(new Routing.RoutingClient(context.Peers.To(proxy.Name)));
            }
            catch (RpcException failure) when (failure.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded)
            {
                Log.ProxySilent(context.Logger, context.Site.Name, proxy.Name, failure.Status.Detail);
            }
        }));
    }

    private DateTime Deadline(TimeSpan within) => (context.Time.GetUtcNow() + within).UtcDateTime;

    private static partial class Log
    {
        [LoggerMessage(7030, LogLevel.Warning, "{Site}: the hand-over to {Successor} was undone: {Reason}")]
        public static partial void Undone(ILogger logger, string site, string successor, string reason);

        [LoggerMessage(7031, LogLevel.Information, "{Site}: handed over to {Successor} in {Milliseconds:F0} ms")]
        public static partial void Done(ILogger logger, string site, string successor, double milliseconds);

        [LoggerMessage(7032, LogLevel.Warning, "{Site}: the proxy {Proxy} did not answer: {Reason}")]
        public static partial void ProxySilent(ILogger logger, string site, string proxy, string reason);
    }
}
