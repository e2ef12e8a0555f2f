namespace Mirror.Node.Configuration;

/// <summary>How programs that dump share the disk with the site.</summary>
public enum IoPriority
{
    Normal,

    /// <summary>Behind everybody of the same class.</summary>
    Low,

    /// <summary>Only when nobody else wants the disk.</summary>
    Idle,
}

/// <summary>When a site is captured, and how gently. Whoever asks for a capture (<c>mirror capture</c>, a hand-over, a replica that needs a fill) gets it at any time.</summary>
/// <param name="OnChange">What the watcher sees starts captures, and so does <c>files.every</c>; default true.</param>
/// <param name="Every">A capture that looks at everything, this often by a steady clock; zero for none.</param>
/// <param name="Cron">And at these times of <paramref name="TimeZone"/>: minute, hour, day, month, weekday. Null for none.</param>
/// <param name="TimeZone">IANA name, for <paramref name="Cron"/> and <paramref name="NotBetween"/>; default UTC.</param>
/// <param name="NotBetween">When no capture starts by itself; what was due then starts when they end.</param>
/// <param name="Nice">Added to the CPU niceness of programs that dump, 0 to 19; default 0.</param>
public sealed record CaptureConfig(
    bool OnChange, TimeSpan Every, string? Cron, string TimeZone, IReadOnlyList<WeekWindow> NotBetween, int Nice, IoPriority Io)
{
    public static CaptureConfig Default { get; } = new(true, TimeSpan.Zero, null, "UTC", [], 0, IoPriority.Normal);

    public bool HasSchedule => Every > TimeSpan.Zero || Cron is not null;
}

/// <param name="Bandwidth">Bytes a second that a node sends to the other nodes for this site, all streams together; 0 for no limit.</param>
/// <param name="Exempt">Networks (<c>10.0.0.0/8</c>) to which the limit does not apply.</param>
public sealed record ReplicationConfig(long Bandwidth, IReadOnlyList<string> Exempt)
{
    public static ReplicationConfig Default { get; } = new(0, []);
}
