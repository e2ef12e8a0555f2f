using System.Text;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// An open tree: paths are resolved from its root directory without following any link and without leaving it, whatever is swapped meanwhile. The kernel does this
/// in one call (openat2); where that is not to be had (an older kernel, a filter on system calls) each component is opened in turn.
/// </summary>
internal sealed class TreeHandle : IDisposable
{
    private static volatile bool noOpenBeneath;

    private int descriptor;

    /// <param name="root">A symbolic link is followed here, and only here.</param>
    /// <exception cref="DirectoryNotFoundException">It is absent or not a directory.</exception>
    public TreeHandle(string root)
    {
        Root = root;
        var opened = Posix.OpenAt(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(root), Posix.ReadOnly | Posix.DirectoryOnly);
        if (opened is -Errno.NotFound or -Errno.NotDirectory)
        {
            throw new DirectoryNotFoundException($"The tree \"{root}\" is not a directory: {PosixError.Text(-opened)}.");
        }

        descriptor = PosixError.Check(opened, "open the tree", root, EntryPath.Root);
    }

    public string Root { get; }

    public int Descriptor => descriptor;

    /// <summary>A new descriptor, or an error number negated. The root itself can be opened too.</summary>
    public int OpenDirectory(ReadOnlySpan<byte> path, int flags) => Open(path, flags | Posix.DirectoryOnly);

    /// <summary>A new descriptor, or an error number negated; a link as last component is not followed either.</summary>
    public int Open(ReadOnlySpan<byte> path, int flags)
    {
        if (path.IsEmpty)
        {
            return Posix.OpenAt(descriptor, "."u8, flags | Posix.NoFollow);
        }

        if (!path.Contains((byte)'/'))
        {
            return Posix.OpenAt(descriptor, path, flags | Posix.NoFollow);
        }

        if (!noOpenBeneath)
        {
            var opened = Posix.OpenBeneath(descriptor, path, flags | Posix.NoFollow);
            if (opened is not (-Errno.NotImplemented or -Errno.NotPermitted))
            {
                return opened;
            }

            // A container's filter answers "not permitted" for every path: then the slow way is right for good. For one odd file it does no harm.
            noOpenBeneath = true;
        }

        return OpenByComponents(descriptor, path, flags);
    }

    /// <summary>The same by one call a component, none of which follows a link.</summary>
    internal static int OpenByComponents(int root, ReadOnlySpan<byte> path, int flags)
    {
        var directory = root;
        while (true)
        {
            var slash = path.IndexOf((byte)'/');
            var last = slash < 0;
            var next = last
                ? Posix.OpenAt(directory, path, flags | Posix.NoFollow)
                : Posix.OpenAt(directory, path[..slash], Posix.PathOnly | Posix.DirectoryOnly | Posix.NoFollow);
            if (directory != root)
            {
                Posix.Close(directory);
            }

            if (last || next < 0)
            {
                return next;
            }

            directory = next;
            path = path[(slash + 1)..];
        }
    }

    public void Dispose()
    {
        if (descriptor >= 0)
        {
            Posix.Close(descriptor);
            descriptor = -1;
        }
    }
}
