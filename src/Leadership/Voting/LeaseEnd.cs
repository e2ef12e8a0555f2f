using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;

namespace Mirror.Leadership.Voting;

/// <summary>How a lease ends, whoever keeps it: once and for good, by its deadline, which moves whenever it is renewed, or by a word before that.</summary>
/// <param name="deadline">Monotonic time at which the holder must have stopped; asked from the timer's thread too.</param>
/// <param name="late">Why it is lost when the deadline is reached.</param>
internal sealed class LeaseEnd(SiteRules rules, ulong epoch, Func<TimeSpan> deadline, string late, TimeProvider time, ILogger log)
{
    private readonly CancellationTokenSource lost = new();
    private readonly CancellationTokenSource stopping = new();
    private ITimer? timer;
    private int over;

    public CancellationToken Lost => lost.Token;

    /// <summary>For whoever keeps it: there is nothing to keep any more.</summary>
    public CancellationToken Stopping => stopping.Token;

    public bool IsOver => Volatile.Read(ref over) != 0;

    /// <summary>To be called once, when the deadline can be asked for.</summary>
    public void Watch()
    {
        timer = time.CreateTimer(_ => Check(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Check();
    }

    /// <param name="why">Null: nothing went wrong.</param>
    public void Come(string? why)
    {
        if (Interlocked.Exchange(ref over, 1) != 0)
        {
            return;
        }

        if (why is not null)
        {
            Log.Lost(log, rules.Site, epoch, why);
        }

        stopping.Cancel();
        // The token reads as cancelled at once; what hangs on it runs apart, so that one failure there can't take the timer's thread down unseen.
        _ = lost.CancelAsync().ContinueWith(
            failed => Log.FencingFailed(log, rules.Site, failed.Exception!), CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    /// <summary>Ends it without a fault, and waits for whoever kept it.</summary>
    public async Task ComeAsync(Task keeping)
    {
        Come(null);
        await keeping;
        await timer!.DisposeAsync();
    }

    private void Check()
    {
        if (IsOver)
        {
            return;
        }

        var left = deadline() - time.GetElapsedTime(0);
        if (left <= TimeSpan.Zero)
        {
            Come(late);
            return;
        }

        // Rounded up: a timer that fires a moment early would only be set again.
        timer!.Change(TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
    }
}
