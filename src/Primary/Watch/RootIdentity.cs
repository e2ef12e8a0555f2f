using System.Text;
using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

/// <summary>
/// Which directory a path leads to, links followed. A directory that is removed and made anew is another one even when it gets the same inode number: its handle, or at least its
/// time of birth, tells.
/// </summary>
internal sealed record RootIdentity(ulong FileSystem, ulong Inode, long? BornNs, string Handle)
{
    /// <summary>Null when it leads to no directory.</summary>
    public static RootIdentity? Of(string root)
    {
        var opened = Posix.OpenAt(Posix.CurrentDirectory, Encoding.UTF8.GetBytes(root), Posix.PathOnly | Posix.DirectoryOnly);
        if (opened < 0)
        {
            return null;
        }

        try
        {
            return Of(opened);
        }
        finally
        {
            Posix.Close(opened);
        }
    }

    public static RootIdentity? Of(int directory)
    {
        if (Posix.Stat(directory, out FileStat stat) < 0)
        {
            return null;
        }

        Span<byte> handle = stackalloc byte[WatchCalls.LongestHandle];
        var length = WatchCalls.HandleOf(directory, handle);
        return new RootIdentity(stat.FileSystem, stat.Inode, stat.BornNs, length < 0 ? "" : Convert.ToHexString(handle[..length]));
    }
}
