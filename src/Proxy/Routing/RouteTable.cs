using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using Mirror.Proxy.Holding;

namespace Mirror.Proxy.Routing;

/// <summary>All sites of the configuration with their gates, and what the catalogue last said of each.</summary>
internal sealed partial class RouteTable
{
    private readonly Dictionary<string, SiteGate> _gates = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, SiteView> _views = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ulong> _kept = new(StringComparer.Ordinal);
    private readonly EpochFile _epochs;
    private readonly ILogger<RouteTable> _log;

    public RouteTable(
        MirrorConfig config, EpochFile epochs, HoldingRoom room, ProxyMetrics metrics, TimeProvider time, ILoggerFactory logs)
    {
        _epochs = epochs;
        _log = logs.CreateLogger<RouteTable>();
        foreach (var site in config.Sites.Keys)
        {
            _kept[site] = epochs.Read(site);
            _gates[site] = new SiteGate(site, _kept[site], room, metrics, time, logs.CreateLogger<SiteGate>());
        }
    }

    public IEnumerable<string> Sites => _gates.Keys.Order(StringComparer.Ordinal);

    public SiteGate Gate(string site) => _gates[site];

    public SiteGate? Find(string site) => _gates.GetValueOrDefault(site);

    public SiteView View(string site) => _views.GetValueOrDefault(site, SiteView.Empty);

    public void Apply(ClusterSnapshot snapshot)
    {
        foreach (var (site, gate) in _gates)
        {
            var view = SiteView.Read(snapshot, site);
            Keep(site, view.HighestEpoch);
            _views[site] = view;
            gate.Apply(view);
        }
    }

    /// <summary>Remembers an epoch before anything is sent under it.</summary>
    private void Keep(string site, ulong epoch)
    {
        lock (_epochs)
        {
            if (epoch <= _kept[site])
            {
                return;
            }

            try
            {
                _epochs.Write(site, epoch);
                _kept[site] = epoch;
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Until a restart the gate itself remembers; refusing to route would be the greater harm.
                LogNotKept(exception, site, epoch);
            }
        }
    }

    [LoggerMessage(6010, LogLevel.Error,
        "{Site}: epoch {Epoch} could not be written to the state directory; after a restart this proxy could believe an older primary. Free space or mend permissions")]
    private partial void LogNotKept(Exception exception, string site, ulong epoch);
}
