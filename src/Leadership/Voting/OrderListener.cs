using Microsoft.Extensions.Hosting;
using Mirror.Leadership.Membership;

namespace Mirror.Leadership.Voting;

/// <summary>Brings operators' words from the catalogue to this member's own votes.</summary>
internal sealed class OrderListener(Elections elections, ICatalogue catalogue) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var seen = catalogue.Current;
        try
        {
            while (true)
            {
                elections.Hear(seen);
                seen = await catalogue.ChangedSinceAsync(seen, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The member is stopping.
        }
    }
}
