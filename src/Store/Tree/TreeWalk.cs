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
    private readonly List<LookedAt> entries = [];

    /// <summary>The directory and all below it, in manifest order; nothing when it vanished or cannot be read.</summary>
    public IReadOnlyList<LookedAt> Through(LookedAt directory, CancellationToken cancellation)
    {
        // Children still to be told, innermost directory last.
        var open = new Stack<(LookedAt[] Children, int Next)>();
        if (Enter(directory) is not { } first)
        {
            return [];
        }

        open.Push((first, 0));
        while (open.TryPop(out var frame))
        {
            cancellation.ThrowIfCancellationRequested();
            var (children, next) = frame;
            while (next < children.Length)
            {
                var child = children[next++];
                if (child.Entry.Entry.Type != EntryType.Directory)
                {
                    entries.Add(child);
                }
                else if (Enter(child) is { } inner)
                {
                    open.Push((children, next));
                    open.Push((inner, 0));
                    break;
                }
            }
        }

        return entries;
    }

    /// <summary>Tells a directory and describes what it holds, in order; null when it vanished or cannot be read.</summary>
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
            entries.Add(directory);
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
