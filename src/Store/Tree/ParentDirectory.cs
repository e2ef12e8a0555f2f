using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// The directory a writer works in, kept open while one path after another lies in it. For a process that is not root, a directory its owner may not
/// write to is opened up for as long as the tree is being written; <see cref="Restore"/> gives it its mode back.
/// </summary>
/// <param name="openUp">False leaves modes alone: then a directory that may not be entered is an error.</param>
internal sealed class ParentDirectory(TreeHandle tree, bool openUp) : IDisposable
{
    private const uint OwnerAll = 0x1c0;

    private readonly Dictionary<EntryPath, uint> openedUp = [];
    private byte[] current = [];
    private int length;
    private int descriptor = -1;

    /// <summary>A descriptor of the directory that holds <paramref name="path"/>, good until the next call; or an error number negated.</summary>
    public int Of(EntryPath path)
    {
        var bytes = path.Bytes;
        var parent = bytes[..Math.Max(0, bytes.LastIndexOf((byte)'/'))];
        if (descriptor >= 0 && parent.SequenceEqual(current.AsSpan(0, length)))
        {
            return descriptor;
        }

        Close();
        var opened = Open(parent);
        if (opened < 0)
        {
            return opened;
        }

        if (current.Length < parent.Length)
        {
            current = new byte[Math.Max(256, parent.Length * 2)];
        }

        parent.CopyTo(current);
        length = parent.Length;
        return descriptor = opened;
    }

    /// <summary>Before a directory is removed or replaced: it, or one below it, may be the one kept open or opened up.</summary>
    public void Forget(EntryPath removed)
    {
        Close();
        foreach (var path in openedUp.Keys.Where(path => path.IsWithin(removed)).ToList())
        {
            openedUp.Remove(path);
        }
    }

    public void Close()
    {
        if (descriptor >= 0)
        {
            Posix.Close(descriptor);
            descriptor = -1;
        }
    }

    /// <summary>
    /// The end of work on a tree, deepest directory first, because one that is closed hides those below: what an entry speaks of is handed to
    /// <paramref name="apply"/>; any other directory that was opened up gets back the mode it had.
    /// </summary>
    public void Restore(IEnumerable<Entry> directories, Action<Entry> apply)
    {
        var wanted = directories.DistinctBy(static entry => entry.Path).ToDictionary(static entry => entry.Path);
        if (openUp && !Posix.IsRoot)
        {
            foreach (var path in wanted.Keys)
            {
                // Only to open up what is above; whether it is there shows when the entry is applied.
                _ = Of(path);
            }
        }

        Close();
        foreach (var path in wanted.Keys.Union(openedUp.Keys).OrderDescending())
        {
            if (wanted.TryGetValue(path, out var entry))
            {
                apply(entry);
            }
            else
            {
                GiveBack(path, openedUp[path]);
            }
        }

        openedUp.Clear();
    }

    private void GiveBack(EntryPath path, uint mode)
    {
        var directory = PosixError.Check(tree.OpenDirectory(path.Bytes, Posix.ReadOnly), "open", tree.Root, path);
        var error = Posix.ChangeMode(directory, mode);
        Posix.Close(directory);
        PosixError.Check(error, "set the mode of", tree.Root, path);
    }

    public void Dispose() => Close();

    private int Open(ReadOnlySpan<byte> path)
    {
        var opened = tree.OpenDirectory(path, Posix.PathOnly);
        if (!openUp || Posix.IsRoot)
        {
            return opened;
        }

        if (opened == -Errno.AccessDenied)
        {
            // From the top, since a directory that may not be entered hides those below.
            var error = OpenUp([]);
            for (var at = 0; error >= 0 && at < path.Length; at++)
            {
                var slash = path[at..].IndexOf((byte)'/');
                at = slash < 0 ? path.Length : at + slash;
                error = OpenUp(path[..at]);
            }

            if (error < 0)
            {
                return error;
            }

            opened = tree.OpenDirectory(path, Posix.PathOnly);
        }

        if (opened >= 0 && OpenUp(opened, path) is < 0 and var refused)
        {
            Posix.Close(opened);
            return refused;
        }

        return opened;
    }

    private int OpenUp(ReadOnlySpan<byte> path)
    {
        var directory = tree.OpenDirectory(path, Posix.PathOnly);
        if (directory < 0)
        {
            return directory;
        }

        var error = OpenUp(directory, path);
        Posix.Close(directory);
        return error;
    }

    private int OpenUp(int directory, ReadOnlySpan<byte> path)
    {
        var error = Posix.Stat(directory, out FileStat stat);
        if (error < 0 || stat.User != Posix.EffectiveUser || (stat.Permissions & OwnerAll) == OwnerAll)
        {
            return error;
        }

        error = Posix.ChangeMode(new EntryXattrs().ProcPath(directory), stat.Permissions | OwnerAll);
        if (error >= 0)
        {
            openedUp.TryAdd(EntryPath.Parse(path), stat.Permissions);
        }

        return error;
    }
}
