using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>Removes a directory with all below it. Depth costs neither descriptors nor stack; links are removed, never followed.</summary>
internal static class TreeRemoval
{
    private const uint OwnerAll = 0x1c0;

    public static void RemoveDirectory(TreeHandle tree, EntryPath top)
    {
        var buffer = new byte[DirectoryListing.BufferLength];
        var names = new List<ListedName>();

        // A directory is visited twice: first its files go and its directories are pushed above it, then, empty, it goes itself.
        var pending = new Stack<(EntryPath Path, bool Emptied)>();
        pending.Push((top, false));
        while (pending.TryPop(out var next))
        {
            if (next.Emptied)
            {
                RemoveEmpty(tree, next.Path);
                continue;
            }

            pending.Push((next.Path, true));
            var directory = Open(tree, next.Path);
            if (directory == -Errno.NotFound)
            {
                continue;
            }

            PosixError.Check(directory, "open", tree.Root, next.Path);
            try
            {
                names.Clear();
                PosixError.Check(DirectoryListing.Read(directory, next.Path, buffer, names, out var tooLong), "list", tree.Root, next.Path);
                if (tooLong)
                {
                    throw new IOException($"Cannot remove \"{tree.Root}/{next.Path}\": it holds paths longer than {EntryPath.MaxLength} bytes. Remove it by hand.");
                }

                foreach (var name in names)
                {
                    var error = Posix.Unlink(directory, name.Path.Name);
                    if (error == -Errno.IsDirectory)
                    {
                        pending.Push((name.Path, false));
                    }
                    else if (error != -Errno.NotFound)
                    {
                        PosixError.Check(error, "remove", tree.Root, name.Path);
                    }
                }
            }
            finally
            {
                Posix.Close(directory);
            }
        }
    }

    /// <summary>Opened for reading; when that is refused to its owner, after giving the owner the right.</summary>
    private static int Open(TreeHandle tree, EntryPath path)
    {
        if (!Posix.IsRoot)
        {
            var inode = tree.OpenDirectory(path.Bytes, Posix.PathOnly);
            if (inode >= 0)
            {
                // What may not be done shows when the directory is read.
                if (Posix.Stat(inode, out FileStat stat) >= 0 && (stat.Permissions & OwnerAll) != OwnerAll)
                {
                    _ = Posix.ChangeMode(new EntryXattrs().ProcPath(inode), stat.Permissions | OwnerAll);
                }

                Posix.Close(inode);
            }
        }

        return tree.OpenDirectory(path.Bytes, Posix.ReadOnly);
    }

    private static void RemoveEmpty(TreeHandle tree, EntryPath path)
    {
        var parent = PosixError.Check(tree.OpenDirectory(path.Parent.Bytes, Posix.PathOnly), "open the directory of", tree.Root, path);
        var error = Posix.RemoveDirectory(parent, path.Name);
        Posix.Close(parent);
        if (error != -Errno.NotFound)
        {
            PosixError.Check(error, "remove", tree.Root, path);
        }
    }
}
