using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Mirror.Node.Configuration;
using Mirror.Proxy.Holding;
using Mirror.Proxy.PublicPages;
using Mirror.Proxy.Routing;

namespace Mirror.Proxy.Forwarding;

/// <summary>
/// A read-only mirror: warm replicas answer reads, the freshest first, of equals the one with the least to do; when none can, the primary does. Who wrote lately
/// is answered from what has it (see <see cref="WrittenCookie"/>): a replica is given a moment to get there, then the primary answers.
/// A replica's app moves at every flip, so an address that refuses is no news: the catalogue is asked again.
/// </summary>
internal sealed class MirrorForwarder(RouteTable routes, AppSender sender, SiteForwarder primary, WrittenCookie written, ProxyMetrics metrics, TimeProvider time)
{
    // An address nobody answers at costs each reader a connection attempt, so it is left alone for a while.
    private static readonly TimeSpan BenchedFor = TimeSpan.FromSeconds(2);
    // Capturing, pushing and flipping take about so long on a good day.
    private static readonly TimeSpan WaitForVersion = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<Uri, long> _benched = new();
    private readonly ConcurrentDictionary<string, int> _busy = new(StringComparer.Ordinal);
    private int _turn;

    public async Task ForwardAsync(HttpContext context, Errand errand, SiteConfig site)
    {
        if (errand.Traffic != Traffic.Read)
        {
            await Answers.ReadOnlyAsync(context, site, errand.Traffic == Traffic.Tunnel, written.BeforeRedirect());
            return;
        }

        var since = written.Of(context.Request);
        if (since is not null && TellsWhatItHas(site))
        {
            await ReachAsync(site, since.Value, context.RequestAborted);
        }

        var tried = new HashSet<Uri>();
        while (Next(site, since, tried) is { } replica)
        {
            tried.Add(replica.App);
            switch (await SendAsync(context, errand, replica))
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

        await primary.ForwardAsync(context, errand, site, routes.Gate(site.Name), mirror: true);
    }

    private async Task<Outcome> SendAsync(HttpContext context, Errand errand, WarmReplica replica)
    {
        _busy.AddOrUpdate(replica.Node, 1, static (_, count) => count + 1);
        try
        {
            return await sender.SendAsync(context, errand, replica.App, HeadersOf(replica), CancellationToken.None);
        }
        finally
        {
            _busy.AddOrUpdate(replica.Node, 0, static (_, count) => count - 1);
        }
    }

    /// <summary>Waits a moment for a replica that has what was written.</summary>
    private async Task ReachAsync(SiteConfig site, DateTimeOffset since, CancellationToken gone)
    {
        var begin = time.GetTimestamp();
        while (!routes.View(site.Name).Replicas.Any(replica => Fits(site, since, replica)) && time.GetElapsedTime(begin) < WaitForVersion)
        {
            await Task.Delay(LookEvery, time, gone);
        }
    }

    private WarmReplica? Next(SiteConfig site, DateTimeOffset? since, HashSet<Uri> tried)
    {
        var left = routes.View(site.Name).Replicas.Where(replica => !tried.Contains(replica.App) && !IsBenched(replica.App) && Fits(site, since, replica)).ToList();
        if (left.Count == 0)
        {
            return null;
        }

        var freshest = left.Max(replica => replica.Version);
        var equals = left.Where(replica => replica.Version == freshest).ToList();
        var idlest = equals.Min(Busy);
        equals.RemoveAll(replica => Busy(replica) > idlest);

        // Two may have begun something meanwhile; then any will do.
        return equals.Count == 0 ? left[0] : equals[(int)((uint)Interlocked.Increment(ref _turn) % (uint)equals.Count)];
    }

    private int Busy(WarmReplica replica) => _busy.GetValueOrDefault(replica.Node);

    private static bool Fits(SiteConfig site, DateTimeOffset? since, WarmReplica replica) =>
        !(site.MirrorLag > TimeSpan.Zero && replica.Lag > site.MirrorLag) && (since is null || (TellsWhatItHas(site) && replica.Captured >= since));

    // A version's time is when its files began to be looked at. Databases are dumped before that, so of what is written to them it tells nothing.
    private static bool TellsWhatItHas(SiteConfig site) => site.Databases.Count == 0;

    private static KeyValuePair<string, string>[] HeadersOf(WarmReplica replica)
    {
        KeyValuePair<string, string>[] headers = [new("Mirror-Source", "replica"), new("Mirror-Version", replica.Version.ToString())];
        return replica.Lag is { } lag
            ? [.. headers, new("Mirror-Lag", lag.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture)), new("Age", Math.Ceiling(lag.TotalSeconds).ToString("F0", CultureInfo.InvariantCulture))]
            : headers;
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
