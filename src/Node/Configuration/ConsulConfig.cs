using Mirror.Node.Consul;

namespace Mirror.Node.Configuration;

/// <param name="Agent">The agent this machine speaks to.</param>
/// <param name="Arbiter">Locks in Consul decide who is primary, and no votes; default true.</param>
/// <param name="Prefix">Under which keys are kept; default <c>mirror</c>.</param>
public sealed record ConsulConfig(ConsulAgent Agent, bool Arbiter, string Prefix)
{
    /// <summary>Name of the service that every member is an instance of.</summary>
    public const string MemberService = "mirror";

    /// <summary>Longest delay that Consul keeps a lost lock from others, and so the longest lease it can arbitrate.</summary>
    public static readonly TimeSpan LongestLease = TimeSpan.FromSeconds(60);

    /// <summary>Key of a site's lock.</summary>
    public string LockKey(string cluster, string site) => $"{Prefix}/{cluster}/{site}";

    /// <summary>Id of a member's service.</summary>
    public static string MemberId(string cluster, string member) => $"{MemberService}-{cluster}-{member}";

    /// <summary>Id of a site's service on a node.</summary>
    public static string SiteId(string cluster, string site, string node) => $"{MemberService}-{cluster}-{site}-{node}";
}
