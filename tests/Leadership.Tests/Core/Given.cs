using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Core;

/// <summary>The small cluster most tests talk about: nodes a, b, c, all voters, lease 4 s.</summary>
internal static class Given
{
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(4);

    public static readonly SiteRules Rules = new("wiki", "a", ["a", "b", "c"], ["a", "b", "c"], true, Lease);

    /// <summary>Two nodes and a witness that holds nothing.</summary>
    public static readonly SiteRules WithWitness = new("wiki", "a", ["a", "b"], ["a", "b", "w"], true, Lease);

    public static readonly SiteRules TwoVoters = new("wiki", "a", ["a", "b"], ["a", "b"], true, Lease);

    public static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    public static Position V(ulong epoch, ulong sequence) => new(epoch, sequence);

    public static GrantAsk Ask(ulong epoch, string candidate, Position verified = default) => new(epoch, candidate, verified, Lease, false);

    public static GrantAsk Renewal(ulong epoch, string candidate, Position verified = default) => new(epoch, candidate, verified, Lease, true);

    /// <summary>A voter that granted an epoch at a time.</summary>
    public static VoterState Granted(ulong epoch, string holder, TimeSpan at) => new(epoch, holder, false, null, Lease, at + Lease);

    public static NodeHolding Holds(string node, Position verified, Position from = default, bool reachable = true) => new(node, verified, from, reachable);
}
