using System.Buffers;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Slots;

/// <summary>
/// Names in a slot's directories that no version and no app put there. A stage looks where it works, which costs nothing to speak of; the rest of a slot is for verify.
/// Sockets are passed over as everywhere, and so is a directory that holds what belongs to an app.
/// </summary>
internal static class ForeignNames
{
    public static List<EntryPath> Find(string root, IEnumerable<Entry> directories, Manifest manifest, Func<EntryPath, bool> isPrivate)
    {
        using var tree = new TreeHandle(root);
        var foreign = new List<EntryPath>();
        var names = new List<ListedName>();
        var buffer = ArrayPool<byte>.Shared.Rent(DirectoryListing.BufferLength);
        try
        {
            foreach (var directory in directories)
            {
                names.Clear();
                List(tree, directory.Path, buffer, names);
                foreign.AddRange(names
                    .Where(name => name.Type != ListedName.SocketType && manifest.Find(name.Path) is null && !isPrivate(name.Path) && !HoldsPrivate(root, name, isPrivate))
                    .Select(name => name.Path));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        return foreign;
    }

    private static void List(TreeHandle tree, EntryPath directory, byte[] buffer, List<ListedName> names)
    {
        var descriptor = PosixError.Check(tree.OpenDirectory(directory.Bytes, Posix.ReadOnly), "list", tree.Root, directory);
        try
        {
            PosixError.Check(DirectoryListing.Read(descriptor, directory, buffer, names, out _), "list", tree.Root, directory);
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }

    private static bool HoldsPrivate(string root, ListedName name, Func<EntryPath, bool> isPrivate)
    {
        if (name.Claimed is not (EntryType.Directory or null))
        {
            return false;
        }

        var found = false;
        TreeScanner.Scan(
            root,
            (path, _) =>
            {
                found |= path.IsWithin(name.Path) && isPrivate(path);
                return found || !(path.IsWithin(name.Path) || name.Path.IsWithin(path));
            },
            CancellationToken.None);
        return found;
    }
}
