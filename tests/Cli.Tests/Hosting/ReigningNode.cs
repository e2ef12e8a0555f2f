using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Cli.Hosting;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Processes;
using Mirror.Primary;
using Mirror.Primary.Publish;
using Mirror.Store.Versions;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Hosting;

/// <summary>The node alpha as primary of the wiki's files: a real store and a real guard; the lease and the gossip are the test's.</summary>
internal sealed class ReigningNode : IAsyncDisposable
{
    private readonly TemporaryDirectory files;
    private readonly VersionStore store;
    private readonly GuardClient guard;
    private readonly MemberIdentity identity;
    private readonly PeerChannels peers;
    private readonly CancellationTokenSource stopping = new();

    private ReigningNode(
        TemporaryDirectory files, VersionStore store, GuardClient guard, MemberIdentity identity, PeerChannels peers, SiteContext context, Gossip said, TestLease lease)
    {
        this.files = files;
        this.store = store;
        this.guard = guard;
        this.identity = identity;
        this.peers = peers;
        Context = context;
        Said = said;
        Lease = lease;
    }

    public SiteContext Context { get; }

    public Gossip Said { get; }

    public TestLease Lease { get; }

    /// <summary>Null until it reigns by <see cref="StartAsync"/>.</summary>
    public PrimaryReign Reign { get; private set; } = null!;

    /// <summary>The reign's own loop.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    public static async Task<ReigningNode> StartAsync()
    {
        var node = await MakeAsync(new NoElection());
        node.Reign = (await PrimaryReign.EnterAsync(node.Context, new Lease("wiki", 1, node.Lease), null, node.stopping.Token))!;
        node.Running = Task.Run(node.Reign.RunAsync);
        return node;
    }

    /// <summary>With all it needs, and in no role yet.</summary>
    public static async Task<ReigningNode> MakeAsync(IElection election)
    {
        var files = new TemporaryDirectory();
        var root = files.Make("root");
        File.WriteAllText(Path.Combine(root, "page"), "one");
        var site = Snapshots.Site(withApp: false) with { Files = new FilesConfig(root, [], TimeSpan.FromMilliseconds(20), TimeSpan.FromHours(1)) };
        var config = Snapshots.Config(site);
        config = config with { Cluster = config.Cluster with { Pki = files["pki"] } };
        CertificateAuthority.Create(files["pki"], "home", TimeProvider.System);
        CertificateAuthority.Issue(files["pki"], "alpha", "node", ["127.0.0.1"], TimeProvider.System);
        var identity = MemberIdentity.Load(files["pki"], "alpha", TimeProvider.System);
        var peers = new PeerChannels(config, identity);
        var member = config.Members["alpha"] with { State = files.Make("state") };
        var guard = await GuardClient.StartAsync(
            [Path.Combine(AppContext.BaseDirectory, "mirror"), "guard"], TimeSpan.FromSeconds(30), TimeProvider.System, CancellationToken.None);
        var store = await VersionStore.OpenAsync(SiteContext.DirectoryOf(member, site.Name), site.Name, TimeProvider.System, CancellationToken.None);
        var said = new Gossip();
        var epochs = new EpochGate(files["epochs"]);
        var context = new SiteContext(
            config, member, site, store, election, said, epochs, peers, new SiteApps(site, member, guard, TimeProvider.System), new ServedSites(),
            new SiteStatus(store, member.Name, said, epochs, guard, _ => true, () => null, new DecisionLog(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), TimeProvider.System, NullLogger.Instance)), TimeProvider.System, NullLogger.Instance);
        return new ReigningNode(files, store, guard, identity, peers, context, said, new TestLease());
    }

    public void Edit(string content) => File.WriteAllText(Path.Combine(Context.Site.Files.Root, "page"), content);

    /// <summary>What beta would report: warm at the newest version, whichever that is.</summary>
    public void BetaIsWarm()
    {
        var newest = Reign.Role.Newest!.Id;
        Reign.Role.Report("beta", new ReplicaHolding(newest, newest, newest));
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        if (Reign is not null)
        {
            await Reign.DisposeAsync();
        }

        await store.DisposeAsync();
        await guard.DisposeAsync();
        peers.Dispose();
        identity.Dispose();
        stopping.Dispose();
        files.Dispose();
    }

    /// <summary>A lease that is lost when a test says so.</summary>
    internal sealed class TestLease : ILeaseKeeper
    {
        private readonly CancellationTokenSource lost = new();

        public CancellationToken Lost => lost.Token;

        public bool IsHeld => !lost.IsCancellationRequested;

        public LeaseSpan Span => new(TimeProvider.System.GetElapsedTime(0) + TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(1));

        public string? Successor { get; private set; }

        public Task LoseAsync() => lost.CancelAsync();

        // Like the real one: the right is over before the voters have heard of it.
        public async Task GiveBackAsync(string? successor, CancellationToken cancellation)
        {
            Successor = successor;
            _ = lost.CancelAsync();
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancellation);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    /// <summary>Remembers what this node published.</summary>
    internal sealed class Gossip : ICatalogue
    {
        private readonly List<SiteHolding> said = [];

        public ClusterSnapshot Current => ClusterSnapshot.Empty;

        public IReadOnlyList<SiteHolding> All
        {
            get
            {
                lock (said)
                {
                    return [.. said];
                }
            }
        }

        // Nobody else is there to be heard of.
        public async Task<ClusterSnapshot> ChangedSinceAsync(ClusterSnapshot seen, CancellationToken cancellation)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation);
            return seen;
        }

        public Task PublishAsync(SiteHolding holding, CancellationToken cancellation)
        {
            lock (said)
            {
                said.Add(holding);
            }

            return Task.CompletedTask;
        }
    }

    private sealed class NoElection : IElection
    {
        public Task<Lease> WinAsync(Func<Leadership.Core.Position> verified, Action<string> decided, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<Lease> StandNowAsync(Func<Leadership.Core.Position> verified, Action<string> decided, CancellationToken cancellation) => throw new NotSupportedException();
    }
}
