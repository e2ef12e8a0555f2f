using System.Diagnostics.Metrics;

namespace Mirror.Proxy;

/// <summary>Counters of the front, per site, in the meter <c>Mirror.Proxy</c>.</summary>
internal sealed class ProxyMetrics
{
    private readonly Counter<long> _held;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _sentAgain;
    private readonly Counter<long> _unknown;
    private readonly Counter<long> _routes;
    private readonly Counter<long> _malformed;
    private readonly Histogram<double> _settled;

    public ProxyMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("Mirror.Proxy");
        _held = meter.CreateCounter<long>("mirror.proxy.requests.held", "{request}", "Requests that had to wait for a primary.");
        _refused = meter.CreateCounter<long>("mirror.proxy.requests.refused", "{request}", "Requests answered 503: waited too long, or too many waited.");
        _sentAgain = meter.CreateCounter<long>("mirror.proxy.requests.sent_again", "{request}", "Requests sent a second time, to another app or after a connection failed.");
        _unknown = meter.CreateCounter<long>("mirror.proxy.requests.outcome_unknown", "{request}", "Requests answered 502 because they may have been executed.");
        _malformed = meter.CreateCounter<long>("mirror.proxy.requests.malformed", "{request}", "Requests refused by the server itself: no HTTP, too large or too slow.");
        _settled = meter.CreateHistogram<double>("mirror.proxy.changes.settled", "s", "How long answers to changes waited until other nodes had what was changed; settled: false when they had it not in time.");
        _routes = meter.CreateCounter<long>("mirror.proxy.route.changes", "{change}", "Times a site's primary route changed.");
    }

    public void Held(string site) => _held.Add(1, Of(site));

    public void Refused(string site, string why) => _refused.Add(1, Of(site), new KeyValuePair<string, object?>("why", why));

    public void SentAgain(string site) => _sentAgain.Add(1, Of(site));

    public void OutcomeUnknown(string site) => _unknown.Add(1, Of(site));

    public void Malformed(long count) => _malformed.Add(count);

    public void Settled(string site, TimeSpan after, bool settled) => _settled.Record(after.TotalSeconds, Of(site), new KeyValuePair<string, object?>("settled", settled));

    public void RouteChanged(string site) => _routes.Add(1, Of(site));

    private static KeyValuePair<string, object?> Of(string site) => new("site", site);
}
