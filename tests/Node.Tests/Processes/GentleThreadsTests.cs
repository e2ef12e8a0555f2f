using System.Globalization;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Node.Tests.Processes;

public sealed class GentleThreadsTests
{
    private const int NiceAt = 18; // Counted from 0.

    [Theory]
    [InlineData(IoPriority.Normal, 7)]
    [InlineData(IoPriority.Low, 2 << 13 | 7)]
    [InlineData(IoPriority.Idle, 3 << 13)]
    public async Task All_that_is_begun_there_stays_there_and_nobody_else_is_made_gentle(IoPriority io, int disk)
    {
        var before = NiceOfThisThread();
        using var threads = new GentleThreads("gentle", new Niceness(7, io));

        var seen = await threads.RunAsync(async () =>
        {
            var own = NiceOfThisThread();
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System);
            var afterDelay = NiceOfThisThread();
            var beside = await Delta.Beside.RunAsync(NiceOfThisThread);
            await Delta.Beside.RunAsync(static async () => await Task.Yield());
            return (Nice: (int[])[own, afterDelay, beside, NiceOfThisThread()], ThreadShare.Disk);
        });

        // By the kernel's own word, which counts from what this process has anyway.
        Assert.All(seen.Nice, nice => Assert.Equal(Math.Min(before + 7, 19), nice));
        if (io != IoPriority.Normal)
        {
            Assert.Equal(disk, seen.Disk);
        }

        Assert.Equal(before, NiceOfThisThread());
        Assert.Equal(before, await Task.Run(NiceOfThisThread));
    }

    [Fact]
    public async Task Whoever_waits_for_work_beside_does_it_when_all_others_wait_too()
    {
        using var threads = new GentleThreads("gentle", new Niceness(1, IoPriority.Normal));
        var many = Enumerable.Range(0, 100).Select(_ => threads.RunAsync(() => Task.FromResult(Delta.Beside.RunAsync(() => 1).GetAwaiter().GetResult())));

        Assert.Equal(100, (await Task.WhenAll(many).WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System)).Sum());
    }

    private static int NiceOfThisThread()
    {
        // After the name, which may hold blanks, and its bracket.
        var stat = File.ReadAllText("/proc/thread-self/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[NiceAt - 2], CultureInfo.InvariantCulture);
    }
}
