using Mirror.Node.Processes;

namespace Mirror.Primary.Sweep;

/// <summary>
/// While it is held, this thread reads only when nobody else wants the disk (the kernel's idle class). Schedulers that know no classes, and systems that do not permit it, read as ever:
/// the pace alone keeps the load low then.
/// </summary>
internal readonly struct IdleDisk : IDisposable
{
    private readonly int before;

    private IdleDisk(int before) => this.before = before;

    public static IdleDisk Enter()
    {
        var before = ThreadShare.Disk;
        return new IdleDisk(before >= 0 && ThreadShare.SetDiskIdle() ? before : -1);
    }

    public void Dispose()
    {
        if (before >= 0)
        {
            // It was so a moment ago and is permitted again.
            ThreadShare.SetDisk(before);
        }
    }
}
