using Mirror.Store.Manifests;

namespace Mirror.Primary.Watch;

/// <summary>A directory that has a watch: its place is its parent and its name, so that moving one directory moves all below it.</summary>
internal sealed class WatchedDirectory(int watch)
{
    public int Watch => watch;

    /// <summary>Null for the root, and for a directory of which it is not known (any more) where it is.</summary>
    public WatchedDirectory? Parent { get; set; }

    public byte[] Name { get; set; } = [];

    public Dictionary<byte[], WatchedDirectory>? Children { get; set; }

    /// <summary>How often it was not found where it should be.</summary>
    public int Misses { get; set; }

    /// <summary>The round in which its place was lost.</summary>
    public int LostIn { get; set; }
}

/// <summary>
/// The directories inotify watches, by watch and by place. A watch belongs to the directory itself and stays with it wherever it goes; the place is what is known of it. The two are
/// joined only by somebody who has the directory open: the kernel answers with the watch that directory has.
/// </summary>
internal sealed class WatchedTree
{
    private readonly Dictionary<int, WatchedDirectory> byWatch = [];
    private readonly List<WatchedDirectory> adrift = [];
    private int round;

    public WatchedTree(int rootWatch)
    {
        Root = new WatchedDirectory(rootWatch);
        byWatch.Add(rootWatch, Root);
    }

    public WatchedDirectory Root { get; }

    public int Count => byWatch.Count;

    /// <summary>Places contradict each other: only looking at all of them anew helps.</summary>
    public bool IsTangled { get; private set; }

    public WatchedDirectory? Find(int watch) => byWatch.GetValueOrDefault(watch);

    /// <summary>Where it is; false when that is not known.</summary>
    public bool TryPath(WatchedDirectory directory, out EntryPath path)
    {
        Span<byte> buffer = stackalloc byte[EntryPath.MaxLength + 1];
        var at = buffer.Length;
        for (; directory.Parent is { } parent; directory = parent)
        {
            var name = directory.Name;
            at -= name.Length + 1;
            if (at < 0)
            {
                path = default;
                return false;
            }

            name.CopyTo(buffer[at..]);
            buffer[at + name.Length] = (byte)'/';
        }

        path = at == buffer.Length ? EntryPath.Root : EntryPath.Parse(buffer[at..^1]);
        return directory == Root;
    }

    /// <summary>The directory of this watch is here: it is moved here, or new (then true).</summary>
    public bool Place(int watch, WatchedDirectory parent, ReadOnlySpan<byte> name, out WatchedDirectory directory)
    {
        var known = byWatch.TryGetValue(watch, out var found);
        directory = found ?? new WatchedDirectory(watch);
        if (known && directory.Parent == parent && name.SequenceEqual(directory.Name))
        {
            return false;
        }

        for (var above = parent; above is not null; above = above.Parent)
        {
            if (above == directory)
            {
                IsTangled = true;
                return false;
            }
        }

        Detach(directory);
        adrift.Remove(directory);
        if (ChildOf(parent, name) is { } former)
        {
            Detach(former);
        }

        byWatch[watch] = directory;
        directory.Parent = parent;
        directory.Name = name.ToArray();
        (parent.Children ??= new Dictionary<byte[], WatchedDirectory>(BytesComparer.Instance))[directory.Name] = directory;
        return !known;
    }

    public WatchedDirectory? ChildOf(WatchedDirectory parent, ReadOnlySpan<byte> name) =>
        parent.Children is { } children && children.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out var child) ? child : null;

    /// <summary>The directory is not where it was. It is told soon where it is, or has left the tree.</summary>
    public void Detach(WatchedDirectory directory)
    {
        if (directory.Parent is { } parent)
        {
            parent.Children!.Remove(directory.Name);
            directory.Parent = null;
            directory.LostIn = round;
            adrift.Add(directory);
        }
    }

    /// <summary>The kernel ended this watch: the directory is no more.</summary>
    public void Ended(int watch)
    {
        if (byWatch.Remove(watch, out var directory))
        {
            Detach(directory);
            adrift.Remove(directory);
            foreach (var child in directory.Children?.Values.ToArray() ?? [])
            {
                Detach(child);
            }
        }
    }

    /// <summary>Gives up directories that were lost in an earlier round: they left the tree. (The two words of a move may come in two rounds.)</summary>
    /// <param name="given">Takes each watch that is to be ended.</param>
    public void DropAdrift(Action<int> given)
    {
        round++;
        if (adrift.Count == 0)
        {
            return;
        }

        var dropped = new Stack<WatchedDirectory>(adrift.Where(lost => lost.LostIn < round - 1));
        adrift.RemoveAll(lost => lost.LostIn < round - 1);
        while (dropped.TryPop(out var directory))
        {
            directory.Parent = null;
            if (byWatch.Remove(directory.Watch))
            {
                given(directory.Watch);
            }

            foreach (var child in directory.Children?.Values ?? Enumerable.Empty<WatchedDirectory>())
            {
                dropped.Push(child);
            }

            directory.Children = null;
        }
    }
}
