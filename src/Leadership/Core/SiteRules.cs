namespace Mirror.Leadership.Core;

/// <summary>What the configuration says about who may lead a site. The same on all members.</summary>
/// <param name="Primary">Node that may take epoch 1.</param>
/// <param name="Nodes">Nodes that hold the site, in order of preference.</param>
/// <param name="Voters">Members whose majority appoints the primary.</param>
/// <param name="Lease">How long a voter's promise lasts.</param>
public sealed record SiteRules(
    string Site, string Primary, IReadOnlyList<string> Nodes, IReadOnlyList<string> Voters, bool AutomaticFailover, TimeSpan Lease)
{
    /// <summary>So long after an automatic failover there is no second one, unless an operator has acknowledged the first.</summary>
    public TimeSpan Block { get; init; }

    /// <summary>Nodes that are never appointed automatically; <see cref="Nodes"/> is the order of preference of the others.</summary>
    public IReadOnlyList<string> Never { get; init; } = [];

    /// <summary>How many versions a node may lack and still be appointed automatically; 0 for any number.</summary>
    public int LagVersions { get; init; }

    /// <summary>How much older its newest version may be; zero for any age.</summary>
    public TimeSpan Lag { get; init; }

    private static readonly TimeSpan LeastMargin = TimeSpan.FromMilliseconds(100);

    /// <summary>A lock outside of the cluster decides, and not the voters. It remembers which version is consistent, and whoever lacks that does not take it.</summary>
    public bool HasArbiter { get; init; }

    /// <summary>The voters as one text, the same whatever their order: sorted names, a space between.</summary>
    public string VoterSet => string.Join(' ', Voters.Distinct().Order(StringComparer.Ordinal));

    public int Majority => (Voters.Count / 2) + 1;

    /// <summary>How long before the promises run out a primary must have stopped: covers clocks that run at different speeds and the time stopping takes.</summary>
    public TimeSpan Margin => TimeSpan.FromTicks(Math.Max(Lease.Ticks / 8, LeastMargin.Ticks));

    /// <summary>How much later each next-best candidate stands, so that a silent best one blocks nobody for long.</summary>
    public TimeSpan RankStep => TimeSpan.FromTicks(Math.Clamp(Lease.Ticks / 10, TimeSpan.FromMilliseconds(150).Ticks, TimeSpan.FromMilliseconds(500).Ticks));
}
