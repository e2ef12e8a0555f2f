using System.Runtime.InteropServices;

namespace Mirror.Testing;

/// <summary>File system calls as an app makes them: rename(2) over what is there, forged times, links of all kinds. The runtime's own look first, and refuse, or do two calls where one is meant.</summary>
public static partial class RawCalls
{
    private const int currentDirectory = -100;
    private const int noFollow = 0x100;
    private const long second = 1_000_000_000;

    public static void Rename(string from, string to) => Check(rename(from, to), "rename", from);

    /// <summary>Both names trade what they stand for, in one step.</summary>
    public static void Exchange(string one, string other) => Check(renameat2(currentDirectory, one, currentDirectory, other, 2), "exchange", one);

    public static void Link(string existing, string name) => Check(link(existing, name), "link", name);

    public static void Symlink(string target, string name) => Check(symlink(target, name), "symlink", name);

    public static void Unlink(string path) => Check(unlink(path), "unlink", path);

    public static void RemoveDirectory(string path) => Check(rmdir(path), "rmdir", path);

    public static void MakeDirectory(string path) => Check(mkdir(path, 0x1ed), "mkdir", path);

    public static void MakeFifo(string path) => Check(mkfifo(path, 0x1a4), "mkfifo", path);

    public static void ChangeMode(string path, uint mode) => Check(chmod(path, mode), "chmod", path);

    public static void Truncate(string path, long length) => Check(truncate(path, length), "truncate", path);

    public static void SetAttribute(string path, string name, byte[] value) => Check(lsetxattr(path, name, value, (nuint)value.Length, 0), "setxattr", path);

    /// <summary>The time of last access is left alone; links are not followed.</summary>
    public static void SetModified(string path, long unixNs)
    {
        var seconds = Math.DivRem(unixNs, second, out var rest);
        if (rest < 0)
        {
            (seconds, rest) = (seconds - 1, rest + second);
        }

        const long omit = (1 << 30) - 2;
        Check(utimensat(currentDirectory, path, [0, omit, seconds, rest], noFollow), "utimensat", path);
    }

    /// <summary>SIGKILL: a process that sends it to itself does nothing any more.</summary>
    public static void Kill(int process) => Check(kill(process, 9), "kill", $"{process}");

    /// <summary>Something is there, also a link that leads nowhere.</summary>
    public static bool Exists(string path) => faccessat(currentDirectory, path, 0, noFollow) == 0;

    private static void Check(int result, string call, string path)
    {
        if (result != 0)
        {
            throw new IOException($"{call} of \"{path}\" failed: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    [LibraryImport("libc", SetLastError = true)] private static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int rename(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int renameat2(int fromDirectory, string from, int toDirectory, string to, uint flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int link(string existing, string name);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int symlink(string target, string name);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int rmdir(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int mkdir(string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int mkfifo(string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int chmod(string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int truncate(string path, long length);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int lsetxattr(string path, string name, byte[] value, nuint size, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int utimensat(int directory, string path, long[] times, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)] private static partial int faccessat(int directory, string path, int mode, int flags);
}
