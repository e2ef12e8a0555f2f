using System.Diagnostics;
using System.Globalization;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;

namespace Mirror.Bench.Capturing;

/// <summary>
/// What a capture costs the primary, by the size of the site: from one file's change to a version that is recorded and whose pack is ready to be pushed (the watcher's part included, the debounce
/// not), and a full scan that finds nothing new. The first version is made in this process; all else is measured in another one, as on a node that was started later.
/// </summary>
internal sealed class CaptureBench(WorkOptions options, TextWriter output, TextWriter talk)
{
    /// <summary>The command of this program that measures a site that was captured before.</summary>
    public const string Again = "capture-again";

    private const int Changes = 200;
    private const int Scans = 9;
    private const int Warming = 20;
    private static readonly TimeSpan WarmFor = TimeSpan.FromSeconds(5);

    private readonly Table table = new(
        "files", "first version", "memory then", "a change: median ms", "99th of 100", "slowest", "allocated", "nothing changed, full scan: ms", "memory, started again", "at most") { Live = output };

    /// <summary>Each row is written as soon as it was measured.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        foreach (var files in new[] { 1_000, 50_000, 1_000_000 }.Select(files => Math.Max(100, (int)(files * options.Scale))))
        {
            talk.WriteLine($"capture: {files} files");
            var folder = Path.Combine(options.Work, "capture");
            Files.Remove(folder);
            try
            {
                await MeasureAsync(folder, files, cancellation);
            }
            finally
            {
                Files.Remove(folder);
            }
        }
    }

    /// <summary>The rest of a row, cell by cell, a line each.</summary>
    public static async Task MeasureAgainAsync(string folder, int files, TextWriter cells, CancellationToken cancellation)
    {
        await using var site = await CapturedSite.OpenAsync(folder, cancellation);
        var clock = Stopwatch.StartNew();

        // A node runs for weeks: what its runtime does in the first seconds is not measured.
        for (var change = 1; change <= Warming || clock.Elapsed < WarmFor; change++)
        {
            await site.WriteAsync((int)((long)change * 104_729 % files), -change, cancellation);
            await site.CaptureTouchedAsync(cancellation);
            await site.CaptureAllAsync(cancellation);
        }

        var scans = new List<double>();
        for (var scan = 0; scan < Scans; scan++)
        {
            clock.Restart();
            await site.CaptureAllAsync(cancellation);
            scans.Add(clock.Elapsed.TotalMilliseconds);
        }

        var changes = new List<double>();
        var allocated = GC.GetTotalAllocatedBytes();
        for (var change = 1; change <= Changes; change++)
        {
            await site.WriteAsync((int)((long)change * 7919 % files), change, cancellation);
            clock.Restart();
            await site.CaptureTouchedAsync(cancellation);
            changes.Add(clock.Elapsed.TotalMilliseconds);
        }

        allocated = (GC.GetTotalAllocatedBytes() - allocated) / Changes;
        changes.Sort();
        scans.Sort();
        using var self = Process.GetCurrentProcess();
        foreach (var cell in new[]
        {
            Milliseconds(changes[changes.Count / 2]), Milliseconds(changes[changes.Count * 99 / 100]), Milliseconds(changes[^1]), $"{allocated / 1024:N0} K",
            Milliseconds(scans[scans.Count / 2]), Mebibytes(self.WorkingSet64), Mebibytes(self.PeakWorkingSet64),
        })
        {
            cells.WriteLine(cell);
        }
    }

    private async Task MeasureAsync(string folder, int files, CancellationToken cancellation)
    {
        await CapturedSite.WriteTreeAsync(folder, files, cancellation);
        var clock = new Stopwatch();
        await using (var site = await CapturedSite.OpenAsync(folder, cancellation))
        {
            clock.Restart();
            await site.CaptureAllAsync(cancellation);
            clock.Stop();
        }

        using var self = Process.GetCurrentProcess();
        table.Add([
            files.ToString("N0", CultureInfo.InvariantCulture), $"{clock.Elapsed.TotalSeconds.ToString("F2", CultureInfo.InvariantCulture)} s", Mebibytes(self.WorkingSet64),
            .. await AgainAsync(folder, files, cancellation)]);
    }

    private static async Task<string[]> AgainAsync(string folder, int files, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(CaptureBench).Assembly.Location);
        }

        foreach (var argument in new[] { Again, folder, files.ToString(CultureInfo.InvariantCulture) })
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var cells = await process.StandardOutput.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        return process.ExitCode == 0
            ? cells.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            : throw new BenchException($"Measuring the captured site {folder} again ended with {process.ExitCode}.");
    }

    private static string Mebibytes(long bytes) => $"{bytes >> 20} M";

    private static string Milliseconds(double value) => value.ToString("F1", CultureInfo.InvariantCulture);
}
