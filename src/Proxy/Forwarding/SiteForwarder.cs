using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Proxy.Durability;
using Mirror.Proxy.Holding;
using Mirror.Proxy.PublicPages;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// Brings a request to the site's primary, whoever that is by then. What was never sent can always be sent; what may have been executed is
/// sent again only when doing it twice is the same as once; the rest gets an honest answer.
/// </summary>
internal sealed partial class SiteForwarder(
    AppSender sender, Settling settling, Turnstile turnstile, ProxyMetrics metrics, MemberConfig member, TimeProvider time, ILogger<SiteForwarder> log, CancellationToken stopping)
{
    /// <param name="mirror">The reader came by a mirror's name: say that the primary answers.</param>
    public async Task ForwardAsync(HttpContext context, Errand errand, SiteConfig config, SiteGate gate, bool mirror = false)
    {
        var site = config.Name;
        var settles = Settling.Concerns(config, errand.Traffic, context.Request.Path.Value ?? "/");
        while (true)
        {
            var open = gate.TryEnter(errand.Traffic);
            var entry = open is not null ? new Entry(open) : await WaitAsync(gate, errand, context.RequestAborted);
            if (entry.Passage is not { } passage)
            {
                metrics.Refused(site, entry.Refusal.ToString());
                await Answers.UnavailableAsync(context, entry.Refusal);
                return;
            }

            Outcome outcome;
            using (passage)
            using (open is null ? await turnstile.EnterAsync(context) : null)
            {
                outcome = await sender.SendAsync(context, errand, passage.App, mirror ? passage.Reign.MirrorHeaders : passage.Reign.Headers, passage.Cut,
                    settles ? new Seal(settling, config, passage.Reign) : null);
            }

            switch (outcome)
            {
                case Outcome.Over:
                    return;
                case Outcome.Unreachable:
                    gate.FoundSilent(passage);
                    break;
                case Outcome.NotSent:
                case Outcome.Lost when errand.Repeatable && passage.Cut.IsCancellationRequested:
                    break;
                case Outcome.Lost when errand.PauseBeforeRepeating() is { } pause:
                    await Task.Delay(pause, time, context.RequestAborted);
                    break;
                case Outcome.NotSettled:
                    LogNotSettled(site, context.Request.Method, passage.Reign.Node, passage.Reign.Epoch);
                    await Answers.NotSettledAsync(context);
                    return;
                case Outcome.TooSlow:
                    LogTooSlow(site, context.Request.Method, passage.Reign.Node, passage.Reign.Epoch);
                    await Answers.TooSlowAsync(context);
                    return;
                default:
                    metrics.OutcomeUnknown(site);
                    LogOutcomeUnknown(site, context.Request.Method, passage.Reign.Node, passage.Reign.Epoch);
                    await Answers.OutcomeUnknownAsync(context, errand.Idempotent);
                    return;
            }

            metrics.SentAgain(site);
        }
    }

    private async Task<Entry> WaitAsync(SiteGate gate, Errand errand, CancellationToken gone)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(gone, stopping);
        var start = time.GetTimestamp();
        try
        {
            var entering = gate.EnterAsync(errand.Traffic, member.HoldFor - errand.Waited, over.Token).AsTask();
            await errand.WhileWaitingAsync(entering);
            return await entering;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return new Entry(null, Refusal.Stopping);
        }
        finally
        {
            errand.Waited += time.GetElapsedTime(start);
        }
    }

    // The path is left out: it may carry what is no log's business.
    [LoggerMessage(6020, LogLevel.Warning, "{Site}: a {Method} was lost after it was sent to {Node} (epoch {Epoch}) and cannot be sent again; answered 502")]
    private partial void LogOutcomeUnknown(string site, string method, string node, ulong epoch);

    [LoggerMessage(6022, LogLevel.Warning, "{Site}: a {Method} was executed on {Node} (epoch {Epoch}) and no other node had it in time; answered 504")]
    private partial void LogNotSettled(string site, string method, string node, ulong epoch);

    [LoggerMessage(6021, LogLevel.Warning, "{Site}: a {Method} got no answer from {Node} (epoch {Epoch}) in time; answered 504")]
    private partial void LogTooSlow(string site, string method, string node, ulong epoch);
}
