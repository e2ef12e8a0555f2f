using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Mirror.Node.Configuration;
using Mirror.Proxy.Holding;
using Mirror.Proxy.PublicPages;
using Mirror.Proxy.Routing;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// A read-only mirror: warm replicas answer reads, the freshest first and equals in turn; when none can, the primary does.
/// A replica's app moves at every flip, so an address that refuses is no news: the catalogue is asked again.
/// </summary>
internal sealed class MirrorForwarder(RouteTable routes, AppSender sender, SiteForwarder primary, ProxyMetrics metrics, TimeProvider time)
{
    // An address nobody answers at costs each reader a connection attempt, so it is left alone for a while.
    private static readonly TimeSpan BenchedFor = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<Uri, long> _benched = new();
    private int _turn;

    public async Task ForwardAsync(HttpContext context, Errand errand, SiteConfig site)
    {
        if (errand.Traffic != Traffic.Read || HttpMethods.IsTrace(context.Request.Method))
        {
            await Answers.ReadOnlyAsync(context, site);
            return;
        }

        var tried = new HashSet<Uri>();
        while (Next(routes.View(site.Name), tried) is { } replica)
        {
            tried.Add(replica.App);
            switch (await sender.SendAsync(context, errand, replica.App, HeadersOf(replica), CancellationToken.None))
            {
                case Outcome.Over:
                    return;
                case Outcome.Unreachable:
                    Bench(replica.App);
                    break;
                case Outcome.Lost when errand.PauseBeforeRepeating() is null:
                    await Answers.OutcomeUnknownAsync(context, errand.Idempotent);
                    return;
                case Outcome.TooSlow:
                    await Answers.TooSlowAsync(context);
                    return;
            }

            metrics.SentAgain(site.Name);
        }

        await primary.ForwardAsync(context, errand, site.Name, routes.Gate(site.Name), mirror: true);
    }

    private WarmReplica? Next(SiteView view, HashSet<Uri> tried)
    {
        var left = view.Replicas.Where(replica => !tried.Contains(replica.App) && !IsBenched(replica.App)).ToList();
        if (left.Count == 0)
        {
            return null;
        }

        var freshest = left.Max(replica => replica.Version);
        var equals = left.Where(replica => replica.Version == freshest).ToList();
        return equals[(int)((uint)Interlocked.Increment(ref _turn) % (uint)equals.Count)];
    }

    private static KeyValuePair<string, string>[] HeadersOf(WarmReplica replica)
    {
        KeyValuePair<string, string>[] headers = [new("Mirror-Source", "replica"), new("Mirror-Version", replica.Version.ToString())];
        return replica.Lag is { } lag ? [.. headers, new("Mirror-Lag", lag.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture))] : headers;
    }

    private void Bench(Uri app)
    {
        foreach (var (address, since) in _benched)
        {
            if (time.GetElapsedTime(since) > BenchedFor)
            {
                _benched.TryRemove(address, out _);
            }
        }

        _benched[app] = time.GetTimestamp();
    }

    private bool IsBenched(Uri app) => _benched.TryGetValue(app, out var since) && time.GetElapsedTime(since) <= BenchedFor;
}
