using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Mirror.Store.Manifests;

namespace Mirror.Store.Tree;

/// <summary>Error numbers, the same on x64 and arm64.</summary>
internal static class Errno
{
    public const int NotPermitted = 1;
    public const int NotFound = 2;
    public const int NoSuchProcess = 3;
    public const int Interrupted = 4;
    public const int TooBig = 7;
    public const int BadDescriptor = 9;
    public const int Again = 11;
    public const int AccessDenied = 13;
    public const int Exists = 17;
    public const int NotDirectory = 20;
    public const int IsDirectory = 21;
    public const int InvalidArgument = 22;
    public const int NoSpace = 28;
    public const int ReadOnlyFileSystem = 30;
    public const int OutOfRange = 34;
    public const int NameTooLong = 36;
    public const int NotImplemented = 38;
    public const int NotEmpty = 39;
    public const int TooManyLinks = 40;
    public const int NoData = 61;
    public const int NotSupported = 95;
}

/// <summary>Turns an error number into the exception a caller expects: what was done, to what, and the system's own words.</summary>
internal static class PosixError
{
    public static string Text(int error) => $"{Marshal.GetPInvokeErrorMessage(error)} (errno {error})";

    [DoesNotReturn]
    public static void Throw(string action, string root, EntryPath path, int error) =>
        Throw(action, path.IsRoot ? root : $"{root}/{path}", error);

    [DoesNotReturn]
    public static void Throw(string action, string path, int error)
    {
        var message = $"Cannot {action} \"{path}\": {Text(error)}.";
        throw error switch
        {
            Errno.AccessDenied or Errno.NotPermitted => new UnauthorizedAccessException(message),
            Errno.NotFound => new FileNotFoundException(message, path),
            Errno.NotDirectory => new DirectoryNotFoundException(message),
            _ => new IOException(message, error),
        };
    }

    /// <summary>The result, or an exception when it is an error number.</summary>
    public static int Check(int result, string action, string root, EntryPath path)
    {
        if (result < 0)
        {
            Throw(action, root, path, -result);
        }

        return result;
    }
}
