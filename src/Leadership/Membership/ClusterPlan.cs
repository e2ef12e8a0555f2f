using System.Globalization;
using System.Net;
using Akka.Actor;
using Akka.Configuration;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;

namespace Mirror.Leadership.Membership;

/// <summary>
/// Who belongs to the cluster and how its actor system is set. The members are those of the configuration, at fixed addresses. So nobody is ever declared
/// down for being out of reach: an unreachable member stays listed as such until it returns or is started anew at its address. Nothing here grants a right,
/// therefore no side of a cut line has to stop, and both find together again by themselves.
/// </summary>
internal sealed class ClusterPlan
{
    public const string SystemName = "mirror";

    private readonly MirrorConfig config;
    private readonly MemberConfig self;
    private readonly Dictionary<(string Host, int Port), string> names;
    private readonly Pace pace;

    public ClusterPlan(MirrorConfig config, MemberConfig self)
    {
        this.config = config;
        this.self = self;
        pace = Pace.Of(config.Cluster.Profile);
        Order = [.. config.Members.Values.OrderBy(Rank).ThenBy(member => member.Name, StringComparer.Ordinal).Select(member => member.Name)];
        names = config.Members.Values.ToDictionary(member => (member.Address, member.ClusterPort), member => member.Name);
    }

    /// <summary>All members, nodes first: the same everywhere. The first one that is up begins the cluster.</summary>
    public IReadOnlyList<string> Order { get; }

    public MirrorConfig Config => config;

    public MemberConfig Self => self;

    /// <summary>How long a member that is not the first looks for the others before it begins a cluster itself. Different for each, so that one begins.</summary>
    public TimeSpan Patience => pace.Seeds + TimeSpan.FromSeconds(1.5 + Order.TakeWhile(name => name != self.Name).Count());

    public Address AddressOf(string name) => new("akka.ssl.tcp", SystemName, config.Members[name].Address, config.Members[name].ClusterPort);

    /// <summary>Null for an address that is no member's.</summary>
    public string? NameOf(Address address) => address is { Host: { } host, Port: { } port } ? names.GetValueOrDefault((host, port)) : null;

    /// <summary>Settings by the network's profile. As measured with that of a LAN, a killed member is seen as unreachable after 2 to 2.5 s.</summary>
    /// <param name="seeds">Members to look for; when none answers, the first begins the cluster.</param>
    public Config Settings(IReadOnlyList<string> seeds) => ConfigurationFactory.ParseString(string.Create(CultureInfo.InvariantCulture, $$"""
        akka {
          loggers = ["{{typeof(ActorLog).FullName}}, {{typeof(ActorLog).Assembly.GetName().Name}}"]
          loglevel = INFO
          stdout-loglevel = OFF
          stdout-logger-class = "{{typeof(NoStandardOutput).FullName}}, {{typeof(NoStandardOutput).Assembly.GetName().Name}}"
          log-dead-letters = off
          log-dead-letters-during-shutdown = off
          actor.provider = cluster
          # A slower wheel wakes an idle process less often; nothing here needs finer steps.
          scheduler.tick-duration = 50ms
          coordinated-shutdown {
            run-by-clr-shutdown-hook = off
            run-by-actor-system-terminate = off
            exit-clr = off
            # The first phase asks who wants the shutdown, and must be able to say no.
            phases.before-service-unbind.recover = off
            default-phase-timeout = 2s
            phases.cluster-exiting.timeout = 2s
            phases.cluster-sharding-shutdown-region.timeout = 2s
          }
          remote {
            # A member that starts anew is spoken to again soon, not after the five seconds of the default.
            retry-gate-closed-for = 500ms
            log-remote-lifecycle-events = off
            dot-netty.tcp {
              hostname = "{{BindAddress()}}"
              public-hostname = "{{self.Address}}"
              port = {{self.ClusterPort}}
              enable-ssl = true
              ssl {
                suppress-validation = false
                require-mutual-authentication = true
              }
              # Also the limit of the association's own handshake: a machine busy starting everything at once needs longer than a quiet one.
              connection-timeout = 10s
              batching.enabled = false
              server-socket-worker-pool { pool-size-min = 1, pool-size-max = 1 }
              client-socket-worker-pool { pool-size-min = 1, pool-size-max = 1 }
            }
          }
          cluster {
            roles = ["{{GossipCatalogue.KindOf(self)}}"]
            seed-nodes = [{{string.Join(", ", seeds.Select(name => $"\"{AddressOf(name)}\""))}}]
            seed-node-timeout = {{Pace.Text(pace.Seeds)}}
            retry-unsuccessful-join-after = 1s
            # No automatic downing of any kind.
            downing-provider-class = ""
            auto-down-unreachable-after = off
            # While one member is away the others can't agree on more; a newcomer is let in all the same.
            allow-weakly-up-members = 1s
            log-info = off
            periodic-tasks-initial-delay = 300ms
            gossip-interval = {{Pace.Text(pace.Gossip)}}
            leader-actions-interval = {{Pace.Text(pace.Gossip)}}
            unreachable-nodes-reaper-interval = {{Pace.Text(pace.Gossip)}}
            scheduler.tick-duration = 50ms
            failure-detector {
              heartbeat-interval = {{Pace.Text(pace.Heartbeat)}}
              acceptable-heartbeat-pause = {{Pace.Text(pace.Pause)}}
              expected-response-after = {{Pace.Text(pace.FirstAnswer)}}
            }
            distributed-data {
              gossip-interval = {{Pace.Text(pace.News)}}
              notify-subscribers-interval = 50ms
              # Every entry is small, and a message must fit a frame.
              max-delta-elements = 50
              durable.keys = []
            }
          }
        }
        """));

    private static int Rank(MemberConfig member) => member.Kind switch
    {
        MemberKind.Node => 0,
        MemberKind.Witness => 1,
        _ => 2,
    };

    private string BindAddress()
    {
        var address = Listeners.EndPointFor(self.Address, self.ClusterPort).Address;
        return address.Equals(IPAddress.IPv6Any) ? IPAddress.Any.ToString() : address.ToString();
    }
}
