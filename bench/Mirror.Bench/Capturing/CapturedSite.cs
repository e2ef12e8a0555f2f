using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Node.Processes;
using Mirror.Primary.Capture;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Bench.Capturing;

/// <summary>A site as its primary has it: a tree that is watched, and the store that knows its last version.</summary>
internal sealed class CapturedSite : IAsyncDisposable
{
    private const string Name = "bench";
    private const int FilesInFolder = 50;

    private readonly string tree;
    private readonly VersionStore store;
    private readonly ITreeWatcher watcher;

    private CapturedSite(string tree, VersionStore store, ITreeWatcher watcher)
    {
        this.tree = tree;
        this.store = store;
        this.watcher = watcher;
    }

    public static async Task WriteTreeAsync(string folder, int files, CancellationToken cancellation)
    {
        for (var file = 0; file < files; file++)
        {
            var path = PathOf(TreeIn(folder), file);
            if (file % FilesInFolder == 0)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            }

            await File.WriteAllTextAsync(path, Content(file, 0), cancellation);
        }
    }

    /// <summary>The watcher has told what it begins with: that it has seen nothing yet.</summary>
    public static async Task<CapturedSite> OpenAsync(string folder, CancellationToken cancellation)
    {
        var tree = TreeIn(folder);
        var store = await VersionStore.OpenAsync(Path.Combine(folder, "store"), Name, TimeProvider.System, cancellation);
        await store.BeginCapturingAsync(tree, cancellation);
        HeapTrim.After(store.HeadManifest.Entries.Count);
        var watcher = TreeWatcher.Open(tree, new PathFilter([], []), TimeProvider.System, NullLogger.Instance);
        await watcher.TouchedAsync(cancellation);
        _ = watcher.Take();
        return new CapturedSite(tree, store, watcher);
    }

    /// <summary>A look at everything.</summary>
    public Task<VersionRecord?> CaptureAllAsync(CancellationToken cancellation) => CaptureAsync(TouchedPaths.All, cancellation);

    public Task WriteAsync(int file, int change, CancellationToken cancellation) => File.WriteAllTextAsync(PathOf(tree, file), Content(file, change), cancellation);

    /// <summary>What was written is captured as soon as the watcher tells of it.</summary>
    public async Task CaptureTouchedAsync(CancellationToken cancellation)
    {
        while (await CaptureAsync(watcher.Take(), cancellation) is null)
        {
            await watcher.TouchedAsync(cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        watcher.Dispose();
        await store.DisposeAsync();
    }

    private async Task<VersionRecord?> CaptureAsync(TouchedPaths touched, CancellationToken cancellation)
    {
        var request = new CaptureRequest(tree, null, new PathFilter([], []), "bench", 1, [], AllowMassDelete: false) { Touched = touched };
        var captured = await SiteCapture.CaptureAsync(store, request, store.OutboxDirectory, TimeProvider.System, cancellation);
        if (captured.Version is { } version)
        {
            await store.RecordCaptureAsync(version, captured.Delta, captured.StatKeys, captured.Signatures, cancellation);
            File.Delete(captured.Pack!);
            HeapTrim.After(captured.Delta.Put.Count);
        }
        else if (captured.FilesRead > 0)
        {
            // As a primary does: what was touched and is as before is read once.
            await store.NoteUnchangedAsync(captured.StatKeys, captured.Signatures, cancellation);
        }

        return captured.Version;
    }

    private static string TreeIn(string folder) => Path.Combine(folder, "tree");

    private static string PathOf(string tree, int file) => Path.Combine(tree, $"d{file / FilesInFolder / 100}", $"d{file / FilesInFolder % 100}", $"file{file}.html");

    private static string Content(int file, int change) => $"<html><body>page {file}, as it was written the {change}th time</body></html>{new string(' ', file % 4000)}";
}
