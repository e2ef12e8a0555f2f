using System.Runtime.InteropServices;

namespace Mirror.Node.Processes;

/// <summary>How the calling thread shares processor and disk with others: Linux counts both for each thread. What a system does not permit, or a disk's scheduler does not know, is left as it was.</summary>
public static partial class ThreadShare
{
    private const int WhoThread = 1;
    private const int BestEffort = 2 << 13;
    private const int Idle = 3 << 13;
    private const int Lowest = 7;
    private static readonly bool arm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly nint setIo = arm64 ? 30 : 251;
    private static readonly nint getIo = arm64 ? 31 : 252;

    /// <summary>For good: who has no privileges can be made gentler and never the contrary.</summary>
    public static void Take(Niceness niceness)
    {
        if (niceness.Cpu > 0)
        {
            _ = nice(niceness.Cpu);
        }

        if (niceness.Io != Configuration.IoPriority.Normal)
        {
            SetDisk(niceness.Io == Configuration.IoPriority.Idle ? Idle : BestEffort | Lowest);
        }
    }

    /// <summary>The kernel's number for class and level; negative when it cannot be told.</summary>
    public static int Disk => (int)syscall(getIo, WhoThread, 0, 0);

    /// <summary>False when it is not permitted.</summary>
    public static bool SetDisk(int number) => syscall(setIo, WhoThread, 0, number) == 0;

    public static bool SetDiskIdle() => SetDisk(Idle);

    [LibraryImport("libc")] private static partial int nice(int by);
    [LibraryImport("libc")] private static partial nint syscall(nint number, nint which, nint who, nint priority);
}
