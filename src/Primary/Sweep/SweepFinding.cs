using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Sweep;

public enum SweepFault
{
    /// <summary>It reads well, and as something else than what was captured.</summary>
    Changed,

    /// <summary>It cannot be read any more.</summary>
    Unreadable,

    /// <summary>Read twice, it was once as captured and once not: a disk, a cable or the memory is failing.</summary>
    Unsteady,
}

/// <summary>A file whose content is not what was captured, though its stat says that nobody touched it since.</summary>
/// <param name="Expected">What was captured.</param>
/// <param name="Stat">The stat it had then, and has now.</param>
public sealed record SweepFinding(EntryPath Path, SweepFault Fault, string Reason, ContentHash Expected, StatKey Stat, DateTimeOffset Seen);
