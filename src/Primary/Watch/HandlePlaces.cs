using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

/// <summary>Where a directory is, as far as the tree is concerned.</summary>
internal enum PlaceKind
{
    /// <summary>At a path of the tree.</summary>
    Inside,

    /// <summary>Elsewhere on the file system, left out, or gone: nothing in it matters.</summary>
    Elsewhere,

    /// <summary>It could not be found out.</summary>
    Unknown,
}

internal readonly record struct Place(PlaceKind Kind, EntryPath Path = default)
{
    public static Place Elsewhere => new(PlaceKind.Elsewhere);

    public static Place Unknown => new(PlaceKind.Unknown);
}

/// <summary>
/// From a directory's handle to its path. The kernel is asked once for each handle and says where the directory is <em>now</em>. That answer is remembered until a directory
/// is moved: then all is forgotten, which costs a few microseconds for each directory that is met again, and nothing can be wrong. (What is told of a directory between its
/// move and the word of that move may carry the path from before; the move's own word names the whole directory at its new path, and comes later.)
/// </summary>
internal sealed class HandlePlaces(string root, WatchScope scope) : IDisposable
{
    /// <summary>Rather asked again than a table without bounds.</summary>
    private const int most = 200_000;

    // A handle a directory had stays its own: a directory that is made later gets another one.
    private readonly Dictionary<byte[], Place> places = new(BytesComparer.Instance);
    private readonly byte[] rootBytes = Encoding.UTF8.GetBytes(root);
    private readonly byte[] rootPath = new byte[EntryPath.MaxLength + 1];
    private readonly byte[] path = new byte[EntryPath.MaxLength + 1];
    private int rootDescriptor = -1;

    public Place Find(ReadOnlySpan<byte> handle)
    {
        var bySpan = places.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (bySpan.TryGetValue(handle, out var known))
        {
            return known;
        }

        var place = Ask(handle);
        if (place.Kind != PlaceKind.Unknown)
        {
            if (places.Count >= most)
            {
                places.Clear();
            }

            bySpan[handle] = place;
        }

        return place;
    }

    /// <summary>A directory was moved.</summary>
    public void Forget() => places.Clear();

    /// <summary>The root is not held open longer than a round takes: nobody could unmount it.</summary>
    public void EndRound()
    {
        if (rootDescriptor >= 0)
        {
            Posix.Close(rootDescriptor);
            rootDescriptor = -1;
        }
    }

    public void Dispose() => EndRound();

    private Place Ask(ReadOnlySpan<byte> handle)
    {
        if (rootDescriptor < 0)
        {
            rootDescriptor = Posix.OpenAt(Posix.CurrentDirectory, rootBytes, Posix.ReadOnly | Posix.DirectoryOnly);
            if (rootDescriptor < 0)
            {
                rootDescriptor = -1;
                return Place.Unknown;
            }
        }

        var directory = WatchCalls.OpenByHandle(rootDescriptor, handle);
        if (directory < 0)
        {
            // Stale: it is gone. Its removal is told of the directory it was in, or of one above.
            return directory == -WatchCalls.Stale ? Place.Elsewhere : Place.Unknown;
        }

        try
        {
            if (Posix.Stat(directory, out FileStat stat) < 0)
            {
                return Place.Unknown;
            }

            if (stat.Links == 0)
            {
                return Place.Elsewhere;
            }

            var rootLength = WatchCalls.PathOf(rootDescriptor, rootPath);
            var length = WatchCalls.PathOf(directory, path);
            if (length == -Errno.NameTooLong)
            {
                // Deeper than the kernel can say. Where that is elsewhere, nobody has to look at the whole tree for it.
                return IsBelowRoot(directory) ? Place.Unknown : Place.Elsewhere;
            }

            return rootLength <= 0 || length <= 0 ? Place.Unknown : Within(path.AsSpan(0, length), rootPath.AsSpan(0, rootLength));
        }
        finally
        {
            Posix.Close(directory);
        }
    }

    // Up, step by step, to the root or past it. True when in doubt.
    private bool IsBelowRoot(int directory)
    {
        if (Posix.Stat(rootDescriptor, out FileStat root) < 0 || Posix.Stat(directory, out FileStat stat) < 0)
        {
            return true;
        }

        var at = directory;
        try
        {
            while (!IsSame(stat, root))
            {
                var above = Posix.OpenAt(at, ".."u8, Posix.PathOnly | Posix.DirectoryOnly);
                if (above < 0)
                {
                    return true;
                }

                Leave();
                at = above;
                var below = stat;
                if (Posix.Stat(at, out stat) < 0)
                {
                    return true;
                }

                if (IsSame(stat, below))
                {
                    return false;
                }
            }

            return true;
        }
        finally
        {
            Leave();
        }

        void Leave()
        {
            if (at != directory)
            {
                Posix.Close(at);
            }
        }
    }

    private static bool IsSame(in FileStat one, in FileStat other) => one.Inode == other.Inode && one.FileSystem == other.FileSystem;

    private Place Within(ReadOnlySpan<byte> directory, ReadOnlySpan<byte> top)
    {
        top = top.TrimEnd((byte)'/');
        if (!directory.StartsWith(top))
        {
            return Place.Elsewhere;
        }

        var rest = directory[top.Length..];
        if (rest.IsEmpty)
        {
            return new Place(PlaceKind.Inside);
        }

        if (rest[0] != '/')
        {
            return Place.Elsewhere;
        }

        if (rest.Length == 1)
        {
            return new Place(PlaceKind.Inside);
        }

        var found = EntryPath.Parse(rest[1..]);
        return scope.LeavesOutBelow(found) ? Place.Elsewhere : new Place(PlaceKind.Inside, found);
    }
}
