using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;

namespace Mirror.Leadership.Voting;

/// <summary>This node's part in the elections of all its sites, and its own votes.</summary>
public sealed class Elections
{
    private readonly Dictionary<string, IElection> bySite = [];
    private readonly Dictionary<string, Operators> operators = [];
    private readonly TimeProvider clock;
    private readonly string self;

    private readonly bool votes = true;

    /// <param name="verified">Newest version of a site this member holds verified; default for one that holds none. Its vote is refused to whoever holds less.</param>
    /// <param name="arbiter">Where locks decide and nobody votes: the way to the lock of a site.</param>
    /// <param name="agreement">What others said of their configurations; null: nobody is asked.</param>
    public Elections(
        MirrorConfig config, MemberConfig member, PeerChannels channels, Func<string, Position> verified, ICatalogue catalogue, IEpochGate gate, TimeProvider time,
        ILoggerFactory logs, Func<SiteRules, IElection>? arbiter = null, Agreement? agreement = null)
    {
        self = member.Name;
        clock = time;
        var log = logs.CreateLogger("Mirror.Leadership.Voting");
        var voters = new Dictionary<string, SiteVoter>();
        foreach (var site in config.Sites.Values)
        {
            var rules = RulesOf(site, config.Cluster);
            if (arbiter is not null)
            {
                votes = false;
                bySite[site.Name] = Agreed(arbiter(rules), site.Name);
                continue;
            }

            SiteVoter? own = null;
            if (rules.Voters.Contains(member.Name))
            {
                own = new SiteVoter(rules, Path.Combine(member.State, "votes", site.Name), () => verified(site.Name), time, log);
                voters[site.Name] = own;
            }

            IVoterLink LinkTo(string voter) =>
                own is not null && voter == member.Name ? new LocalVoter(voter, own) : new RemoteVoter(voter, site.Name, channels.ForQuestionsTo(voter, time), rules.Lease / 4);

            IReadOnlyList<IVoterLink> links = [.. rules.Voters.Select(LinkTo)];
            bySite[site.Name] = Agreed(new Election(rules, member.Name, own, links, catalogue, gate, time, log), site.Name);
            operators[site.Name] = new Operators(rules, links, time);
        }

        Own = new OwnVoters(voters);

        IElection Agreed(IElection election, string site) => agreement is null ? election : new AgreedElection(election, agreement, site);
    }

    internal OwnVoters Own { get; }

    /// <summary>True when this member's vote keeps everybody out who lacks a version that is held here; false also for a member without a vote, which nobody counts. Where an arbiter
    /// remembers what is consistent every copy counts.</summary>
    public bool Protects(string site, Position held) => !votes || (Own.Of(site)?.Protects(held) ?? false);

    /// <exception cref="KeyNotFoundException">No such site in the configuration.</exception>
    public IElection Of(string site) => bySite[site];

    /// <summary>To be called once, before this node stands anywhere, when no app of an earlier life of it runs any more: what its own votes promised to itself then is over.</summary>
    public void Reborn()
    {
        foreach (var site in bySite.Keys)
        {
            Own.Of(site)?.Reborn(self);
        }
    }

    /// <summary>Tells the voters of a site what an operator says of automatic failover; null where nobody votes.</summary>
    public Operators? OperatorsOf(string site) => operators.GetValueOrDefault(site);

    /// <summary>What this member's own vote knows of what holds automatic failover back; null for a member without one.</summary>
    public HeldBack? HeldBack(string site)
    {
        if (Own.Of(site)?.Ballot is not { } ballot)
        {
            return null;
        }

        var now = clock.GetElapsedTime(0);
        return new(ballot.Order, ballot.IsBlocked(now) ? clock.GetUtcNow() + (ballot.CalmAt - now) : null);
    }

    /// <summary>Operators' words that others know by now: a voter that was down, or cut off, when they were said hears them so.</summary>
    internal void Hear(ClusterSnapshot seen)
    {
        foreach (var site in bySite.Keys)
        {
            var latest = seen.Of(site).Select(holding => holding.HeldBack?.Order).MaxBy(order => order?.Number ?? 0);
            if (latest is not null && Own.Of(site) is { Order: { } known } voter && latest.Number > known.Number)
            {
                voter.Hear(latest);
            }
        }
    }

    /// <summary>What the configuration says of a site, in the core's terms.</summary>
    public static SiteRules RulesOf(SiteConfig site, ClusterConfig cluster) =>
        new(site.Name, site.Primary, site.Nodes, site.Voters, site.AutomaticFailover, cluster.Lease)
        {
            HasArbiter = cluster.HasArbiter,
            Block = site.Failover.Block,
            Never = site.Failover.Never,
            LagVersions = site.Failover.LagVersions,
            Lag = site.Failover.Lag,
        };
}
