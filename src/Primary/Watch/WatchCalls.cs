using System.Runtime.InteropServices;
using Mirror.Store.Tree;

namespace Mirror.Primary.Watch;

/// <summary>What happened to a name: fanotify and inotify use the same bits for it.</summary>
[Flags]
internal enum Happening : uint
{
    Modified = 0x2,
    Attributes = 0x4,
    WriterClosed = 0x8,
    MovedFrom = 0x40,
    MovedTo = 0x80,
    Made = 0x100,
    Removed = 0x200,
    Overflow = 0x4000,
    OnDirectory = 0x40000000,

    /// <summary>Content and names; not attributes, nor that somebody closed what he may not have written to.</summary>
    Writes = Modified | MovedFrom | MovedTo | Made | Removed,
    Names = MovedFrom | MovedTo | Made | Removed,
    All = Writes | Attributes | WriterClosed,
}

/// <summary>
/// The kernel's two ways of telling what happens to files. As in <see cref="Posix"/>, every call returns its result, or the error number negated. Linux on x64 and arm64.
/// </summary>
internal static unsafe partial class WatchCalls
{
    public const int TooManyOpenHere = 24;
    public const int TooManyOpen = 23;
    public const int Stale = 116;
    public const int NameTooLong = 36;

    public const int LongestHandle = 8 + 128;

    // A descriptor that does not block and is closed on exec: the same two flags in all three calls below.
    private const int FlagsOfDescriptor = 0x80000 | 0x800;

    private const uint FanotifyFlags = CloseOnExecFanotify | NonBlockingFanotify | UnlimitedQueue | ReportDirectoryAndName;
    private const uint CloseOnExecFanotify = 1;
    private const uint NonBlockingFanotify = 2;
    private const uint UnlimitedQueue = 0x10;
    private const uint ReportDirectoryAndName = 0x400 | 0x800;
    private const uint AddMark = 1;
    private const uint WholeFileSystem = 0x100;

    private const uint OnlyDirectory = 0x01000000;
    private const uint NotWhenUnlinked = 0x04000000;

    private const int AtEmptyPath = 0x1000;
    private const nuint BytesQueued = 0x541B;
    private const short Readable = 1;

    /// <summary>Opens fanotify for names of entries, with a queue that never runs over. Only for root, from Linux 5.9 on.</summary>
    public static int OpenFanotify() => Result(fanotify_init(FanotifyFlags, 0));

    /// <summary>From here on all that happens on the file system the directory lies on is told.</summary>
    public static int MarkFileSystem(int fanotify, int directory)
    {
        byte dot = (byte)'.';
        var path = stackalloc byte[] { dot, 0 };
        return Result(fanotify_mark(fanotify, AddMark | WholeFileSystem, (ulong)(Happening.All | Happening.OnDirectory), directory, path));
    }

    public static int OpenInotify() => Result(inotify_init1(FlagsOfDescriptor));

    /// <summary>Watches an open directory itself, whatever its path is by now. The number of the watch; one that is watched already keeps its number.</summary>
    public static int AddWatch(int inotify, int directory)
    {
        Span<byte> path = stackalloc byte[40];
        var terminated = DescriptorPath(directory, path);
        fixed (byte* start = terminated)
        {
            return Result(inotify_add_watch(inotify, start, (uint)Happening.All | OnlyDirectory | NotWhenUnlinked));
        }
    }

    public static int RemoveWatch(int inotify, int watch) => Result(inotify_rm_watch(inotify, watch));

    /// <summary>Where an open file is now, by the kernel's own word.</summary>
    public static int PathOf(int descriptor, Span<byte> buffer)
    {
        Span<byte> path = stackalloc byte[40];
        return Posix.ReadLink(Posix.CurrentDirectory, DescriptorPath(descriptor, path)[..^1], buffer);
    }

    /// <summary>The file system's lasting name of an open file (<c>struct file_handle</c>); its length.</summary>
    public static int HandleOf(int descriptor, Span<byte> handle)
    {
        MemoryMarshal.Write(handle, handle.Length - 8);
        byte empty = 0;
        fixed (byte* start = handle)
        {
            int mount;
            var result = Result(name_to_handle_at(descriptor, &empty, start, &mount, AtEmptyPath));
            return result < 0 ? result : 8 + MemoryMarshal.Read<int>(handle);
        }
    }

    /// <param name="handle">With its eight bytes of length and type in front.</param>
    public static int OpenByHandle(int onFileSystem, ReadOnlySpan<byte> handle)
    {
        fixed (byte* start = handle)
        {
            return Result(open_by_handle_at(onFileSystem, start, Posix.PathOnly | Posix.CloseOnExec));
        }
    }

    /// <summary>A descriptor that one thread waits for and another one makes readable.</summary>
    public static int OpenBell() => Result(eventfd(0, FlagsOfDescriptor));

    public static void Ring(int bell)
    {
        // Rung already is as good: the counter is full then.
        ulong one = 1;
        _ = Posix.Write(bell, MemoryMarshal.AsBytes(new Span<ulong>(ref one)));
    }

    public static void Quieten(int bell)
    {
        ulong rung = 0;
        _ = Posix.Read(bell, MemoryMarshal.AsBytes(new Span<ulong>(ref rung)));
    }

    /// <summary>Waits until one of the two can be read, or the time is over.</summary>
    /// <param name="other">-1: only the first is waited for.</param>
    public static void Wait(int one, int other, int milliseconds)
    {
        var waiting = stackalloc Waiting[2];
        waiting[0] = new Waiting { Descriptor = one, Wanted = Readable };
        waiting[1] = new Waiting { Descriptor = other, Wanted = Readable };

        // Interrupted by a signal is as if something had come: whoever waits looks.
        _ = poll(waiting, 2, milliseconds);
    }

    /// <summary>What <c>FIONREAD</c> says is waiting.</summary>
    public static int Queued(int descriptor)
    {
        int bytes;
        var result = Result(ioctl(descriptor, BytesQueued, &bytes));
        return result < 0 ? result : bytes;
    }

    private static Span<byte> DescriptorPath(int descriptor, Span<byte> buffer)
    {
        System.Text.Unicode.Utf8.TryWrite(buffer, $"/proc/self/fd/{descriptor}\0", out var length);
        return buffer[..length];
    }

    private static int Result(int result) => result < 0 ? -Marshal.GetLastPInvokeError() : result;

    [StructLayout(LayoutKind.Sequential)]
    private struct Waiting
    {
        public int Descriptor;
        public short Wanted;
        public short Found;
    }

    [LibraryImport("libc", SetLastError = true)] private static partial int fanotify_init(uint flags, uint eventFlags);
    [LibraryImport("libc", SetLastError = true)] private static partial int fanotify_mark(int fanotify, uint flags, ulong mask, int directory, byte* path);
    [LibraryImport("libc", SetLastError = true)] private static partial int inotify_init1(int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int inotify_add_watch(int inotify, byte* path, uint mask);
    [LibraryImport("libc", SetLastError = true)] private static partial int inotify_rm_watch(int inotify, int watch);
    [LibraryImport("libc", SetLastError = true)] private static partial int name_to_handle_at(int directory, byte* path, byte* handle, int* mount, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int open_by_handle_at(int mount, byte* handle, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int eventfd(uint value, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int poll(Waiting* waiting, nuint count, int milliseconds);
    [LibraryImport("libc", SetLastError = true)] private static partial int ioctl(int descriptor, nuint request, int* value);
}
