using Grpc.Core;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;

namespace Mirror.Cli.Hosting;

/// <summary>How a switchover ended.</summary>
/// <param name="Undone">It did not come about, and this node serves as before. False: this node's reign is over, and the votes say who serves now.</param>
internal sealed record HandoverEnd(bool Undone, string Sentence);

/// <summary>
/// The planned switchover, driven by the primary that hands over: hold at the proxies, stop the app, capture the last state, wait until the successor is warm on
/// exactly that, give it the lease. Whatever fails before the lease is given back is undone: the app runs again and the proxies release. Only when the reign itself ends
/// meanwhile (its lease is lost, the node stops) nothing is taken up again: then this node has no right to serve any more.
/// </summary>
internal sealed partial class Handover(SiteContext context, PrimaryReign reign, string successor)
{
    private static readonly TimeSpan holdFor = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan drainFor = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan warmWithin = TimeSpan.FromSeconds(20);

    /// <param name="step">Told what is being done; when it fails, nobody listens any more, and that undoes the switchover too.</param>
    /// <param name="cancellation">Undoes it, until the lease is given back.</param>
    public async Task<HandoverEnd> RunAsync(Func<string, Task> step, CancellationToken cancellation)
    {
        if (!reign.TryBeginHandover())
        {
            return new HandoverEnd(true, $"Another switchover of {context.Site.Name} is under way; `mirror status` shows its end.");
        }

        try
        {
            return await HandOverAsync(step, cancellation);
        }
        finally
        {
            reign.EndHandover();
        }
    }

    private async Task<HandoverEnd> HandOverAsync(Func<string, Task> step, CancellationToken cancellation)
    {
        var site = context.Site.Name;
        var began = context.Time.GetTimestamp();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, reign.Ending);
        try
        {
            // Most of the work is done before anybody has to wait.
            await step("capturing, so that little is left to do while requests wait");
            await reign.Role.CaptureAsync(allowMassDelete: false, either.Token);
            await WarmAsync(either.Token);

            await step("holding requests at the proxies");
            await reign.PublishHandingOverAsync($"handing over to {successor}");
            await HoldAsync(either.Token);
            await step("stopping the app and capturing its last state");
            await reign.StopAppsAsync();
            await reign.Role.CaptureAsync(allowMassDelete: false, either.Token);
            await step($"waiting until {successor} is warm at {reign.Role.Newest!.Id}");
            await WarmAsync(either.Token);
            await step($"handing the lease to {successor}");
            either.Token.ThrowIfCancellationRequested();
        }
        catch (Exception failure) when (!reign.Ending.IsCancellationRequested)
        {
            // Whatever it was: users must not be left waiting.
            Log.Undone(context.Logger, site, successor, Reason(failure));
            await reign.ResumeAsync();
            await ReleaseAsync();
            return new HandoverEnd(true, $"The switchover to {successor} did not come about, and {context.Member.Name} serves again: {Reason(failure)}");
        }
        catch (Exception failure)
        {
            Log.Overtaken(context.Logger, site, successor, reign.EndingReason, Reason(failure));
            return new HandoverEnd(false, $"the switchover was overtaken: {reign.EndingReason}; the votes decide who serves now");
        }

        // Begun, this is not called back, whoever still listens.
        await reign.GiveBackAsync(successor);
        Log.Done(context.Logger, site, successor, context.Time.GetElapsedTime(began).TotalMilliseconds);
        return new HandoverEnd(false, $"the lease was given to {successor}");
    }

    private async Task WarmAsync(CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(warmWithin, context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
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

    // A proxy that cannot be reached holds by itself when it hears of the hand-over or finds nobody listening. One that refuses knows better than this node.
    private async Task HoldAsync(CancellationToken cancellation)
    {
        var request = new HoldRequest
        {
            Site = context.Site.Name,
            Epoch = reign.Lease.Epoch,
            DeadlineMs = (uint)holdFor.TotalMilliseconds,
            DrainMs = (uint)drainFor.TotalMilliseconds,
        };
        await AskProxiesAsync(
            client => client.HoldAsync(request, deadline: Deadline(drainFor * 2), cancellationToken: cancellation).ResponseAsync,
            failure => failure.StatusCode is StatusCode.Unavailable or StatusCode.DeadlineExceeded);
    }

    // What a proxy does not hear, or refuses because it has moved on, its own hold time ends.
    private Task ReleaseAsync() => AskProxiesAsync(
        client => client.ReleaseAsync(new ReleaseRequest { Site = context.Site.Name, Epoch = reign.Lease.Epoch }, deadline: Deadline(drainFor)).ResponseAsync,
        _ => true);

    private async Task AskProxiesAsync(Func<Routing.RoutingClient, Task> ask, Func<RpcException, bool> bearable)
    {
        var proxies = context.Config.Members.Values.Where(member => member.Kind == MemberKind.Proxy);
        await Task.WhenAll(proxies.Select(async proxy =>
        {
            try
            {
                await ask(new Routing.RoutingClient(context.Peers.To(proxy.Name)));
            }
            catch (RpcException failure) when (bearable(failure))
            {
                Log.ProxySilent(context.Logger, context.Site.Name, proxy.Name, failure.Status.Detail);
            }
        }));
    }

    private DateTime Deadline(TimeSpan within) => (context.Time.GetUtcNow() + within).UtcDateTime;

    private static string Reason(Exception failure) => failure is RpcException call ? call.Status.Detail : failure.Message;

    private static partial class Log
    {
        [LoggerMessage(7030, LogLevel.Warning, "{Site}: the hand-over to {Successor} was undone: {Reason}")]
        public static partial void Undone(ILogger logger, string site, string successor, string reason);

        [LoggerMessage(7031, LogLevel.Information, "{Site}: handed over to {Successor} in {Milliseconds:F0} ms")]
        public static partial void Done(ILogger logger, string site, string successor, double milliseconds);

        [LoggerMessage(7032, LogLevel.Warning, "{Site}: the proxy {Proxy} did not answer: {Reason}")]
        public static partial void ProxySilent(ILogger logger, string site, string proxy, string reason);

        [LoggerMessage(7033, LogLevel.Error, "{Site}: the hand-over to {Successor} was overtaken: {Ending} ({Reason})")]
        public static partial void Overtaken(ILogger logger, string site, string successor, string ending, string reason);
    }
}
