using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

// Setting watches: a directory is only ever entered through one that is open and has proved to be the one it is taken for.
internal sealed partial class InotifySource
{
    // The directory is opened at its place, and proves by its watch that it is the one.
    private int OpenAt(WatchedDirectory directory, EntryPath place)
    {
        try
        {
            open ??= new TreeHandle(root);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            // The root cannot be entered, which is somebody else's to see.
            return -Errno.NotFound;
        }

        var descriptor = open.OpenDirectory(place.Bytes, Posix.ReadOnly);
        if (descriptor < 0)
        {
            return descriptor;
        }

        var watch = WatchCalls.AddWatch(inotify, descriptor);
        if (watch == directory.Watch)
        {
            return descriptor;
        }

        if (watch >= 0 && tree.Find(watch) is null)
        {
            // Another directory stands here by now; the word of that is still to come, and it gets its watch then.
            _ = WatchCalls.RemoveWatch(inotify, watch);
        }

        Posix.Close(descriptor);
        return -Errno.NotFound;
    }

    private void Enter(WatchedDirectory directory, EntryPath place, ReadOnlySpan<byte> name, TouchCollector into)
    {
        var descriptor = OpenAt(directory, place);
        if (descriptor < 0)
        {
            unsettled.Add(directory);
            return;
        }

        Watch(descriptor, directory, place.Append(name), into);
        Posix.Close(descriptor);
    }

    // A directory that could not be opened when it had to be: tried again, and then it is told and searched as a whole.
    private void Settle(WatchedDirectory directory, TouchCollector into)
    {
        if (tree.Find(directory.Watch) != directory)
        {
            return;
        }

        var descriptor = tree.TryPath(directory, out var place) ? OpenAt(directory, place) : -Errno.NotFound;
        if (descriptor >= 0)
        {
            directory.Misses = 0;
            into.Path(place);
            into.Subtree(place);
            SearchOpen(descriptor, directory, place, into);
            Posix.Close(descriptor);
        }
        else if (descriptor == -Errno.AccessDenied)
        {
            unwatchable[place] = PosixError.Text(-descriptor);
        }
        else if (++directory.Misses < mostMisses)
        {
            unsettled.Add(directory);
        }
        else
        {
            GiveUp($"{directory.Misses} times a watched directory was not found at its place, {place}", into);
        }
    }

    private void Search(int most, TouchCollector into)
    {
        while (most-- > 0 && Fault is null && unsearched.TryDequeue(out var directory))
        {
            if (tree.Find(directory.Watch) != directory)
            {
                continue;
            }

            var descriptor = tree.TryPath(directory, out var place) ? OpenAt(directory, place) : -Errno.NotFound;
            if (descriptor < 0)
            {
                // Settling it tells why, if it goes on.
                unsettled.Add(directory);
                continue;
            }

            SearchOpen(descriptor, directory, place, into);
            Posix.Close(descriptor);
        }

        walked |= unsearched.Count == 0;
    }

    private void SearchOpen(int descriptor, WatchedDirectory directory, EntryPath place, TouchCollector into)
    {
        int length;
        while ((length = Posix.GetDirectoryEntries(descriptor, listing)) > 0)
        {
            for (var at = 0; at < length;)
            {
                var name = DirectoryListing.NameAt(listing.AsSpan(at, length - at), out var type, out var size);
                at += size;
                if (type is not (ListedName.Unknown or ListedDirectory) || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8)
                    || place.Bytes.Length + 1 + name.Length > EntryPath.MaxLength)
                {
                    continue;
                }

                var path = place.Append(name);
                if (!scope.LeavesOutDirectory(path))
                {
                    Watch(descriptor, directory, path, into);
                }
            }
        }

        if (length < 0 && length != -Errno.NotFound)
        {
            unwatchable[place] = PosixError.Text(-length);
        }
    }

    private void Watch(int parentDescriptor, WatchedDirectory parent, EntryPath path, TouchCollector into)
    {
        var descriptor = Posix.OpenAt(parentDescriptor, path.Name, Posix.PathOnly | Posix.DirectoryOnly | Posix.NoFollow);
        if (descriptor < 0)
        {
            if (descriptor is not (-Errno.NotFound or -Errno.NotDirectory or -Errno.TooManyLinks))
            {
                unwatchable[path] = PosixError.Text(-descriptor);
            }

            return;
        }

        try
        {
            // Other file systems mounted in the tree are no part of it.
            if (Posix.Stat(descriptor, out FileStat stat) < 0 || stat.FileSystem != fileSystem)
            {
                return;
            }

            var watch = tree.Count < mostWatches ? WatchCalls.AddWatch(inotify, descriptor) : -Errno.NoSpace;
            if (watch == -Errno.NoSpace)
            {
                limit ??= LimitMet(tree.Count);
            }
            else if (watch < 0)
            {
                unwatchable[path] = PosixError.Text(-watch);
            }
            else if (tree.Place(watch, parent, path.Name, out var directory))
            {
                unsearched.Enqueue(directory);
                if (walked)
                {
                    into.Path(path);
                    into.Subtree(path);
                }
            }
            else if (tree.IsTangled)
            {
                GiveUp("directories were moved faster than they could be followed", into);
            }
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }
}
