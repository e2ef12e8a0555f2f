using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using Mirror.Node.Consul;

namespace Mirror.Leadership.Consul;

/// <summary>
/// Tells Consul what this member is, at every change and several times within the time a report counts: so a member that dies, hangs or is cut off is out of Consul's answers soon after, and with
/// its own check end the sessions of its locks. What the agent has forgotten (it was started anew) is registered again.
/// </summary>
internal sealed class Announcer(MirrorConfig config, MemberConfig member, IConsul consul, ICatalogue catalogue, TimeProvider time, ILogger log) : BackgroundService
{
    private const int ReportsInALife = 4;
    private const int AttemptsInAReport = 4;
    private static readonly TimeSpan FarewellWithin = TimeSpan.FromSeconds(1);

    // As the agent knows them, by id.
    private readonly Dictionary<string, ServiceAsk> told = new(StringComparer.Ordinal);
    private bool? works;

    /// <summary>Until it is cancelled; then the services are taken back.</summary>
    internal async Task RunAsync(CancellationToken cancellation)
    {
        var every = config.Cluster.Lease / ReportsInALife;
        try
        {
            while (true)
            {
                var seen = catalogue.Current;
                var began = time.GetTimestamp();
                var pause = await TellAsync(seen, every, cancellation) ? every : every / AttemptsInAReport;
                await NextAsync(seen, pause - time.GetElapsedTime(began), cancellation);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            await LeaveAsync();
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => RunAsync(stoppingToken);

    private async Task<bool> TellAsync(ClusterSnapshot seen, TimeSpan within, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(within, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            foreach (var service in ServiceBook.Of(config, member, seen))
            {
                await TellAsync(service, both.Token);
            }

            if (works != true)
            {
                works = true;
                Log.Told(log, member.Name);
            }

            return true;
        }
        catch (Exception failure) when (failure is ConsulException || (failure is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            if (works != false)
            {
                works = false;
                Log.NotTold(log, member.Name, failure.Message);
            }

            return false;
        }
    }

    private async Task TellAsync(KnownService service, CancellationToken cancellation)
    {
        var ask = service.Ask;
        if (told.Remove(ask.Id, out var before) && Same(before, ask))
        {
            // Until the agent has said yes it may have forgotten the service: then it is registered with the next round.
            await consul.ReportAsync(ask.Id, ask.Health, service.Note, cancellation);
        }
        else
        {
            await consul.RegisterAsync(ask, cancellation);
        }

        told[ask.Id] = ask;
    }

    // Health is reported; all else is registered anew.
    private static bool Same(ServiceAsk one, ServiceAsk other) =>
        one with { Health = other.Health, Tags = other.Tags, Meta = other.Meta } == other && one.Tags.SequenceEqual(other.Tags)
        && one.Meta.Count == other.Meta.Count && one.Meta.All(pair => other.Meta.GetValueOrDefault(pair.Key) == pair.Value);

    /// <summary>Waits for the next report, or until what this member says of itself has changed.</summary>
    private async Task NextAsync(ClusterSnapshot seen, TimeSpan pause, CancellationToken cancellation)
    {
        if (pause <= TimeSpan.Zero)
        {
            return;
        }

        using var over = new CancellationTokenSource(pause, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, cancellation);
        try
        {
            var now = seen;
            while (Own(now).SequenceEqual(Own(seen)))
            {
                now = await catalogue.ChangedSinceAsync(now, either.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // It is time.
        }
    }

    private IEnumerable<(string, SiteRole, ulong, string?)> Own(ClusterSnapshot snapshot) => snapshot.Holdings
        .Where(holding => holding.Node == member.Name).Select(static holding => (holding.Site, holding.Role, holding.Epoch, holding.AppAddress));

    private async Task LeaveAsync()
    {
        using var limit = new CancellationTokenSource(FarewellWithin, time);
        try
        {
            foreach (var id in told.Keys)
            {
                await consul.DeregisterAsync(id, limit.Token);
            }
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException)
        {
            Log.NotTold(log, member.Name, failure.Message);
        }
    }
}
