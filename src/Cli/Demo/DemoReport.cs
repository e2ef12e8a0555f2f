using Mirror.Cli.Output;

namespace Mirror.Cli.Demo;

/// <summary>What the demo saw. Milliseconds are as a client saw them.</summary>
/// <param name="Versions">Versions captured, over all sites.</param>
/// <param name="Requests">Requests of the users, reads and writes.</param>
/// <param name="FailedRequests">Reads that were answered with an error, or not at all.</param>
/// <param name="InterruptedWrites">Writes in flight when the primary died: answered honestly with an error, since nobody knows whether they were done.</param>
/// <param name="FailoverMs">Last answer of the old primary to first answer of the new one, after kill -9.</param>
/// <param name="SwitchoverMs">The same for the planned promotion.</param>
/// <param name="LostWrites">Acknowledged writes that are gone after the failover: what had not reached a replica yet.</param>
/// <param name="LostConsistentWrites">Of those, writes that were in a version which had been reported as consistent. Must be 0.</param>
internal sealed record DemoReport
{
    public required bool Ok { get; init; }
    public required int Versions { get; init; }
    public required long Requests { get; init; }
    public required long FailedRequests { get; init; }
    public required long InterruptedWrites { get; init; }
    public required double? FailoverMs { get; init; }
    public required double? SwitchoverMs { get; init; }
    public required int AcknowledgedWrites { get; init; }
    public required int LostWrites { get; init; }
    public required int LostConsistentWrites { get; init; }
    public required bool RestoreOk { get; init; }
    public required string RestoredVersion { get; init; }
    public required string ConsistentVersionAtKill { get; init; }
    public required ulong Epoch { get; init; }
    public required DemoSiteReport? Site { get; init; }
    public required double TookSeconds { get; init; }
    public required IReadOnlyList<string> Faults { get; init; }

    /// <summary>When it is not as promised: where everything was left, and what the members complained of.</summary>
    public string? Left { get; init; }

    public Fields ToJson() => new()
    {
        ["ok"] = Ok,
        ["versions"] = Versions,
        ["requests"] = Requests,
        ["failed_requests"] = FailedRequests,
        ["interrupted_writes"] = InterruptedWrites,
        ["failover_ms"] = FailoverMs,
        ["switchover_ms"] = SwitchoverMs,
        ["acknowledged_writes"] = AcknowledgedWrites,
        ["lost_writes"] = LostWrites,
        ["lost_consistent_writes"] = LostConsistentWrites,
        ["restore_ok"] = RestoreOk,
        ["restored_version"] = RestoredVersion,
        ["consistent_version_at_kill"] = ConsistentVersionAtKill,
        ["epoch"] = Epoch,
        ["site"] = Site?.ToJson(),
        ["took_seconds"] = TookSeconds,
        ["faults"] = Faults,
        ["left"] = Left,
    };
}

/// <summary>What became of the directory given with --site.</summary>
internal sealed record DemoSiteReport(string Source, ulong Entries, ulong Bytes, string Root, int Copies, bool RestoreOk)
{
    public Fields ToJson() => new()
    {
        ["source"] = Source, ["entries"] = Entries, ["bytes"] = Bytes, ["root"] = Root, ["copies"] = Copies, ["restore_ok"] = RestoreOk,
    };
}
