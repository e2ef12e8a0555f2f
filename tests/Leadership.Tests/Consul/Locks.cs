using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Leadership.Consul;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Tests.Voting;
using Mirror.Leadership.Voting;
using Mirror.Node.Configuration;
using Mirror.Node.Consul;
using Mirror.Testing.Consul;

namespace Mirror.Leadership.Tests.Consul;

/// <summary>Nodes that contend for the lock of one site, each with an agent of its own, under a clock of the test's own. A node reports itself as a member does until it is killed.</summary>
internal sealed class Locks : IDisposable
{
    public const string Key = "mirror/test/wiki";
    private readonly Scratch scratch = new();
    private readonly SiteRules rules;
    private readonly Dictionary<string, CancellationTokenSource> lives = [];

    public Locks(SiteRules rules)
    {
        this.rules = rules with { HasArbiter = true };
        Servers = new(Time.Clock);
        Config = new()
        {
            Cluster = new("test", rules.Lease, "/pki"),
            Members = rules.Nodes.ToDictionary(
                static name => name, name => new MemberConfig(name, MemberKind.Node, $"10.0.0.{name[0] - 'a' + 1}", 7400, 7401, "/state", [], TimeSpan.Zero, 0, new(1, 2))),
            Sites = new Dictionary<string, SiteConfig>
            {
                ["wiki"] = new("wiki", rules.Primary, rules.Nodes, rules.Nodes, new("/srv/wiki", [], TimeSpan.Zero, TimeSpan.Zero), [], [], [], [], true),
            },
        };
        foreach (var name in rules.Nodes)
        {
            Verified[name] = default;
            Agents[name] = new(Servers, name, Time.Clock);
            Revive(name);
        }
    }

    public VirtualTime Time { get; } = new();

    public MirrorConfig Config { get; }

    public StandInServers Servers { get; }

    public Dictionary<string, StandInAgent> Agents { get; } = [];

    public HandCatalogue Catalogue { get; } = new();

    public Dictionary<string, Position> Verified { get; } = [];

    public LockRecord Record => LockRecord.Read(Servers.Find(Key)!.Value)!;

    /// <summary>The process is gone, with all it had under way; its lock is where it was.</summary>
    public void Kill(string name) => lives[name].Cancel();

    /// <summary>It runs (again), and tells its agent so.</summary>
    public void Revive(string name)
    {
        var life = lives[name] = new();
        var announcer = new Announcer(Config, Config.Members[name], new Mortal(Agents[name], life.Token), Catalogue, Time.Clock, NullLogger.Instance);
        _ = Time.Begin(async () =>
        {
            await announcer.RunAsync(life.Token);
            return true;
        });
        Time.Until(() => true);
    }

    /// <summary>The catalogue lists these nodes with what they hold, all of them reachable.</summary>
    public void Gossip(params string[] names) => Catalogue.Say(new(
        names.ToDictionary(name => name, name => new ClusterMember(name, "node", "", true, "up")),
        [.. names.Select(name => new SiteHolding("wiki", name, SiteRole.Replica, Verified[name].Epoch, Verified[name], Verified[name], default, null, null, "", []))]));

    public IEpochGate Gate(string name) => new EpochGate(scratch.At($"{name}/epochs"));

    public LockElection Of(string name) => new(
        rules, new(new ConsulAgent(new Uri("http://127.0.0.1:8500")), Key, "", ConsulConfig.SiteId("test", "wiki", name)),
        new(new Mortal(Agents[name], lives[name].Token), name, ConsulConfig.MemberId("test", name), Catalogue, Gate(name), Time.Clock, NullLogger.Instance));

    public Lease Win(string name, List<string>? said = null) => Time.Await(Stand(name, said));

    /// <summary>Begins to stand; goes on while time passes.</summary>
    public Task<Lease> Stand(string name, List<string>? said = null, CancellationToken cancellation = default)
    {
        var life = lives[name];
        var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, life.Token);
        return Time.Begin(() => Of(name).WinAsync(() => Verified[name], sentence => said?.Add(sentence), either.Token));
    }

    public bool Raise(Lease lease, Position version) => Time.Run(() => lease.Mark!.RaiseAsync(version, CancellationToken.None));

    public void Dispose()
    {
        Servers.Dispose();
        scratch.Dispose();
    }

    /// <summary>What a process asks of its agent: nothing any more once it is dead.</summary>
    private sealed class Mortal(IConsul agent, CancellationToken death) : IConsul
    {
        public Task<KeyReading> ReadKeyAsync(string key, CancellationToken cancellation) => LiveAsync(token => agent.ReadKeyAsync(key, token), cancellation);

        public Task<KeyReading> WatchKeyAsync(string key, ulong after, TimeSpan atMost, CancellationToken cancellation) =>
            LiveAsync(token => agent.WatchKeyAsync(key, after, atMost, token), cancellation);

        public Task<CommitOutcome> CommitAsync(IReadOnlyList<KeyOperation> operations, CancellationToken cancellation) =>
            LiveAsync(token => agent.CommitAsync(operations, token), cancellation);

        public Task<string> OpenSessionAsync(SessionAsk ask, CancellationToken cancellation) => LiveAsync(token => agent.OpenSessionAsync(ask, token), cancellation);

        public Task<bool> RenewSessionAsync(string session, CancellationToken cancellation) => LiveAsync(token => agent.RenewSessionAsync(session, token), cancellation);

        public Task CloseSessionAsync(string session, CancellationToken cancellation) => LiveAsync(token => Done(agent.CloseSessionAsync(session, token)), cancellation);

        public Task RegisterAsync(ServiceAsk service, CancellationToken cancellation) => LiveAsync(token => Done(agent.RegisterAsync(service, token)), cancellation);

        public Task DeregisterAsync(string service, CancellationToken cancellation) => LiveAsync(token => Done(agent.DeregisterAsync(service, token)), cancellation);

        public Task ReportAsync(string service, ServiceHealth health, string note, CancellationToken cancellation) =>
            LiveAsync(token => Done(agent.ReportAsync(service, health, note, token)), cancellation);

        public Task<ServiceReading> WatchServiceAsync(string name, ulong after, TimeSpan atMost, CancellationToken cancellation) =>
            LiveAsync(token => agent.WatchServiceAsync(name, after, atMost, token), cancellation);

        private static async Task<bool> Done(Task task)
        {
            await task;
            return true;
        }

        private async Task<T> LiveAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancellation)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, death);
            if (death.IsCancellationRequested)
            {
                throw new ConsulException(ConsulFault.Silent, "dead");
            }

            return await ask(either.Token);
        }
    }
}
