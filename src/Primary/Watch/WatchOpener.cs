using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

/// <summary>What may be used, for tests of one way alone, and of limits nobody wants to meet in earnest.</summary>
internal sealed record WatchOptions(bool Fanotify = true, bool Inotify = true, int MostWatches = int.MaxValue);

/// <summary>Opens the best watch that can be had of a tree.</summary>
internal sealed class WatchOpener(string root, WatchScope scope, WatchOptions options)
{
    /// <summary>The kernel's limit of watches, as text: when it is another one, a new attempt is worth it.</summary>
    public static string Allowed()
    {
        try
        {
            return File.ReadAllText("/proc/sys/fs/inotify/max_user_watches");
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <param name="identity">The directory that is watched; null when the path leads to none.</param>
    /// <param name="why">Why not better; null when it is the best.</param>
    /// <returns>Null when there is nothing that watches.</returns>
    public IChangeSource? TryOpen(out RootIdentity? identity, out string? why)
    {
        identity = RootIdentity.Of(root);
        try
        {
            using var tree = new TreeHandle(root);
            identity = RootIdentity.Of(tree.Descriptor);
            why = "fanotify is not to be used";
            if (options.Fanotify && FanotifySource.TryOpen(tree, scope, out why) is { } fanotify)
            {
                return fanotify;
            }

            if (!options.Inotify)
            {
                return null;
            }

            if (InotifySource.TryOpen(tree, scope, options.MostWatches, out var neither) is { } inotify)
            {
                return inotify;
            }

            why = $"{why}; {neither}";
            return null;
        }
        catch (Exception absent) when (absent is IOException or UnauthorizedAccessException)
        {
            why = absent.Message;
            return null;
        }
    }
}
