using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mirror.Store.Tree;

/// <summary>
/// The system calls a tree needs, by byte paths: .NET's own file API turns names into UTF-16 and cannot open those that are not UTF-8. Linux on x64 and arm64.
/// Every call returns its result, or the error number negated; so an error number is never lost between a call and whoever looks at it.
/// </summary>
internal static unsafe partial class Posix
{
    /// <summary>The one constant family here that differs between the two architectures.</summary>
    private static readonly bool arm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    public const int ReadOnly = 0;
    public const int ReadWrite = 2;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;
    public const int PathOnly = 0x200000;
    public static readonly int DirectoryOnly = arm64 ? 0x4000 : 0x10000;
    public static readonly int NoFollow = arm64 ? 0x8000 : 0x20000;

    public const int CurrentDirectory = -100;
    private const int AtSymlinkNoFollow = 0x100;
    private const int AtEffectiveAccess = 0x200;
    private const int AtRemoveDirectory = 0x200;
    private const int AtNoAutomount = 0x800;
    private const int AtEmptyPath = 0x1000;
    private const uint StatxBasicStatsAndBirth = 0x7ff | FileStat.BirthMask;
    private const int OpenAt2Number = 437;
    private const ulong ResolveNoMagicLinksNoSymlinksBeneath = 2 | 4 | 8;
    private const int WantRead = 4;
    private const int WantWriteAndEnter = 2 | 1;
    private const uint ExchangeNames = 2;
    private const int NameMax = 3;
    private static readonly int renameAt2Number = arm64 ? 276 : 316;

    /// <summary>Asked anew each time: on Linux it is a property of the thread.</summary>
    public static bool IsRoot => geteuid() == 0;

    public static uint EffectiveUser => geteuid();

    public static int OpenAt(int directory, ReadOnlySpan<byte> path, int flags, uint mode = 0)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        int result;
        do
        {
            result = Result(openat(directory, name, flags | CloseOnExec, mode));
        }
        while (result == -Errno.Interrupted);
        return result;
    }

    /// <summary>Resolves a path of several components without following any link and without leaving the directory.</summary>
    public static int OpenBeneath(int directory, ReadOnlySpan<byte> path, int flags)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        var how = new OpenHow { Flags = (ulong)(uint)(flags | CloseOnExec), Resolve = ResolveNoMagicLinksNoSymlinksBeneath };
        int result;
        do
        {
            result = Result((int)syscall(OpenAt2Number, directory, name, &how, (nuint)sizeof(OpenHow)));
        }
        while (result is -Errno.Interrupted or -Errno.Again);
        return result;
    }

    public static void Close(int descriptor) => close(descriptor);

    /// <summary>Reads on; 0 at the end.</summary>
    public static int Read(int descriptor, Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            int result;
            do
            {
                result = Result((int)read(descriptor, start, (nuint)buffer.Length));
            }
            while (result == -Errno.Interrupted);
            return result;
        }
    }

    /// <summary>Writes all of it; 0, or an error number negated.</summary>
    public static int Write(int descriptor, ReadOnlySpan<byte> content)
    {
        fixed (byte* start = content)
        {
            for (var written = 0; written < content.Length;)
            {
                var result = Result((int)write(descriptor, start + written, (nuint)(content.Length - written)));
                if (result < 0 && result != -Errno.Interrupted)
                {
                    return result;
                }

                written += Math.Max(0, result);
            }
        }

        return 0;
    }

    /// <summary>Fills the buffer with directory records; 0 at the end.</summary>
    public static int GetDirectoryEntries(int directory, Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            return Result((int)getdents64(directory, start, (nuint)buffer.Length));
        }
    }

    /// <summary>The stat of a name, without following it.</summary>
    public static int Stat(int directory, ReadOnlySpan<byte> path, out FileStat stat)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        fixed (FileStat* result = &stat)
        {
            return Result(statx(directory, name, AtSymlinkNoFollow | AtNoAutomount, StatxBasicStatsAndBirth, result));
        }
    }

    /// <summary>The stat of an open file.</summary>
    public static int Stat(int descriptor, out FileStat stat)
    {
        byte empty = 0;
        fixed (FileStat* result = &stat)
        {
            return Result(statx(descriptor, &empty, AtEmptyPath | AtNoAutomount, StatxBasicStatsAndBirth, result));
        }
    }

    public static int ReadLink(int directory, ReadOnlySpan<byte> path, Span<byte> buffer)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        fixed (byte* start = buffer)
        {
            return Result((int)readlinkat(directory, name, start, (nuint)buffer.Length));
        }
    }

    /// <summary>0 when the process may read the file.</summary>
    public static int CheckReadable(int directory, ReadOnlySpan<byte> path)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        return Result(faccessat(directory, name, WantRead, AtEffectiveAccess | AtSymlinkNoFollow));
    }

    /// <summary>0 when the process may make names in the directory.</summary>
    public static int CheckWritable(ReadOnlySpan<byte> path)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        return Result(faccessat(CurrentDirectory, name, WantWriteAndEnter, AtEffectiveAccess));
    }

    /// <summary>Bytes a name may have in a directory; 0 or less when the file system does not say.</summary>
    public static long LongestName(ReadOnlySpan<byte> path)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        return pathconf(name, NameMax);
    }

    /// <summary>Two names of one file system change what they name, in one step.</summary>
    public static int Exchange(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        var oneName = stackalloc byte[one.Length + 1];
        Terminate(one, oneName);
        var otherName = stackalloc byte[other.Length + 1];
        Terminate(other, otherName);
        return Result((int)renameat2(renameAt2Number, CurrentDirectory, oneName, CurrentDirectory, otherName, ExchangeNames));
    }

    public static int MakeDirectory(int directory, ReadOnlySpan<byte> path, uint mode)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        return Result(mkdirat(directory, name, mode));
    }

    public static int MakeSymlink(ReadOnlySpan<byte> target, int directory, ReadOnlySpan<byte> path)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        var targetName = stackalloc byte[target.Length + 1];
        Terminate(target, targetName);
        return Result(symlinkat(targetName, directory, name));
    }

    public static int MakeNode(int directory, ReadOnlySpan<byte> path, uint modeWithType, uint major, uint minor)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        var device = ((ulong)(major & 0xfffff000) << 32) | ((ulong)(major & 0xfff) << 8) | ((ulong)(minor & 0xffffff00) << 12) | (minor & 0xff);
        return Result(mknodat(directory, name, modeWithType, device));
    }

    /// <summary>A second name for an inode; a symbolic link is itself linked, not what it points to.</summary>
    public static int Link(int fromDirectory, ReadOnlySpan<byte> from, int toDirectory, ReadOnlySpan<byte> to)
    {
        var fromName = stackalloc byte[from.Length + 1];
        Terminate(from, fromName);
        var toName = stackalloc byte[to.Length + 1];
        Terminate(to, toName);
        return Result(linkat(fromDirectory, fromName, toDirectory, toName, 0));
    }

    public static int Rename(int directory, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to) => Rename(directory, from, directory, to);

    public static int Rename(int fromDirectory, ReadOnlySpan<byte> from, int toDirectory, ReadOnlySpan<byte> to)
    {
        var fromName = stackalloc byte[from.Length + 1];
        Terminate(from, fromName);
        var toName = stackalloc byte[to.Length + 1];
        Terminate(to, toName);
        return Result(renameat(fromDirectory, fromName, toDirectory, toName));
    }

    public static int Unlink(int directory, ReadOnlySpan<byte> path)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        return Result(unlinkat(directory, name, 0));
    }

    public static int RemoveDirectory(int directory, ReadOnlySpan<byte> path)
    {
        var name = stackalloc byte[path.Length + 1];
        Terminate(path, name);
        return Result(unlinkat(directory, name, AtRemoveDirectory));
    }

    /// <summary>Owner and group of an open inode, a symbolic link's own included; <see cref="uint.MaxValue"/> leaves one as it is.</summary>
    public static int ChangeOwner(int descriptor, uint user, uint group)
    {
        byte empty = 0;
        return Result(fchownat(descriptor, &empty, user, group, AtEmptyPath));
    }

    public static int ChangeMode(int descriptor, uint mode) => Result(fchmod(descriptor, mode));

    public static int ChangeMode(ReadOnlySpan<byte> terminatedPath, uint mode)
    {
        fixed (byte* path = terminatedPath)
        {
            return Result(chmod(path, mode));
        }
    }

    public static int SetModificationTime(int descriptor, long unixNs)
    {
        var times = Times(unixNs);
        return Result(futimens(descriptor, &times));
    }

    public static int SetModificationTime(ReadOnlySpan<byte> terminatedPath, long unixNs)
    {
        var times = Times(unixNs);
        fixed (byte* path = terminatedPath)
        {
            return Result(utimensat(CurrentDirectory, path, &times, 0));
        }
    }

    public static int SyncFileSystem(int descriptor) => Result(syncfs(descriptor));

    private static void Terminate(ReadOnlySpan<byte> path, byte* destination)
    {
        path.CopyTo(new Span<byte>(destination, path.Length));
        destination[path.Length] = 0;
    }

    private static int Result(int result) => result < 0 ? -Marshal.GetLastPInvokeError() : result;

    private static TimePair Times(long unixNs)
    {
        const long NsPerSecond = 1_000_000_000;
        const long Omit = 0x3ffffffe;
        var seconds = unixNs / NsPerSecond;
        var rest = unixNs % NsPerSecond;
        return rest < 0
            ? new TimePair { AccessNs = Omit, Seconds = seconds - 1, Ns = rest + NsPerSecond }
            : new TimePair { AccessNs = Omit, Seconds = seconds, Ns = rest };
    }

    /// <summary>Access time (left alone) and modification time.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct TimePair
    {
        public long AccessSeconds;
        public long AccessNs;
        public long Seconds;
        public long Ns;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct OpenHow
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }

    [LibraryImport("libc")] private static partial uint geteuid();
    [LibraryImport("libc", SetLastError = true)] private static partial int openat(int directory, byte* path, int flags, uint mode);
    [LibraryImport("libc", SetLastError = true)] private static partial nint syscall(nint number, nint directory, byte* path, OpenHow* how, nuint size);
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)] private static partial nint renameat2(nint number, nint fromDirectory, byte* from, nint toDirectory, byte* to, nuint flags);
    [LibraryImport("libc", SetLastError = true)] private static partial nint pathconf(byte* path, int what);
    [LibraryImport("libc", SetLastError = true)] private static partial int close(int descriptor);
    [LibraryImport("libc", SetLastError = true)] private static partial nint read(int descriptor, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial nint write(int descriptor, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial nint getdents64(int directory, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial int statx(int directory, byte* path, int flags, uint mask, FileStat* stat);
    [LibraryImport("libc", SetLastError = true)] private static partial nint readlinkat(int directory, byte* path, byte* buffer, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial int faccessat(int directory, byte* path, int mode, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int mkdirat(int directory, byte* path, uint mode);
    [LibraryImport("libc", SetLastError = true)] private static partial int symlinkat(byte* target, int directory, byte* path);
    [LibraryImport("libc", SetLastError = true)] private static partial int mknodat(int directory, byte* path, uint mode, ulong device);
    [LibraryImport("libc", SetLastError = true)] private static partial int linkat(int fromDirectory, byte* from, int toDirectory, byte* to, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int renameat(int fromDirectory, byte* from, int toDirectory, byte* to);
    [LibraryImport("libc", SetLastError = true)] private static partial int unlinkat(int directory, byte* path, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int fchownat(int directory, byte* path, uint user, uint group, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int fchmod(int descriptor, uint mode);
    [LibraryImport("libc", SetLastError = true)] private static partial int chmod(byte* path, uint mode);
    [LibraryImport("libc", SetLastError = true)] private static partial int futimens(int descriptor, TimePair* times);
    [LibraryImport("libc", SetLastError = true)] private static partial int utimensat(int directory, byte* path, TimePair* times, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int syncfs(int descriptor);
}
