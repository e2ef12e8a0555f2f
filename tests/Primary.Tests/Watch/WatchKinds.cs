using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Primary.Capture;
using Mirror.Primary.Watch;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Watch;

/// <summary>The watchers that can be had here: a test of both runs with each.</summary>
internal static class WatchKinds
{
    public const string Fanotify = "fanotify";
    public const string Inotify = "inotify";

    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private static readonly Lazy<bool> fanotifyIsHere = new(static () =>
    {
        using var files = new TemporaryDirectory();
        return new WatchOpener(files.Path, new WatchScope(PathFilter.Nothing), new WatchOptions(Inotify: false)).TryOpen(out _, out _) is { } source && Closed(source);
    });

    public static IEnumerable<object[]> All => fanotifyIsHere.Value ? [[Fanotify], [Inotify]] : [[Inotify]];

    /// <summary>Open, standing, and its first answer ("everything") taken.</summary>
    public static async Task<TreeWatcher> StandingAsync(string kind, string root, PathFilter? filter = null, int mostWatches = int.MaxValue)
    {
        var watcher = Open(kind, root, filter, mostWatches);
        await watcher.TouchedAsync(CancellationToken.None).WaitAsync(Patience);
        Assert.True(watcher.Take().Everything);
        return watcher;
    }

    public static TreeWatcher Open(string kind, string root, PathFilter? filter = null, int mostWatches = int.MaxValue) => TreeWatcher.Open(
        root, filter ?? PathFilter.Nothing, TimeProvider.System, NullLogger.Instance, new WatchOptions(kind == Fanotify, kind == Inotify, mostWatches));

    private static bool Closed(IChangeSource source)
    {
        source.Dispose();
        return true;
    }
}
