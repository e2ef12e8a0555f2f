using Microsoft.AspNetCore.Http;

namespace Mirror.Proxy.Holding;

/// <summary>
/// Lets those who waited go through in turns: when ten thousand are let go at once, an app that has just become primary is not to get ten thousand connections in the same moment, nor this process to pay for them.
/// A turn ends when the answer begins, or after a moment: slow answers hold nobody up for long.
/// </summary>
internal sealed class Turnstile(TimeProvider time)
{
    private const int AtOnce = 256;
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(250);
    private readonly SemaphoreSlim _free = new(AtOnce);

    /// <summary>Waits for a turn. Dispose it when the sending is over, whatever became of it.</summary>
    public async Task<IDisposable> EnterAsync(HttpContext context)
    {
        await _free.WaitAsync(context.RequestAborted);
        var turn = new Turn(_free);
        turn.Begin(time);
        context.Response.OnStarting(static state =>
        {
            ((Turn)state).Dispose();
            return Task.CompletedTask;
        }, turn);
        return turn;
    }

    private sealed class Turn(SemaphoreSlim free) : IDisposable
    {
        private ITimer? _latest;
        private int _over;

        public void Begin(TimeProvider time) => _latest = time.CreateTimer(static state => ((Turn)state!).Dispose(), this, Moment, Timeout.InfiniteTimeSpan);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _over, 1) == 0)
            {
                _latest?.Dispose();
                free.Release();
            }
        }
    }
}
