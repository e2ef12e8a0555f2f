using Microsoft.Extensions.Time.Testing;
using Mirror.Primary.Sweep;

namespace Mirror.Primary.Tests.Sweep;

public sealed class PaceTests
{
    private static readonly TimeSpan soon = TimeSpan.FromMinutes(5);

    private readonly FakeTimeProvider time = new();

    [Fact]
    public async Task A_tenth_of_the_work_takes_a_tenth_of_the_time()
    {
        var pace = new Pace(TimeSpan.FromHours(10), time);
        for (var part = 0; part < 10; part++)
        {
            var spent = pace.SpendAsync(0.1, CancellationToken.None).AsTask();
            time.Advance(TimeSpan.FromMinutes(59));
            Assert.False(spent.IsCompleted);
            time.Advance(TimeSpan.FromMinutes(1));
            await spent.WaitAsync(soon);
        }
    }

    [Fact]
    public async Task Small_parts_are_waited_for_together()
    {
        var pace = new Pace(TimeSpan.FromSeconds(100), time);
        Assert.True(pace.SpendAsync(0.001, CancellationToken.None).AsTask().IsCompleted);
        Assert.True(pace.SpendAsync(0.001, CancellationToken.None).AsTask().IsCompleted);
        var third = pace.SpendAsync(0.001, CancellationToken.None).AsTask();
        time.Advance(TimeSpan.FromMilliseconds(299));
        Assert.False(third.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));
        await third.WaitAsync(soon);
    }

    [Fact]
    public async Task What_took_long_by_itself_is_not_waited_for_and_never_made_up_for_by_a_rush()
    {
        var pace = new Pace(TimeSpan.FromSeconds(100), time);
        time.Advance(TimeSpan.FromSeconds(60));
        Assert.True(pace.SpendAsync(0.1, CancellationToken.None).AsTask().IsCompleted);

        // Fifty seconds behind, of which one counts.
        var next = pace.SpendAsync(0.1, CancellationToken.None).AsTask();
        time.Advance(TimeSpan.FromSeconds(8.9));
        Assert.False(next.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        await next.WaitAsync(soon);
    }
}
