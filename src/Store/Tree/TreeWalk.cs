using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// Walks through a directory of an open tree. Each directory on the way is opened from the root, listed and described in full, and closed before its children are entered, so that a deep
/// tree costs neither descriptors nor stack.
/// </summary>
internal sealed class TreeWalk(TreeHandle tree, TreeLook look)
{
    public static readonly string TooLong = $"it holds a path longer than {EntryPath.MaxLength} bytes";

    private readonly byte[] listing = new byte[DirectoryListing.BufferLength];
    private readonly List<ListedName> names = [];

    /// <summary>The whole tree, on all cores.</summary>
    /// <exception cref="UnauthorizedAccessException">The root itself cannot be listed.</exception>
    public static TreeScan Whole(TreeHandle tree, Func<EntryPath, EntryType, bool> exclude, CancellationToken cancellation)
    {
        var looks = new List<TreeLook>();
        var first = new TreeLook(tree, exclude);
        var top = new Place(new LookedAt(first.LookAtRoot(), Shared: false));
        WalkCrew<Place>.Run(
            top,
            () =>
            {
                var look = new TreeLook(tree, exclude);
                look.LookAtRoot();
                lock (looks)
                {
                    looks.Add(look);
                }

                var walk = new TreeWalk(tree, look);
                return (place, more) => place.Hold(walk.Enter(place.Self), more);
            },
            cancellation);
        looks.ForEach(first.Take);
        if (top.Children is null)
        {
            var reason = first.Unreadable is [var why] ? why.Reason : "it vanished";
            throw new UnauthorizedAccessException($"Cannot list \"{tree.Root}\": {reason}.");
        }

        var entries = new List<LookedAt>();
        Tell(top, entries);
        return first.Result(entries);
    }

    /// <summary>The directory and all below it, in manifest order; nothing when it vanished or cannot be read.</summary>
    public IReadOnlyList<LookedAt> Through(LookedAt directory, CancellationToken cancellation)
    {
        var top = new Place(directory);
        var due = new List<Place> { top };
        while (due.Count > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            var place = due[^1];
            due.RemoveAt(due.Count - 1);
            place.Hold(Enter(place.Self), due);
        }

        var entries = new List<LookedAt>();
        Tell(top, entries);
        return entries;
    }

    // Directories that vanished, or could not be read, are not told, nor is anything below them.
    private static void Tell(Place top, List<LookedAt> entries)
    {
        var open = new Stack<(Place Place, int Child, int Directory)>();
        open.Push((top, -1, 0));
        while (open.TryPop(out var frame))
        {
            var (place, child, directory) = frame;
            if (place.Children is not { } children)
            {
                continue;
            }

            if (child < 0)
            {
                entries.Add(place.Self);
                child = 0;
            }

            while (child < children.Length)
            {
                if (children[child++] is var one && one.Entry.Entry.Type != EntryType.Directory)
                {
                    entries.Add(one);
                    continue;
                }

                open.Push((place, child, directory + 1));
                open.Push((place.Directories[directory], -1, 0));
                break;
            }
        }
    }

    /// <summary>A directory, and what was found in it.</summary>
    private sealed class Place(LookedAt self)
    {
        public LookedAt Self => self;

        /// <summary>In order; null when it was not, or could not be, entered.</summary>
        public LookedAt[]? Children { get; private set; }

        /// <summary>Those of the children that are directories.</summary>
        public Place[] Directories { get; private set; } = [];

        public void Hold(LookedAt[]? children, List<Place> more)
        {
            Children = children;
            if (children is not null)
            {
                Directories = [.. children.Where(static child => child.Entry.Entry.Type == EntryType.Directory).Select(static child => new Place(child))];
                more.AddRange(Directories);
            }
        }
    }

    /// <summary>Describes what a directory holds, in order; null when it vanished or cannot be read.</summary>
    private LookedAt[]? Enter(LookedAt directory)
    {
        var path = directory.Entry.Entry.Path;
        var descriptor = tree.OpenDirectory(path.Bytes, Posix.ReadOnly);
        if (descriptor < 0)
        {
            if (descriptor != -Errno.NotFound)
            {
                look.Unreadable.Add(new UnreadablePath(path, PosixError.Text(-descriptor)));
            }

            return null;
        }

        try
        {
            names.Clear();
            var result = DirectoryListing.Read(descriptor, path, listing, names, out var tooLong);
            if (result < 0 || tooLong)
            {
                look.Unreadable.Add(new UnreadablePath(path, tooLong ? TooLong : PosixError.Text(-result)));
                return null;
            }

            names.Sort(static (left, right) => left.Path.CompareTo(right.Path));
            var children = new LookedAt[names.Count];
            var count = 0;
            foreach (var name in names)
            {
                if (look.Look(descriptor, name) is { } child)
                {
                    children[count++] = child;
                }
            }

            Array.Resize(ref children, count);
            return children;
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }
}
