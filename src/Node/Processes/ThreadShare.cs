using System.Globalization;
using System.Runtime.InteropServices;
using Mirror.Node.Configuration;

namespace Mirror.Node.Processes;

/// <summary>How a thread shares processor and disk with others: Linux counts both for each thread, and a new one has what the thread had that made it. What a system does not permit, or a disk's scheduler does not know, is left as it was.</summary>
public static partial class ThreadShare
{
    private const int WhoThread = 1;
    private const int BestEffort = 2 << 13;
    private const int Idle = 3 << 13;
    private const int Lowest = 7;
    private const int NiceField = 19;
    private static readonly bool arm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly nint setIo = arm64 ? 30 : 251;
    private static readonly nint getIo = arm64 ? 31 : 252;
    private static readonly nint getThread = arm64 ? 178 : 186;
    private static readonly Lazy<bool> canTakeBack = new(CanTakeBack);

    public static int Thread => (int)syscall(getThread, 0, 0, 0);

    /// <summary>The kernel's number for class and level of the disk; negative when it cannot be told.</summary>
    public static int Disk => (int)syscall(getIo, WhoThread, 0, 0);

    /// <summary>Makes this thread gentle. Without privileges nobody can ever be made less nice again, nor can a thread that this one happens to make: then the processor is shared as ever.</summary>
    public static void Take(Niceness niceness)
    {
        if (niceness.Cpu > 0 && canTakeBack.Value)
        {
            _ = nice(niceness.Cpu);
        }

        if (niceness.Io != IoPriority.Normal)
        {
            SetDisk(niceness.Io == IoPriority.Idle ? Idle : BestEffort | Lowest);
        }
    }

    /// <summary>False when it is not permitted.</summary>
    public static bool SetDisk(int number) => syscall(setIo, WhoThread, 0, number) == 0;

    public static bool SetDiskIdle() => SetDisk(Idle);

    /// <summary>Makes threads of this process that came to be gentle by having been made by a gentle one like all others again.</summary>
    /// <param name="own">Those that are to be gentle.</param>
    internal static void TakeBackFromOthers(Func<int, bool> own)
    {
        var usual = NiceOf("/proc/self/stat") ?? 0;
        foreach (var task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            if (!int.TryParse(Path.GetFileName(task.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var thread) || own(thread))
            {
                continue;
            }

            if (NiceOf($"{task}/stat") is { } nice && nice > usual)
            {
                _ = setpriority(0, (uint)thread, usual);
            }

            if (syscall(getIo, WhoThread, thread, 0) is Idle or (BestEffort | Lowest))
            {
                _ = syscall(setIo, WhoThread, thread, 0);
            }
        }
    }

    /// <summary>By the kernel's word; null when the thread has ended.</summary>
    private static int? NiceOf(string stat)
    {
        try
        {
            // The second field is the name in brackets, which may hold blanks.
            var text = File.ReadAllText(stat);
            return int.Parse(text[(text.LastIndexOf(')') + 2)..].Split(' ')[NiceField - 3], CultureInfo.InvariantCulture);
        }
        catch (Exception ended) when (ended is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool CanTakeBack()
    {
        var can = false;
        var probe = new System.Threading.Thread(() =>
        {
            var before = NiceOf("/proc/thread-self/stat");
            can = before is { } usual && setpriority(0, 0, usual + 1) == 0 && setpriority(0, 0, usual) == 0;
        })
        {
            IsBackground = true,
        };
        probe.Start();
        probe.Join();
        return can;
    }

    [LibraryImport("libc")] private static partial int nice(int by);
    [LibraryImport("libc")] private static partial int setpriority(int which, uint who, int priority);
    [LibraryImport("libc")] private static partial nint syscall(nint number, nint which, nint who, nint priority);
}
