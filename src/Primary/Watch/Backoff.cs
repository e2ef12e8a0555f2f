namespace Mirror.Primary.Watch;

/// <summary>At once the first time; then after a second, and twice as long each time up to a minute. What held for a minute begins anew.</summary>
internal struct Backoff
{
    private static readonly TimeSpan first = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan longest = TimeSpan.FromMinutes(1);

    private TimeSpan pause;
    private long since;
    private bool failed;

    /// <summary>It failed: how long to wait before the next attempt.</summary>
    /// <param name="begun">When the attempt that failed began.</param>
    public TimeSpan Next(TimeProvider time, long begun)
    {
        var held = time.GetElapsedTime(begun) > longest;
        pause = !failed || held ? TimeSpan.Zero : pause == TimeSpan.Zero ? first : pause * 2 < longest ? pause * 2 : longest;
        failed = true;
        since = time.GetTimestamp();
        return pause;
    }

    public readonly bool IsOver(TimeProvider time) => time.GetElapsedTime(since) >= pause;
}
