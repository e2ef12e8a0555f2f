using Akka.Actor;
using Akka.Cluster;
using Akka.DistributedData;
using Microsoft.Extensions.Logging;

namespace Mirror.Leadership.Membership;

/// <summary>
/// The actor behind the catalogue. Each holding is a last-writer-wins register of its own, written only by the node it is about; members come from cluster
/// events. A node that finds an old word of its own (from before it was restarted, by a clock that ran ahead) says the present one again.
/// </summary>
internal sealed class CatalogueActor : ReceiveActor
{
    // A write that some did not confirm in time is no failure: gossip brings it to them.
    private static readonly TimeSpan SpreadWithin = TimeSpan.FromMilliseconds(500);

    private readonly ClusterPlan plan;
    private readonly GossipCatalogue catalogue;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly Cluster cluster = Cluster.Get(Context.System);
    private readonly IActorRef replicator = DistributedData.Get(Context.System).Replicator;
    private readonly Dictionary<string, (string Site, string Node)> keys = [];

    public CatalogueActor(ClusterPlan plan, GossipCatalogue catalogue, TimeProvider time, ILogger log)
    {
        this.plan = plan;
        this.catalogue = catalogue;
        this.time = time;
        this.log = log;
        Receive<Publish>(Spread);
        Receive<Changed>(Hear);
        Receive<IUpdateResponse>(Spreaded);
        // An event says that something changed; what is the case now is asked for, since the state at hand may lag behind the event.
        Receive<ClusterEvent.IClusterDomainEvent>(_ => cluster.SendCurrentClusterState(Self));
        Receive<ClusterEvent.CurrentClusterState>(LookAround);
    }

    protected override void PreStart()
    {
        cluster.Subscribe(Self, ClusterEvent.InitialStateAsSnapshot, typeof(ClusterEvent.IMemberEvent), typeof(ClusterEvent.IReachabilityEvent));
        foreach (var site in plan.Config.Sites.Values)
        {
            foreach (var node in site.Nodes)
            {
                keys[KeyOf(site.Name, node).Id] = (site.Name, node);
                replicator.Tell(Dsl.Subscribe(KeyOf(site.Name, node), Self));
            }
        }

        var self = Self;
        var before = catalogue.Attach(holding =>
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            self.Tell(new Publish(holding, done));
            return done.Task;
        });
        foreach (var holding in before)
        {
            Self.Tell(new Publish(holding, null));
        }
    }

    protected override void PostStop()
    {
        catalogue.Detach();
        cluster.Unsubscribe(Self);
    }

    private static LWWRegisterKey<string> KeyOf(string site, string node) => new($"{site}/{node}");

    private void Spread(Publish publish)
    {
        var text = HoldingText.Write(publish.Holding);
        var reachable = cluster.State.Members.Count(member => member.Status == MemberStatus.Up && !cluster.State.Unreachable.Contains(member));
        IWriteConsistency consistency = reachable > 1 ? new WriteTo(reachable, SpreadWithin) : WriteLocal.Instance;
        var empty = new LWWRegister<string>(cluster.SelfUniqueAddress, "", Later);
        replicator.Tell(Dsl.Update(
            KeyOf(publish.Holding.Site, publish.Holding.Node), empty, consistency, publish.Done, register => register.WithValue(cluster.SelfUniqueAddress, text, Later)));
    }

    /// <summary>A later word of the same node always wins, also when the wall clock went back.</summary>
    private long Later(long before, string value) => Math.Max(time.GetUtcNow().UtcTicks, before + 1);

    private void Spreaded(IUpdateResponse response)
    {
        var done = response.Request as TaskCompletionSource;
        if (response is ModifyFailure failure)
        {
            Log.NotSpread(log, failure.Key.Id, failure.Cause);
        }

        done?.TrySetResult();
    }

    private void Hear(Changed change)
    {
        if (!keys.TryGetValue(change.Key.Id, out var about) || change.Data is not LWWRegister<string> register || register.Value is not { Length: > 0 } text)
        {
            return;
        }

        if (about.Node == plan.Self.Name)
        {
            if (catalogue.Said(about.Site) is { } said && HoldingText.Write(said) != text)
            {
                Self.Tell(new Publish(said, null));
            }
        }
        else if (HoldingText.Read(text, about.Site, about.Node) is { } holding)
        {
            catalogue.Hear(holding);
        }
        else
        {
            Log.NotUnderstood(log, about.Node, about.Site);
        }
    }

    private void LookAround(ClusterEvent.CurrentClusterState state)
    {
        var seen = plan.Config.Members.Values.ToDictionary(
            member => member.Name, member => GossipCatalogue.Describe(member, member.Name == plan.Self.Name ? "joining" : "absent", member.Name == plan.Self.Name));
        foreach (var member in state.Members.OrderBy(member => member.Status == MemberStatus.Removed ? 0 : 1))
        {
            if (plan.NameOf(member.Address) is { } name)
            {
                var reachable = name == plan.Self.Name || !state.Unreachable.Contains(member);
                seen[name] = GossipCatalogue.Describe(plan.Config.Members[name], StateOf(member, reachable), reachable && StateOf(member, reachable) is "up" or "joining");
            }
        }

        foreach (var (name, now) in seen)
        {
            if (catalogue.Current.Members.TryGetValue(name, out var before) && before.State != now.State)
            {
                Log.MemberIs(log, name, now.State, before.State);
            }
        }

        catalogue.See(seen);
    }

    private static string StateOf(Member member, bool reachable) => member.Status switch
    {
        MemberStatus.Joining => reachable ? "joining" : "unreachable",
        MemberStatus.Up or MemberStatus.WeaklyUp => reachable ? "up" : "unreachable",
        MemberStatus.Leaving or MemberStatus.Exiting => "leaving",
        _ => "absent",
    };

    private sealed record Publish(SiteHolding Holding, TaskCompletionSource? Done);
}
