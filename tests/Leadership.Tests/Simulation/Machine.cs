namespace Mirror.Leadership.Tests.Simulation;

/// <summary>One machine: a clock, a disk, and what runs on it. A process is a new object each time it starts, so nothing of an earlier life is left in it.</summary>
internal sealed class Machine
{
    // Monotonic clocks have no common zero, and run within three percent of each other.
    private readonly double offset;
    private readonly double speed;
    private double mayStart;
    private Guard? former;

    public Machine(World world, string name, int index, bool isNode)
    {
        World = world;
        Name = name;
        Index = index;
        IsNode = isNode;
        offset = world.Random.NextDouble() * 1000;
        speed = 0.985 + (world.Random.NextDouble() * 0.03);
    }

    public World World { get; }
    public string Name { get; }
    public int Index { get; }
    public bool IsNode { get; }
    public Disk Disk { get; private set; } = new();

    /// <summary>How many disks were lost: what was sent to a machine before that never reaches the new one.</summary>
    public int Disks { get; private set; }
    public Process? Process { get; private set; }

    public TimeSpan Now => TimeSpan.FromTicks((long)((offset + (World.Time * speed)) * TimeSpan.TicksPerSecond));

    /// <summary>World time at which this machine's clock shows <paramref name="local"/>.</summary>
    public double TimeOf(TimeSpan local) => ((local.Ticks / (double)TimeSpan.TicksPerSecond) - offset) / speed;

    /// <summary>A moment after it went down at the earliest, and not before the app of the life before is gone: that one's guard holds a lock.</summary>
    public void Start()
    {
        if (Process is null && (World.Time < mayStart || (World.Book.WaitsForItsFormerGuard && former is { IsFree: false })))
        {
            World.After(Math.Max(mayStart - World.Time, 0.01), Start);
        }
        else if (Process is null)
        {
            Process = new Process(this);
            Process.Begin();
        }
    }

    /// <summary>SIGKILL of the node; its guard lives on, stops the apps and sends the last will.</summary>
    public void Kill()
    {
        if (End() is { } ended)
        {
            Disk.Interrupt(World.Random, powerLoss: false);
            ended.Guard.NodeDied();
        }
    }

    public void LosePower()
    {
        if (End() is { } ended)
        {
            Disk.Interrupt(World.Random, powerLoss: true);
            ended.Guard.Vanish();
        }
    }

    public void LoseDisk()
    {
        LosePower();
        Disk = new();
        Disks++;
        World.Truth.DiskLost(this);
    }

    /// <summary>The node ends of itself, having stopped its apps.</summary>
    public void Leave() => End();

    private Process? End()
    {
        var ended = Process;
        Process = null;
        mayStart = ended is null ? mayStart : World.Time + 0.1;
        former = ended?.Guard ?? former;
        ended?.Die();
        return ended;
    }
}
