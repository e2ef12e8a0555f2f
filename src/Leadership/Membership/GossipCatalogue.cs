using Mirror.Node.Configuration;

namespace Mirror.Leadership.Membership;

/// <summary>
/// The catalogue as this member sees it: members and holdings in one immutable snapshot, swapped whole. The actor beside it brings what others say; what this
/// member says of itself is kept here, so that it outlives the actor system and is said again when that starts anew.
/// </summary>
internal sealed class GossipCatalogue : ICatalogue
{
    // Longer than the spreading itself takes: an actor system that is going down answers nothing, and nobody may wait for it.
    private static readonly TimeSpan SpreadWithin = TimeSpan.FromSeconds(1);

    private readonly string self;
    private readonly TimeProvider time;
    private readonly Lock guard = new();
    private readonly SortedDictionary<(string Site, string Node), SiteHolding> holdings = [];
    private readonly Dictionary<string, SiteHolding> said = [];
    private TaskCompletionSource changed = NewSignal();
    private Func<SiteHolding, Task>? spread;
    private volatile ClusterSnapshot current;

    public GossipCatalogue(MirrorConfig config, string self, TimeProvider time)
    {
        this.time = time;
        this.self = self;
        current = new(
            config.Members.Values.ToDictionary(member => member.Name, member => Describe(member, member.Name == self ? "joining" : "absent", member.Name == self)), []);
    }

    public ClusterSnapshot Current => current;

    public async Task<ClusterSnapshot> ChangedSinceAsync(ClusterSnapshot seen, CancellationToken cancellation)
    {
        while (true)
        {
            Task next;
            lock (guard)
            {
                if (!ReferenceEquals(current, seen))
                {
                    return current;
                }

                next = changed.Task;
            }

            await next.WaitAsync(cancellation);
        }
    }

    public async Task PublishAsync(SiteHolding holding, CancellationToken cancellation)
    {
        if (holding.Node != self)
        {
            throw new ArgumentException($"{self} can't say what {holding.Node} holds.", nameof(holding));
        }

        Func<SiteHolding, Task>? now;
        lock (guard)
        {
            said[holding.Site] = holding;
            holdings[(holding.Site, self)] = holding;
            Swap_NeedsLock(current.Members);
            now = spread;
        }

        // Without an actor system, at the start or while it starts anew, this is said as soon as there is one.
        if (now is null)
        {
            return;
        }

        try
        {
            await now(holding).WaitAsync(SpreadWithin, time, cancellation);
        }
        catch (TimeoutException)
        {
            // It stands in this member's own catalogue, and is said again by the next actor system.
        }
    }

    internal static ClusterMember Describe(MemberConfig member, string state, bool reachable) =>
        new(member.Name, KindOf(member), $"{member.Address}:{member.GrpcPort}", reachable, state);

    internal static string KindOf(MemberConfig member) => member.Kind switch
    {
        MemberKind.Node => "node",
        MemberKind.Proxy => "proxy",
        _ => "witness",
    };

    /// <summary>From now on publishing goes through an actor. Returns what was said before and is to be said again.</summary>
    internal IReadOnlyList<SiteHolding> Attach(Func<SiteHolding, Task> publish)
    {
        lock (guard)
        {
            spread = publish;
            return [.. said.Values];
        }
    }

    internal void Detach()
    {
        lock (guard)
        {
            spread = null;
        }
    }

    /// <summary>What this member last said of a site.</summary>
    internal SiteHolding? Said(string site)
    {
        lock (guard)
        {
            return said.GetValueOrDefault(site);
        }
    }

    internal void Hear(SiteHolding holding)
    {
        lock (guard)
        {
            if (holding.Node != self)
            {
                holdings[(holding.Site, holding.Node)] = holding;
                Swap_NeedsLock(current.Members);
            }
        }
    }

    internal void See(IReadOnlyDictionary<string, ClusterMember> members)
    {
        lock (guard)
        {
            if (members.Count != current.Members.Count || members.Any(member => current.Members.GetValueOrDefault(member.Key) != member.Value))
            {
                Swap_NeedsLock(members);
            }
        }
    }

    private void Swap_NeedsLock(IReadOnlyDictionary<string, ClusterMember> members)
    {
        current = new(members, [.. holdings.Values]);
        var signal = changed;
        changed = NewSignal();
        signal.SetResult();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
