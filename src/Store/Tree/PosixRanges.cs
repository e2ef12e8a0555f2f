using System.Runtime.InteropServices;

namespace Mirror.Store.Tree;

/// <summary>Taking bytes out of a file that others have open: each call is one step for everybody who writes to it or reads it.</summary>
internal static partial class PosixRanges
{
    private const int keepSize = 1;
    private const int punchHole = 2;
    private const int collapseRange = 8;

    /// <summary>Removes the first bytes; what follows moves to the front. 0, or an error number negated.</summary>
    public static int CollapseFront(int descriptor, long length) => Allocate(descriptor, collapseRange, 0, length);

    /// <summary>Gives the room of a range back; it reads as zeros, and nothing moves. 0, or an error number negated.</summary>
    public static int PunchHole(int descriptor, long from, long length) => Allocate(descriptor, punchHole | keepSize, from, length);

    private static int Allocate(int descriptor, int mode, long from, long length)
    {
        int result;
        do
        {
            result = fallocate(descriptor, mode, from, length) < 0 ? -Marshal.GetLastPInvokeError() : 0;
        }
        while (result == -Errno.Interrupted);
        return result;
    }

    [LibraryImport("libc", SetLastError = true)] private static partial int fallocate(int descriptor, int mode, long from, long length);
}
