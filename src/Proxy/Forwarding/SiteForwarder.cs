using Microsoft.AspNetCore.Http;
using Mirror.Node.Configuration;
using Mirror.Proxy.Holding;
using Mirror.Proxy.PublicPages;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// Brings a request to the site's primary, whoever that is by then. What was never sent can always be sent; what may have been executed is
/// sent again only when doing it twice is the same as once; the rest gets an honest answer.
/// </summary>
internal sealed class SiteForwarder(AppSender sender, ProxyMetrics metrics, MemberConfig member, CancellationToken stopping)
{
    private static readonly Dictionary<string, string> FromPrimary = new() { ["Mirror-Source"] = "primary" };

    /// <param name="mirror">The reader came by a mirror's name: say that the primary answers.</param>
    public async Task ForwardAsync(HttpContext context, Errand errand, string site, SiteGate gate, bool mirror = false)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        while (true)
        {
            Entry entry;
            try
            {
                entry = await gate.EnterAsync(errand.Traffic, () => errand.Patience(member.HoldFor), over.Token);
            }
            catch (OperationCanceledException)
            {
                if (context.RequestAborted.IsCancellationRequested)
                {
                    return;
                }

                entry = new Entry(null, Refusal.Stopping);
            }

            if (entry.Passage is not { } passage)
            {
                metrics.Refused(site, entry.Refusal.ToString());
                await Answers.UnavailableAsync(context, entry.Refusal);
                return;
            }

            Outcome outcome;
            using (passage)
            {
                outcome = await sender.SendAsync(context, errand, passage.App, mirror ? FromPrimary : null, passage.Cut);
            }

            switch (outcome)
            {
                case Outcome.Over:
                    return;
                case Outcome.Unreachable:
                    gate.FoundSilent(passage);
                    break;
                case Outcome.NotSent:
                    break;
                case Outcome.Lost when passage.Cut.IsCancellationRequested ? errand.Repeatable : errand.MayRepeat():
                    break;
                case Outcome.TooSlow:
                    await Answers.TooSlowAsync(context);
                    return;
                default:
                    metrics.OutcomeUnknown(site);
                    await Answers.OutcomeUnknownAsync(context, errand.Idempotent);
                    return;
            }

            metrics.SentAgain(site);
        }
    }
}
