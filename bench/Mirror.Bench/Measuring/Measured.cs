using System.Globalization;

namespace Mirror.Bench.Measuring;

/// <summary>One run of a whole process and what it started.</summary>
/// <param name="PeakMemory">The processes' peaks, summed, read every few milliseconds; or the largest process's as the kernel tells it at the end, where that is more.</param>
/// <param name="Noise">How many cores the rest of the machine was using meanwhile.</param>
internal sealed record Measured(TimeSpan Wall, TimeSpan Cpu, long PeakMemory, double Noise)
{
    /// <summary>The file of the scratch folder that has what the process said.</summary>
    public const string OutputName = "output.txt";

    private static readonly TimeSpan sampling = TimeSpan.FromMilliseconds(10);

    public static async Task<Measured> RunAsync(
        string[] command, string scratch, TimeSpan limit, string? directory = null, IReadOnlyDictionary<string, string>? environment = null, CancellationToken cancellation = default)
    {
        var clock = TimeProvider.System;
        var output = Path.Combine(scratch, OutputName);
        var (machineBefore, ownBefore) = (MachineCpu(), Environment.CpuUsage.TotalTime);
        var started = clock.GetTimestamp();
        var process = Spawning.Start(command, directory ?? scratch, environment ?? new Dictionary<string, string>(), output);
        // Read after the child's exec; the kernel counts pages in batches, so its two figures differ a little.
        var ownPeak = ProcessMemory.Peak(Environment.ProcessId) + (16 << 20);
        // On a thread of its own, which takes the time as soon as the process has ended.
        var ending = Task.Factory.StartNew(
            () =>
            {
                var end = Spawning.Wait(process);
                return (end.ExitCode, end.Cpu, end.LargestMemory, Wall: clock.GetElapsedTime(started));
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        long peak = 0;
        var stopped = false;
        using (var timer = new PeriodicTimer(sampling, clock))
        {
            while (!ending.IsCompleted)
            {
                peak = Math.Max(peak, ProcessMemory.PeakBelow(process));
                if (!stopped && (cancellation.IsCancellationRequested || clock.GetElapsedTime(started) > limit))
                {
                    stopped = true;
                    Spawning.KillGroup(process);
                }

                await Task.WhenAny(ending, timer.WaitForNextTickAsync(CancellationToken.None).AsTask());
            }
        }

        var (exitCode, cpu, largest, wall) = await ending;
        // Up to this process's own peak the kernel's figure may be of this one.
        peak = largest > ownPeak ? Math.Max(peak, largest) : peak;
        cancellation.ThrowIfCancellationRequested();
        if (stopped)
        {
            throw new BenchException($"{string.Join(' ', command)} took more than {limit.TotalSeconds:F0} s and was ended.");
        }

        if (exitCode != 0)
        {
            var said = (await File.ReadAllTextAsync(output, CancellationToken.None)).Trim();
            throw new BenchException($"{string.Join(' ', command)} ended with {exitCode}: {said[Math.Max(0, said.Length - 800)..]}");
        }

        var others = MachineCpu() - machineBefore - (Environment.CpuUsage.TotalTime - ownBefore) - cpu;
        return new(wall, cpu, peak, Math.Max(0, others / wall));
    }

    /// <summary>Medians, figure by figure.</summary>
    public static Measured MedianOf(IReadOnlyCollection<Measured> runs) => new(
        TimeSpan.FromSeconds(Median(runs.Select(run => run.Wall.TotalSeconds))),
        TimeSpan.FromSeconds(Median(runs.Select(run => run.Cpu.TotalSeconds))),
        (long)Median(runs.Select(run => (double)run.PeakMemory)),
        Median(runs.Select(run => run.Noise)));

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    // user, nice, system, then idle and waiting for disks, then interrupts and what was stolen; in hundredths of a second.
    private static TimeSpan MachineCpu()
    {
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..].Select(field => long.Parse(field, CultureInfo.InvariantCulture)).ToArray();
        return TimeSpan.FromMilliseconds(10 * (fields[..3].Sum() + fields[5..8].Sum()));
    }
}
