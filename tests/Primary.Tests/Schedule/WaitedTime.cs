namespace Mirror.Primary.Tests.Schedule;

/// <summary>Time by hand, in steps; each step waits until what was woken waits again, or does what the test holds up.</summary>
internal sealed class WaitedTime(DateTimeOffset start) : TimeProvider
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(5);
    private readonly SteadyTime hand = new(start);
    private int waiting;

    public override long TimestampFrequency => hand.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => hand.GetUtcNow();

    public override long GetTimestamp() => hand.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Counted(this, hand.CreateTimer(callback, state, dueTime, period));
        Interlocked.Increment(ref waiting);
        return timer;
    }

    /// <summary>The clock on the wall is set; no time passes.</summary>
    public void Set(DateTimeOffset wall) => hand.AdjustTime(wall);

    public async Task PassAsync(TimeSpan time, TimeSpan? step = null, Func<bool>? held = null)
    {
        var steps = step ?? TimeSpan.FromSeconds(10);
        for (var left = time; left > TimeSpan.Zero; left -= steps)
        {
            hand.Pass(left < steps ? left : steps);
            await SettledAsync(held);
        }
    }

    /// <summary>Somebody waits for time to pass, or is held up by the test.</summary>
    public async Task SettledAsync(Func<bool>? held = null)
    {
        var began = System.GetTimestamp();
        while (Volatile.Read(ref waiting) == 0 && held?.Invoke() != true)
        {
            Assert.True(System.GetElapsedTime(began) < patience, "nobody waits for the time to pass");
            await Task.Delay(TimeSpan.FromMilliseconds(1), System);
        }
    }

    private sealed class Counted(WaitedTime owner, ITimer timer) : ITimer
    {
        private int disposed;

        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(dueTime, period);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref disposed, 1) == 0)
            {
                Interlocked.Decrement(ref owner.waiting);
                timer.Dispose();
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
