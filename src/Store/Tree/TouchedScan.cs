using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>What a look at some paths of a tree found.</summary>
/// <param name="Scan">What is there now, of all that was looked at.</param>
/// <param name="Known">What was known of it, in manifest order: these entries become the found ones, and all others are as they were.</param>
public sealed record TouchedTree(TreeScan Scan, IReadOnlyList<Entry> Known);

/// <summary>
/// Looks at those paths of a known tree that something touched, and at all that may have changed with them: the directories they are in, what lies in a directory that is new or gone,
/// the other names of a file with several. The cost is that of what was touched, however large the tree.
/// </summary>
/// <param name="known">The tree as it was seen last.</param>
/// <param name="pathOf">Where an inode (file system, number) was seen last, if a file.</param>
public sealed class TouchedScan(Manifest known, Func<ulong, ulong, EntryPath?> pathOf)
{
    private readonly Dictionary<EntryPath, LookedAt> found = [];
    private readonly HashSet<EntryPath> looked = [];
    private readonly SortedDictionary<EntryPath, Entry> replaced = [];
    private readonly Queue<EntryPath> due = [];
    private readonly HashSet<EntryPath> whole = [];
    private readonly HashSet<EntryType> rare = [];

    /// <param name="paths">Each of these entries; of a directory all below it as well when it was none before.</param>
    /// <param name="subtrees">Directories to be looked through whole.</param>
    /// <param name="exclude">As for <see cref="TreeScanner.Scan"/>.</param>
    /// <exception cref="DirectoryNotFoundException">The root is not a directory.</exception>
    /// <exception cref="UnauthorizedAccessException">The root itself cannot be looked at.</exception>
    public TouchedTree Look(
        string root, IReadOnlyCollection<EntryPath> paths, IReadOnlyCollection<EntryPath> subtrees, Func<EntryPath, EntryType, bool> exclude, CancellationToken cancellation)
    {
        using var tree = new TreeHandle(root);
        var look = new TreeLook(tree, exclude);
        var walk = new TreeWalk(tree, look);
        var top = new LookedAt(look.LookAtRoot(), Shared: false);
        foreach (var subtree in subtrees)
        {
            whole.Add(subtree);
            due.Enqueue(subtree);
        }

        foreach (var path in paths)
        {
            due.Enqueue(path);
        }

        while (due.TryDequeue(out var path))
        {
            cancellation.ThrowIfCancellationRequested();
            if (looked.Contains(path) && !whole.Contains(path))
            {
                continue;
            }

            if (!path.IsRoot && known.Find(path.Parent) is not { Type: EntryType.Directory } && !looked.Contains(path.Parent))
            {
                // Nobody knew the directory it is in: that one is looked through first, and what came to it since is seen then.
                whole.Add(path.Parent);
                due.Enqueue(path.Parent);
                due.Enqueue(path);
                continue;
            }

            looked.Add(path);
            Take(path.IsRoot ? top : LookAt(tree, look, path), path, whole.Remove(path), walk, cancellation);
        }

        return new TouchedTree(look.Result([.. found.OrderBy(pair => pair.Key).Select(pair => pair.Value)]), [.. replaced.Values]);
    }

    internal static LookedAt? LookAt(TreeHandle tree, TreeLook look, EntryPath path)
    {
        var directory = tree.OpenDirectory(path.Parent.Bytes, Posix.PathOnly);
        if (directory is -Errno.NotFound or -Errno.NotDirectory or -Errno.TooManyLinks)
        {
            return null;
        }

        if (directory < 0)
        {
            look.Unreadable.Add(new UnreadablePath(path, PosixError.Text(-directory)));
            return null;
        }

        try
        {
            return look.Look(directory, new ListedName(path, ListedName.Unknown));
        }
        finally
        {
            Posix.Close(directory);
        }
    }

    private void Take(LookedAt? now, EntryPath path, bool through, TreeWalk walk, CancellationToken cancellation)
    {
        var before = known.Find(path);
        if (!path.IsRoot)
        {
            // Its time changes with every name that comes or goes.
            due.Enqueue(path.Parent);
        }

        var isDirectory = now?.Entry.Entry.Type == EntryType.Directory;
        if (before is { Type: EntryType.Directory } && (!isDirectory || through))
        {
            var (start, end) = known.RangeOf(path);
            for (var at = start; at < end; at++)
            {
                Replace(known.Entries[at]);
            }
        }
        else if (before is not null)
        {
            Replace(before);
        }

        if (now is not { } entry)
        {
            found.Remove(path);
        }
        else if (isDirectory && (before is not { Type: EntryType.Directory } || through))
        {
            foreach (var below in walk.Through(entry, cancellation))
            {
                looked.Add(below.Entry.Entry.Path);
                Keep(below);
            }
        }
        else
        {
            Keep(entry);
        }
    }

    private void Keep(LookedAt entry)
    {
        found[entry.Entry.Entry.Path] = entry;
        if (entry.Shared && entry.Entry.Entry.Type != EntryType.Directory)
        {
            AddNames(entry.Entry);
        }
    }

    /// <summary>One inode, one statement: whoever names it must be said anew with it.</summary>
    private void AddNames(ScannedEntry shared)
    {
        if (shared.Entry.Type != EntryType.File)
        {
            // Links and devices with several names are so rare that nobody keeps a table of them: all of the kind are looked at, once.
            foreach (var alike in rare.Add(shared.Entry.Type) ? known.Entries.Where(entry => entry.Type == shared.Entry.Type) : [])
            {
                due.Enqueue(alike.Path);
            }
        }
        else if (pathOf(shared.Stat.Device, shared.Stat.Inode) is { } path)
        {
            due.Enqueue(path);
        }
    }

    private void Replace(Entry before)
    {
        if (!replaced.TryAdd(before.Path, before))
        {
            return;
        }

        // When the first name of a file goes, another is the first.
        var leader = before.HardlinkOf ?? before.Path;
        var members = known.MembersOf(leader);
        if (members.Count == 0)
        {
            return;
        }

        due.Enqueue(leader);
        foreach (var member in members)
        {
            due.Enqueue(member);
        }
    }
}
