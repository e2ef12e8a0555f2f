using Microsoft.Win32.SafeHandles;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Logs;

/// <summary>Which file it is, whatever it is called. Numbers of inodes are used again; the time of birth tells, where the file system says it.</summary>
public readonly record struct LogIdentity(ulong Inode, long? BornNs);

/// <summary>What is to be seen of an open log file.</summary>
/// <param name="Names">How many names it has; none: it was deleted, and lives on for who has it open.</param>
public readonly record struct LogLook(LogIdentity Identity, long Size, long MtimeNs, long CtimeNs, uint Names, uint Mode, uint Uid, uint Gid, long BlockLength, ulong Device);

/// <summary>What came of taking bytes out.</summary>
public enum RangeRemoval
{
    Done,

    /// <summary>The file system has no such call.</summary>
    NotSupported,
}

/// <summary>A log file that its app writes to. Opened by its byte path, following no link; it stays the same file when it gets another name.</summary>
public sealed class LogFile : IDisposable
{
    private const int noDevice = 6;

    // Nothing is written by it. But a child of this process has it too until it runs its program, and must not be taken for a writer that keeps its place.
    private const int appending = 0x400;
    private const int textBusy = 26;

    private static readonly Lock namesGate = new();
    private static readonly OwnerNames names = new();

    private readonly SafeFileHandle handle;
    private readonly string name;

    private LogFile(SafeFileHandle handle, EntryPath path, string root)
    {
        this.handle = handle;
        Path = path;
        name = $"{root}/{path}";
    }

    /// <summary>Where it was when it was opened.</summary>
    public EntryPath Path { get; }

    /// <summary>Null when there is no such file (any more), or it is no regular one.</summary>
    /// <param name="toEmpty">It can be written to as well, as emptying needs it.</param>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    /// <exception cref="IOException"/>
    public static LogFile? TryOpen(string root, EntryPath path, bool toEmpty = false)
    {
        using var tree = new TreeHandle(root);
        var descriptor = tree.Open(path.Bytes, (toEmpty ? Posix.ReadWrite | appending : Posix.ReadOnly) | Posix.NonBlocking);
        if (descriptor is -Errno.NotFound or -Errno.NotDirectory or -Errno.TooManyLinks or -Errno.IsDirectory or -noDevice)
        {
            return null;
        }

        var handle = new SafeFileHandle(PosixError.Check(descriptor, "open the log", root, path), ownsHandle: true);
        try
        {
            PosixError.Check(Posix.Stat(descriptor, out FileStat stat), "look at", root, path);
            if (stat.Type == EntryType.File)
            {
                return new LogFile(handle, path, root);
            }
        }
        catch
        {
            handle.Dispose();
            throw;
        }

        handle.Dispose();
        return null;
    }

    /// <summary>The regular files in a directory of the tree; none when that is gone.</summary>
    public static IReadOnlyList<(EntryPath Path, LogIdentity Identity)> In(string root, EntryPath directory)
    {
        using var tree = new TreeHandle(root);
        var descriptor = tree.OpenDirectory(directory.Bytes, Posix.ReadOnly);
        if (descriptor is -Errno.NotFound or -Errno.NotDirectory or -Errno.TooManyLinks)
        {
            return [];
        }

        PosixError.Check(descriptor, "list", root, directory);
        try
        {
            var listing = new List<ListedName>();
            PosixError.Check(DirectoryListing.Read(descriptor, directory, new byte[DirectoryListing.BufferLength], listing, out _), "list", root, directory);
            var found = new List<(EntryPath, LogIdentity)>();
            foreach (var listed in listing.Where(listed => listed.Claimed is EntryType.File or null))
            {
                if (Posix.Stat(descriptor, listed.Path.Name, out FileStat stat) >= 0 && stat.Type == EntryType.File)
                {
                    found.Add((listed.Path, new LogIdentity(stat.Inode, stat.BornNs)));
                }
            }

            return found;
        }
        finally
        {
            Posix.Close(descriptor);
        }
    }

    public LogLook Look()
    {
        var added = false;
        try
        {
            handle.DangerousAddRef(ref added);
            var error = Posix.Stat((int)handle.DangerousGetHandle(), out FileStat stat);
            if (error < 0)
            {
                PosixError.Throw("look at", name, -error);
            }

            return new LogLook(
                new LogIdentity(stat.Inode, stat.BornNs), stat.Size, stat.Modification.UnixNs, stat.Change.UnixNs, stat.Links, stat.Permissions, stat.User, stat.Group,
                Math.Max(4096, stat.BlockSize), stat.FileSystem);
        }
        finally
        {
            if (added)
            {
                handle.DangerousRelease();
            }
        }
    }

    /// <summary>Fills the buffer from an offset on; less at the end of the file.</summary>
    public int Read(long offset, Span<byte> buffer)
    {
        var filled = 0;
        for (int length; filled < buffer.Length && (length = RandomAccess.Read(handle, buffer[filled..], offset + filled)) > 0; filled += length)
        {
        }

        return filled;
    }

    /// <summary>
    /// Removes the first bytes in one step: what follows moves to the front, and a writer that appends writes after it, before and after. In blocks of the file system, and never all of it.
    /// </summary>
    public RangeRemoval RemoveFront(long length) => Remove(descriptor => PosixRanges.CollapseFront(descriptor, length), "remove the captured part of");

    /// <summary>Gives the room of a range back; it reads as zeros and every offset stays what it was.</summary>
    public RangeRemoval Clear(long from, long length) => Remove(descriptor => PosixRanges.PunchHole(descriptor, from, length), "clear the captured part of");

    /// <summary>Who the file belongs to, by name; empty when the system knows none.</summary>
    public static (string Owner, string Group) OwnersOf(LogLook look)
    {
        lock (namesGate)
        {
            return (names.User(look.Uid), names.Group(look.Gid));
        }
    }

    public void Dispose() => handle.Dispose();

    private RangeRemoval Remove(Func<int, int> call, string action)
    {
        var added = false;
        try
        {
            handle.DangerousAddRef(ref added);
            var error = call((int)handle.DangerousGetHandle());
            if (error is -Errno.NotSupported or -Errno.NotImplemented or -Errno.InvalidArgument or -Errno.NotPermitted or -textBusy)
            {
                return RangeRemoval.NotSupported;
            }

            if (error < 0)
            {
                PosixError.Throw(action, name, -error);
            }

            return RangeRemoval.Done;
        }
        finally
        {
            if (added)
            {
                handle.DangerousRelease();
            }
        }
    }
}
