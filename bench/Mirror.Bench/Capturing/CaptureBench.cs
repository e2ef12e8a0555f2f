using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Bench.Measuring;
using Mirror.Bench.Workloads;
using Mirror.Primary.Capture;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Bench.Capturing;

/// <summary>
/// What a capture costs the primary, in this process: from one file's change to a version that is recorded and whose pack is ready to be pushed (the watcher's part included, the debounce
/// not), and a full scan that finds nothing new, by the size of the site.
/// </summary>
internal sealed class CaptureBench(WorkOptions options, TextWriter output, TextWriter talk)
{
    private const string Name = "bench";
    private const int FilesInFolder = 50;
    private const int Changes = 200;
    private const int Scans = 9;

    private readonly Table table = new(
        "files", "first version", "a change: median ms", "99th of 100", "slowest", "allocated", "nothing changed, full scan: ms", "memory after") { Live = output };

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

    private async Task MeasureAsync(string folder, int files, CancellationToken cancellation)
    {
        var tree = Path.Combine(folder, "tree");
        for (var file = 0; file < files; file++)
        {
            var path = PathOf(tree, file);
            if (file % FilesInFolder == 0)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            }

            await File.WriteAllTextAsync(path, Content(file, 0), cancellation);
        }

        await using var store = await VersionStore.OpenAsync(Path.Combine(folder, "store"), Name, TimeProvider.System, cancellation);
        await store.BeginCapturingAsync(tree, cancellation);
        using var watcher = TreeWatcher.Open(tree, new PathFilter([], []), TimeProvider.System, NullLogger.Instance);
        await watcher.TouchedAsync(cancellation);
        var clock = Stopwatch.StartNew();
        await CaptureAsync(store, tree, watcher.Take(), cancellation);
        var first = clock.Elapsed;
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, cancellation);

        var scans = new List<double>();
        for (var scan = 0; scan < Scans; scan++)
        {
            clock.Restart();
            await CaptureAsync(store, tree, TouchedPaths.All, cancellation);
            scans.Add(clock.Elapsed.TotalMilliseconds);
        }

        var changes = new List<double>();
        var allocated = GC.GetTotalAllocatedBytes();
        for (var change = 1; change <= Changes; change++)
        {
            var file = (int)((long)change * 7919 % files);
            await File.WriteAllTextAsync(PathOf(tree, file), Content(file, change), cancellation);
            clock.Restart();
            while (await CaptureAsync(store, tree, watcher.Take(), cancellation) is null)
            {
                await watcher.TouchedAsync(cancellation);
            }

            changes.Add(clock.Elapsed.TotalMilliseconds);
        }

        allocated = (GC.GetTotalAllocatedBytes() - allocated) / Changes;
        changes.Sort();
        scans.Sort();
        using var self = Process.GetCurrentProcess();
        table.Add(
            files.ToString("N0", CultureInfo.InvariantCulture), $"{first.TotalSeconds.ToString("F2", CultureInfo.InvariantCulture)} s", Milliseconds(changes[changes.Count / 2]),
            Milliseconds(changes[changes.Count * 99 / 100]), Milliseconds(changes[^1]), $"{allocated / 1024:N0} K", Milliseconds(scans[scans.Count / 2]), $"{self.WorkingSet64 >> 20} M");
    }

    private static async Task<VersionRecord?> CaptureAsync(VersionStore store, string tree, TouchedPaths touched, CancellationToken cancellation)
    {
        var request = new CaptureRequest(tree, null, new PathFilter([], []), "bench", 1, [], AllowMassDelete: false) { Touched = touched };
        var captured = await SiteCapture.CaptureAsync(store, request, store.OutboxDirectory, TimeProvider.System, cancellation);
        if (captured.Version is { } version)
        {
            await store.RecordCaptureAsync(version, captured.Delta, captured.StatKeys, captured.Signatures, cancellation);
            File.Delete(captured.Pack!);
        }

        return captured.Version;
    }

    private static string PathOf(string tree, int file) => Path.Combine(tree, $"d{file / FilesInFolder / 100}", $"d{file / FilesInFolder % 100}", $"file{file}.html");

    private static string Content(int file, int change) => $"<html><body>page {file}, as it was written the {change}th time</body></html>{new string(' ', file % 4000)}";

    private static string Milliseconds(double value) => value.ToString("F1", CultureInfo.InvariantCulture);
}
