namespace Mirror.Primary.Sweep;

/// <summary>Spreads work evenly over a period: after each part it waits for as long as that part is of the whole. What was not done in time is not made up for by a rush.</summary>
internal sealed class Pace(TimeSpan period, TimeProvider time)
{
    /// <summary>Shorter waits are put together.</summary>
    private static readonly TimeSpan shortest = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan mostBehind = TimeSpan.FromSeconds(1);

    private TimeSpan owed;
    private long last = time.GetTimestamp();

    public async ValueTask SpendAsync(double share, CancellationToken cancellation)
    {
        owed += (period * Math.Clamp(share, 0, 1)) - time.GetElapsedTime(last);
        last = time.GetTimestamp();
        if (owed < -mostBehind)
        {
            owed = -mostBehind;
        }

        if (owed >= shortest)
        {
            await Task.Delay(owed, time, cancellation);
            owed = TimeSpan.Zero;
            last = time.GetTimestamp();
        }
    }
}
