using Microsoft.Extensions.Time.Testing;

namespace Mirror.Primary.Tests.Schedule;

/// <summary>Time by hand as a machine has it: who sets the clock on the wall moves nothing else.</summary>
internal sealed class SteadyTime(DateTimeOffset start) : FakeTimeProvider(start)
{
    private long passed;

    public override long GetTimestamp() => Interlocked.Read(ref passed);

    public void Pass(TimeSpan time)
    {
        Interlocked.Add(ref passed, time.Ticks);
        Advance(time);
    }
}
