using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Node.Processes;

namespace Mirror.Cli.Hosting;

/// <summary>
/// Keeps the guard told how long the lease of a reign lasts. What the guard knows can only be older than what the lease knows, so it ends the apps a moment early, never late; when this
/// process hangs or dies it ends them by what it was told last.
/// </summary>
internal sealed class GuardedLease : IAsyncDisposable
{
    /// <summary>Often enough that the guard is never far behind a renewal, of which there are three in a lease.</summary>
    private const int ToldInALease = 20;

    private readonly SiteApps apps;
    private readonly CancellationTokenSource over = new();
    private readonly Task telling;

    private GuardedLease(SiteContext context, Lease lease)
    {
        apps = context.Apps;
        var held = lease.Lock;
        var voters = held is not null ? [] : context.Site.Voters.Where(voter => voter != context.Member.Name).Select(voter => context.Config.Members[voter])
            .Select(static voter => new HoldVoter(voter.Name, voter.Address, voter.GrpcPort)).ToList();
        Tell();
        telling = RunAsync();

        void Tell()
        {
            var (until, grace) = lease.Span;
            var timestamp = (Int128)until.Ticks * context.Time.TimestampFrequency / TimeSpan.TicksPerSecond;
            apps.Hold(new SiteHold(lease.Site, lease.Epoch, (long)timestamp, (long)grace.TotalMilliseconds, voters) { Lock = held });
        }

        async Task RunAsync()
        {
            using var timer = new PeriodicTimer(context.Config.Cluster.Lease / ToldInALease, context.Time);
            try
            {
                while (await timer.WaitForNextTickAsync(over.Token))
                {
                    Tell();
                }
            }
            catch (OperationCanceledException)
            {
                // The reign is over.
            }
        }
    }

    public static GuardedLease Begin(SiteContext context, Lease lease) => new(context, lease);

    /// <summary>Call it when no app of the reign runs any more: those of a replica hang on no lease.</summary>
    public async ValueTask DisposeAsync()
    {
        await over.CancelAsync();
        await telling;
        apps.Release();
        over.Dispose();
    }
}
