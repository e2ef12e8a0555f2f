using System.Runtime.InteropServices;

namespace Mirror.Primary.Sweep;

/// <summary>
/// While it is held, this thread reads only when nobody else wants the disk (the kernel's idle class). Schedulers that know no classes, and systems that do not permit it, read as ever:
/// the pace alone keeps the load low then.
/// </summary>
internal readonly partial struct IdleDisk : IDisposable
{
    private const int WhoThread = 1;
    private const int IdleClass = 3 << 13;
    private static readonly bool arm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly nint setNumber = arm64 ? 30 : 251;
    private static readonly nint getNumber = arm64 ? 31 : 252;

    private readonly nint before;

    private IdleDisk(nint before) => this.before = before;

    public static IdleDisk Enter()
    {
        var before = syscall(getNumber, WhoThread, 0, 0);
        return new IdleDisk(before >= 0 && syscall(setNumber, WhoThread, 0, IdleClass) == 0 ? before : -1);
    }

    public void Dispose()
    {
        if (before >= 0)
        {
            // It was so a moment ago and is permitted again.
            _ = syscall(setNumber, WhoThread, 0, before);
        }
    }

    [LibraryImport("libc")] private static partial nint syscall(nint number, nint which, nint who, nint priority);
}
