using System.Runtime.InteropServices;
using System.Text;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>
/// Extended attributes by path. Paths are built on <c>/proc/self/fd/N</c>: it names exactly the inode or directory that was opened, needs no read permission,
/// works on fifos, devices and symbolic links, and there is no call that takes a directory descriptor before Linux 6.13.
/// </summary>
internal static unsafe partial class PosixXattrs
{
    /// <summary>Linux's bound on the list of one inode's names, and on one value.</summary>
    public const int MaxBytes = 65536;

    /// <summary>The names, each ended by a NUL, of a path whose last component is not followed; the length, or an error number negated.</summary>
    public static int List(ReadOnlySpan<byte> terminatedPath, Span<byte> names)
    {
        fixed (byte* path = terminatedPath, start = names)
        {
            return Result(llistxattr(path, start, (nuint)names.Length));
        }
    }

    public static int Get(ReadOnlySpan<byte> terminatedPath, ReadOnlySpan<byte> terminatedName, Span<byte> value)
    {
        fixed (byte* path = terminatedPath, name = terminatedName, start = value)
        {
            return Result(lgetxattr(path, name, start, (nuint)value.Length));
        }
    }

    /// <summary>Of an inode opened with <see cref="Posix.PathOnly"/>, through its link in /proc, which is followed.</summary>
    public static int ListFollowing(ReadOnlySpan<byte> terminatedPath, Span<byte> names)
    {
        fixed (byte* path = terminatedPath, start = names)
        {
            return Result(listxattr(path, start, (nuint)names.Length));
        }
    }

    public static int GetFollowing(ReadOnlySpan<byte> terminatedPath, ReadOnlySpan<byte> terminatedName, Span<byte> value)
    {
        fixed (byte* path = terminatedPath, name = terminatedName, start = value)
        {
            return Result(getxattr(path, name, start, (nuint)value.Length));
        }
    }

    public static int SetFollowing(ReadOnlySpan<byte> terminatedPath, string attribute, ReadOnlySpan<byte> value)
    {
        fixed (byte* path = terminatedPath, name = Terminated(attribute), start = value)
        {
            return Result(setxattr(path, name, start, (nuint)value.Length, 0));
        }
    }

    public static int RemoveFollowing(ReadOnlySpan<byte> terminatedPath, string attribute)
    {
        fixed (byte* path = terminatedPath, name = Terminated(attribute))
        {
            return Result(removexattr(path, name));
        }
    }

    /// <summary>Length of an open file's attribute names: nearly always 0, which saves all that follows.</summary>
    public static int CountOpen(int descriptor) => Result(flistxattr(descriptor, null, 0));

    private static byte[] Terminated(string name) => Encoding.UTF8.GetBytes(name + "\0");

    private static int Result(nint result) => result < 0 ? -Marshal.GetLastPInvokeError() : (int)result;

    [LibraryImport("libc", SetLastError = true)] private static partial nint llistxattr(byte* path, byte* names, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial nint listxattr(byte* path, byte* names, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial nint flistxattr(int descriptor, byte* names, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial nint lgetxattr(byte* path, byte* name, byte* value, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial nint getxattr(byte* path, byte* name, byte* value, nuint length);
    [LibraryImport("libc", SetLastError = true)] private static partial int setxattr(byte* path, byte* name, byte* value, nuint length, int flags);
    [LibraryImport("libc", SetLastError = true)] private static partial int removexattr(byte* path, byte* name);
}
