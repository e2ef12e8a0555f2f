using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;

namespace Mirror.Leadership.Voting;

/// <summary>An election in which this member stands only while nothing that others said of their configuration is against it.</summary>
internal sealed class AgreedElection(IElection inner, Agreement agreement, string site) : IElection
{
    public Task<Lease> WinAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation) =>
        RunAsync(unopposed => inner.WinAsync(verified, decided, unopposed), decided, cancellation);

    public Task<Lease> StandNowAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation) =>
        RunAsync(unopposed => inner.StandNowAsync(verified, decided, unopposed), decided, cancellation);

    private async Task<Lease> RunAsync(Func<CancellationToken, Task<Lease>> stand, Action<string> decided, CancellationToken cancellation)
    {
        await agreement.Heard.WaitAsync(cancellation);
        string? said = null;
        while (true)
        {
            var changed = agreement.Changed;
            if (agreement.Objection(site) is { } objection)
            {
                if (objection != said)
                {
                    decided(said = objection);
                }

                await changed.WaitAsync(cancellation);
                continue;
            }

            using var unopposed = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            var watching = WatchAsync(unopposed);
            try
            {
                return await stand(unopposed.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                // An objection came up meanwhile.
            }
            finally
            {
                await unopposed.CancelAsync();
                await watching;
            }
        }
    }

    private async Task WatchAsync(CancellationTokenSource unopposed)
    {
        var changed = agreement.Changed;
        while (agreement.Objection(site) is null)
        {
            await changed.WaitAsync(unopposed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (unopposed.IsCancellationRequested)
            {
                return;
            }

            changed = agreement.Changed;
        }

        await unopposed.CancelAsync();
    }
}
