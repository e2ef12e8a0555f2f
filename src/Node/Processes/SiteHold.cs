using Mirror.Node.Consul;

namespace Mirror.Node.Processes;

/// <summary>
/// What a guard must know of the lease its node holds for a site: until when the apps may run, told anew at every renewal; and whose promises end early when the node dies. With it the
/// guard keeps the lease's end also when the node is stopped, hung, or waits for an app that takes its time to end.
/// </summary>
/// <param name="Until">Timestamp of the machine's monotonic clock at which the apps are asked to end.</param>
/// <param name="WithinMilliseconds">So long after that they are killed, whatever grace of their own they have.</param>
/// <param name="Voters">Those on other members.</param>
public sealed record SiteHold(string Site, ulong Epoch, long Until, long WithinMilliseconds, IReadOnlyList<HoldVoter> Voters)
{
    /// <summary>What is freed when the node dies, where Consul is the arbiter; null where votes decide.</summary>
    public HeldLock? Lock { get; init; }
}

/// <param name="Port">Of gRPC.</param>
public sealed record HoldVoter(string Name, string Address, int Port);

/// <summary>Whose guard it is: in its name leases are given back.</summary>
/// <param name="Pki">Directory with ca.crt, NAME.crt and NAME.key.</param>
/// <param name="Lock">File that is locked from before the guard is ready until the last of its apps has ended; null for none.</param>
public sealed record GuardedNode(string Name, string Pki, string? Lock = null);
