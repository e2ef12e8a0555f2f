using Mirror.Bench.Measuring;
using Mirror.Testing;

namespace Mirror.Bench.Tests.Measuring;

public sealed class MeasuredTests : IDisposable
{
    private static readonly TimeSpan patience = TimeSpan.FromMinutes(2);

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task The_cpu_time_of_a_process_and_its_children_is_counted()
    {
        var idle = await RunAsync("sleep 0.2");
        var busy = await RunAsync("(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done) & wait");

        Assert.True(idle.Wall >= TimeSpan.FromSeconds(0.2));
        Assert.True(idle.Cpu < idle.Wall);
        Assert.True(busy.Cpu > idle.Cpu, $"{busy.Cpu} and {idle.Cpu}");
    }

    [Fact]
    public async Task The_memory_of_a_process_s_children_is_seen_and_this_process_s_own_is_not()
    {
        var small = await RunAsync("sleep 0.3");
        var large = await RunAsync("dd if=/dev/zero of=/dev/null bs=300M count=2 2>/dev/null & wait");

        Assert.InRange(small.PeakMemory, 100_000, 20_000_000);
        Assert.InRange(large.PeakMemory, 300_000_000, 340_000_000);
    }

    [Fact]
    public async Task A_command_that_fails_is_told_with_what_it_said()
    {
        var failure = await Assert.ThrowsAsync<BenchException>(() => RunAsync("echo it went wrong >&2; exit 3"));

        Assert.Contains("ended with 3: it went wrong", failure.Message);
    }

    [Fact]
    public async Task A_command_over_its_limit_is_ended_with_its_children()
    {
        var mark = _directory["mark"];
        var failure = await Assert.ThrowsAsync<BenchException>(
            () => Measured.RunAsync(["sh", "-c", $"(sleep 60; touch {mark}) & echo $! >{mark}.pid; wait"], _directory.Path, TimeSpan.FromSeconds(4)));

        Assert.Contains("took more than 4 s", failure.Message);
        var child = File.ReadAllText(mark + ".pid").Trim();

        // What was killed is gone a moment later.
        Assert.True(SpinWait.SpinUntil(() => !Sleeps(child), patience));
    }

    [Fact]
    public void The_middle_counts()
    {
        Assert.Equal(2, Measured.Median([9, 1, 2]));
        Assert.Equal(1.5, Measured.Median([2, 1]));
        Assert.True(double.IsNaN(Measured.Median([])));
    }

    private static bool Sleeps(string process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/status").Contains("S (sleeping)", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private Task<Measured> RunAsync(string script) => Measured.RunAsync(["sh", "-c", script], _directory.Path, patience);
}
