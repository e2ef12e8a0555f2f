using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;

namespace Mirror.Proxy.Routing;

/// <summary>Carries every change of the catalogue into the routes. A failure here must never freeze them, so it is told and the watch goes on.</summary>
internal sealed partial class RouteWatcher(ICatalogue catalogue, RouteTable routes, TimeProvider time, ILogger<RouteWatcher> log) : BackgroundService
{
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        ClusterSnapshot? seen = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                seen = seen is null ? catalogue.Current : await catalogue.ChangedSinceAsync(seen, stoppingToken);
                routes.Apply(seen);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                LogWatchFailed(exception, PauseAfterFailure.TotalSeconds);
                seen = null;
                await Task.Delay(PauseAfterFailure, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    [LoggerMessage(6011, LogLevel.Error, "Routes could not be updated from the catalogue; they stay as they were, next try in {Seconds} s")]
    private partial void LogWatchFailed(Exception exception, double seconds);
}
