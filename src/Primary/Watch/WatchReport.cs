using Microsoft.Extensions.Logging;

namespace Mirror.Primary.Watch;

/// <summary>What an administrator is told about the watch of a tree: each state once.</summary>
internal sealed partial class WatchReport(string tree, ILogger logger)
{
    private volatile string? degraded;
    private string? watching;

    public string? Degraded => degraded;

    /// <param name="notBetter">Why no better way is used.</param>
    public void Watched(IChangeSource source, string? notBetter)
    {
        if (source.Limit is { } limit)
        {
            NotWatched(limit);
            return;
        }

        if (degraded is null && watching == source.Name)
        {
            return;
        }

        degraded = null;
        watching = source.Name;
        if (string.IsNullOrEmpty(notBetter))
        {
            Log.Watched(logger, tree, source.Name);
        }
        else
        {
            Log.WatchedInstead(logger, tree, source.Name, notBetter);
        }
    }

    /// <returns>False when that was said already.</returns>
    public bool NotWatched(string? why)
    {
        why ??= "nothing can watch it";
        if (degraded == why)
        {
            return false;
        }

        degraded = why;
        Log.NotWatched(logger, tree, why);
        return true;
    }

    private static partial class Log
    {
        [LoggerMessage(3050, LogLevel.Information, "{Tree}: {Watcher} watches it")]
        public static partial void Watched(ILogger logger, string tree, string watcher);

        [LoggerMessage(3051, LogLevel.Information, "{Tree}: {Watcher} watches it ({Reason})")]
        public static partial void WatchedInstead(ILogger logger, string tree, string watcher, string reason);

        [LoggerMessage(3052, LogLevel.Warning, "{Tree}: changes are found by scanning only, for now: {Reason}")]
        public static partial void NotWatched(ILogger logger, string tree, string reason);
    }
}
