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

        Forget();
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

    /// <summary>Before a directory is removed or replaced: it, or one below it, may be the one kept open.</summary>
    public void Forget()
    {
        if (descriptor >= 0)
        {
            Posix.Close(descriptor);
            descriptor = -1;
        }
    }

    /// <summary>What an entry says of a directory's mode replaces what was remembered of it.</summary>
    public void ModeIsSet(EntryPath directory) => openedUp.Remove(directory);

    /// <summary>Directories that were opened up and of which no entry spoke since get back the mode they had, deepest first.</summary>
    public void Restore()
    {
        foreach (var (path, mode) in openedUp.OrderByDescending(static pair => pair.Key))
        {
            var directory = tree.OpenDirectory(path.Bytes, Posix.ReadOnly);
            if (directory == -Errno.NotFound)
            {
                continue;
            }

            PosixError.Check(directory, "open", tree.Root, path);
            var error = Posix.ChangeMode(directory, mode);
            Posix.Close(directory);
            PosixError.Check(error, "set the mode of", tree.Root, path);
        }

        openedUp.Clear();
    }

    public void Dispose() => Forget();

    private int Open(ReadOnlySpan<byte> path)
    {
        if (openUp && !Posix.IsRoot)
        {
            // From the top, since a directory that may not be entered hides those below.
            var error = OpenUp(EntryPath.Root);
            for (var at = 0; error >= 0 && at < path.Length; at++)
            {
                var slash = path[at..].IndexOf((byte)'/');
                at = slash < 0 ? path.Length : at + slash;
                error = OpenUp(EntryPath.Parse(path[..at]));
            }

            if (error < 0)
            {
                return error;
            }
        }

        return tree.OpenDirectory(path, Posix.PathOnly);
    }

    private int OpenUp(EntryPath path)
    {
        var directory = tree.OpenDirectory(path.Bytes, Posix.PathOnly);
        if (directory < 0)
        {
            return directory;
        }

        try
        {
            var error = Posix.Stat(directory, out FileStat stat);
            if (error < 0 || stat.User != Posix.EffectiveUser || (stat.Permissions & OwnerAll) == OwnerAll)
            {
                return error;
            }

            error = Posix.ChangeMode(new EntryXattrs().ProcPath(directory), stat.Permissions | OwnerAll);
            if (error >= 0)
            {
                openedUp.TryAdd(path, stat.Permissions);
            }

            return error;
        }
        finally
        {
            Posix.Close(directory);
        }
    }
}
