using Mirror.Primary.Schedule;
using Mirror.Store.Versions;

namespace Mirror.Primary;

/// <param name="At">When it ended.</param>
/// <param name="Made">The version it made; null when nothing had changed, or it failed.</param>
/// <param name="Failure">Why it failed; null when it did not.</param>
public sealed record LastCapture(DateTimeOffset At, TimeSpan Took, VersionId? Made, string? Failure);

/// <summary>How capturing goes in this reign, for whoever looks at the site.</summary>
/// <param name="Last">Null before the first.</param>
/// <param name="Running">One is under way.</param>
/// <param name="Next">The next that comes whatever happens, and why then; null when only requests start any.</param>
/// <param name="OnChange">Changes start captures too.</param>
/// <param name="QuietUntil">No capture starts by itself before; null when one may start now.</param>
/// <param name="Degraded">Why the watcher does not see everything; null when it does, or is not used.</param>
public sealed record CaptureStatus(
    LastCapture? Last, bool Running, (DateTimeOffset At, string Why)? Next, bool OnChange, DateTimeOffset? QuietUntil, string? Degraded, MissedCaptures Missed)
{
    /// <summary>What would be lost with the primary; null where no other node holds the site.</summary>
    public AtRisk? AtRisk { get; init; }
}
