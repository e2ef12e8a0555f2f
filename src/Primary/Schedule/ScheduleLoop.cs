using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;

namespace Mirror.Primary.Schedule;

/// <summary>Scheduled captures that did not come about in this reign, or because the node was down before it.</summary>
/// <param name="Count">All of them.</param>
/// <param name="Last">The last that were noticed: how many, when, and why.</param>
public sealed record MissedCaptures(int Count, string Last)
{
    public static MissedCaptures None { get; } = new(0, "");
}

/// <summary>
/// Captures at the moments of the schedule, fully, beside whatever changes start. What comes due in a quiet time is done once at its end. What comes due while a capture of the schedule still runs,
/// while nobody was there, or while the clock jumped, is missed: it is counted and said, and not made up for, since one capture has all that the missed ones would have had.
/// </summary>
internal sealed partial class ScheduleLoop(
    string site, ulong epoch, CaptureConfig config, QuietTimes quiet, ScheduleMark mark, TimeProvider time, ILogger logger, Func<CancellationToken, Task> capture) : IAsyncDisposable
{
    private static readonly TimeSpan look = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan again = TimeSpan.FromMinutes(1);
    private readonly Lock gate = new();
    private readonly CaptureMoments moments = new(config, time);
    private volatile MissedCaptures missed = MissedCaptures.None;

    /// <summary>Ends when the role is left; fails on a fault nobody foresaw.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    public MissedCaptures Missed => missed;

    /// <summary>The next capture that the schedule wants, and why then; null when there is no schedule.</summary>
    public (DateTimeOffset At, string Why)? Next()
    {
        (DateTimeOffset At, string Why)? next;
        lock (gate)
        {
            next = moments.Next();
        }

        if (next is not { } due)
        {
            return null;
        }

        var now = time.GetUtcNow();
        var open = quiet.OpenFrom(due.At > now ? due.At : now);
        return open > due.At ? (open, $"{due.Why}; put off, because captures do not start before") : due;
    }

    public void Start(CancellationToken leaving)
    {
        if (config.HasSchedule)
        {
            Running = RunAsync(leaving);
        }
    }

    public async ValueTask DisposeAsync() => await Running;

    private async Task RunAsync(CancellationToken leaving)
    {
        try
        {
            SayMissedBefore();
            while (true)
            {
                var passed = await DueAsync(leaving);
                if (quiet.Holds(time.GetUtcNow()))
                {
                    Log.PutOff(logger, site, quiet.OpenFrom(time.GetUtcNow()));
                    await quiet.WaitAsync(leaving);
                    TakePassed();
                }
                else if (passed > 1)
                {
                    Miss(passed - 1, "the clock was set forward, or the machine stood still");
                }

                await CaptureAsync(leaving);
                Miss(TakePassed(), "the capture before them took that long");
                Keep();
            }
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            // The role is being left.
        }
    }

    // The clock on the wall may be set while this waits, so it is looked at now and then.
    private async Task<int> DueAsync(CancellationToken leaving)
    {
        while (true)
        {
            if (TakePassed() is var passed and > 0)
            {
                return passed;
            }

            TimeSpan left;
            lock (gate)
            {
                left = moments.Next()!.Value.At - time.GetUtcNow();
            }

            // Never not at all: a timer may fire a little early.
            await Task.Delay(TimeSpan.FromTicks(Math.Clamp(left.Ticks, TimeSpan.TicksPerMillisecond, look.Ticks)), time, leaving);
        }
    }

    private async Task CaptureAsync(CancellationToken leaving)
    {
        while (true)
        {
            try
            {
                await capture(leaving);
                return;
            }
            catch (Exception failure) when (failure is CaptureException or IOException or UnauthorizedAccessException)
            {
                Log.Failed(logger, site, failure.Message);
                await Task.Delay(again, time, leaving);
            }
        }
    }

    private int TakePassed()
    {
        lock (gate)
        {
            return moments.TakePassed();
        }
    }

    // Only this node's own last reign is spoken of: what others did, or did not do, in epochs between is not known here.
    private void SayMissedBefore()
    {
        try
        {
            if (mark.Read() is { } last && (last.Epoch == epoch || last.Epoch + 1 == epoch))
            {
                Miss(moments.CountBetween(last.Kept, time.GetUtcNow()), "the node was down, or the site had no primary; the capture at the begin of this reign stands for them");
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Log.NotKept(logger, site, failure.Message);
        }

        Keep();
    }

    private void Miss(int count, string why)
    {
        if (count > 0)
        {
            missed = new MissedCaptures(missed.Count + count, FormattableString.Invariant($"{count} until {time.GetUtcNow():yyyy-MM-dd HH:mm:ss} UTC: {why}"));
            Log.Missed(logger, site, count, why);
        }
    }

    // A full disk costs only the knowledge of what was missed.
    private void Keep()
    {
        try
        {
            mark.Write(epoch, time.GetUtcNow());
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Log.NotKept(logger, site, failure.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3034, LogLevel.Warning, "{Site}: {Count} scheduled captures missed: {Why}")]
        public static partial void Missed(ILogger logger, string site, int count, string why);

        [LoggerMessage(3031, LogLevel.Error, "{Site}: the scheduled capture failed, and will be tried again within a minute: {Reason}")]
        public static partial void Failed(ILogger logger, string site, string reason);

        [LoggerMessage(3032, LogLevel.Information, "{Site}: a scheduled capture is put off until {Open:u}, when captures may start again")]
        public static partial void PutOff(ILogger logger, string site, DateTimeOffset open);

        [LoggerMessage(3033, LogLevel.Warning, "{Site}: until when the schedule was kept could not be read or written, so missed captures may not be noticed after a restart: {Reason}")]
        public static partial void NotKept(ILogger logger, string site, string reason);
    }
}
