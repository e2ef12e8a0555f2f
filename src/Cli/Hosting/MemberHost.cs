using System.CommandLine;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Leadership;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Apps;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Processes;
using Mirror.Primary.Capture.Logs;
using Mirror.Primary.Publish;
using Mirror.Proxy;
using Mirror.Proxy.Routing;
using Mirror.Replica.Receive;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>One member of the cluster as a process: what every member has (identity, gossip, votes, control), and what its kind adds.</summary>
internal static class MemberHost
{
    public static Option<bool> StopWithInput() => new("--stop-with-input") { Description = "Stop in order when standard input ends.", Hidden = true };

    /// <param name="leash">When this ends, the member stops in order: whoever started it is gone. Null: it is on its own.</param>
    public static async Task<int> RunAsync(MirrorConfig config, MemberConfig member, Stream? leash, TextWriter announce, CancellationToken cancellation)
    {
        var time = TimeProvider.System;
        Directory.CreateDirectory(member.State, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using var identity = MemberIdentity.Load(config.Cluster.Pki, member.Name, time);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat, console.UseUtcTimestamp) = (true, "HH:mm:ss.fff ", true))
            .AddFilter("Microsoft", LogLevel.Warning).AddFilter("Grpc", LogLevel.Warning).AddFilter("Akka", LogLevel.Warning).AddFilter("Yarp", LogLevel.Warning)
            // What keeps the host from starting is said once, by the command, with a remedy.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
        builder.Host.UseSystemd();
        builder.ListenForPeers(member, identity);
        builder.ListenForControl(member.ControlSocket);

        var sites = new RunningSites();
        builder.Services
            .AddSingleton(time).AddSingleton(config).AddSingleton(member).AddSingleton(identity).AddSingleton(sites)
            .AddSingleton<PeerChannels>()
            .AddLeadership(config, member, identity, _ => site => VerifiedOf(sites, site))
            .AddSingleton<ControlService>().AddSingleton<FailureInterceptor>()
            .AddGrpc(grpc => grpc.Interceptors.Add<FailureInterceptor>());

        if (member.Kind == MemberKind.Node)
        {
            builder.Services.AddSingleton<ServedSites>().AddSingleton<ReplicationService>().AddSingleton<DurabilityService>().AddHostedService<NodeSites>();
        }
        else if (member.Kind == MemberKind.Proxy)
        {
            builder.Services.AddProxy(config, member);
            builder.WebHost.UseQuic();
        }

        await using var host = builder.Build();
        host.MapLeadership();
        host.MapGrpcService<ControlService>();
        if (member.Kind == MemberKind.Node)
        {
            host.MapGrpcService<ReplicationService>();
            host.MapGrpcService<DurabilityService>();
        }
        else if (member.Kind == MemberKind.Proxy)
        {
            host.MapProxy();
            host.MapGrpcService<RoutingService>();
        }

        try
        {
            await host.StartAsync(cancellation);
        }
        catch
        {
            // What had started before the part that could not, such as sites and their guard, ends in order too.
            await host.StopAsync(CancellationToken.None);
            throw;
        }

        await announce.WriteLineAsync($"{member.Kind.ToString().ToLowerInvariant()} {member.Name} is up: peers {member.Address}:{member.GrpcPort}, control {member.ControlSocket}".AsMemory(), cancellation);
        _ = leash is null ? Task.CompletedTask : StopWithAsync(leash, host.Lifetime);
        await host.WaitForShutdownAsync(cancellation);
        return Environment.ExitCode;
    }

    private static async Task StopWithAsync(Stream leash, IHostApplicationLifetime lifetime)
    {
        var nothing = new byte[64];
        while (await leash.ReadAsync(nothing, lifetime.ApplicationStopping) > 0)
        {
        }

        lifetime.StopApplication();
    }

    private static Position VerifiedOf(RunningSites sites, string site) =>
        sites.Find(site)?.Context.Store.Head is { } head ? SiteStatus.PositionOf(head.Id) : default;
}

/// <summary>Runs every site this node holds, from start to stop.</summary>
internal sealed partial class NodeSites(
    MirrorConfig config, MemberConfig member, RunningSites running, ServedSites served, Elections elections, ICatalogue catalogue, IEpochGate epochs,
    PeerChannels peers, TimeProvider time, IHostApplicationLifetime lifetime, ILoggerFactory logs) : IHostedService
{
    // Two silences of the guard and the time to stop fit into a lease: the apps are gone before another may be appointed.
    private const int stallsInLease = 3;

    private readonly CancellationTokenSource stopping = new();
    private readonly List<(Task Loop, Task Retention, VersionStore Store)> sites = [];
    private GuardClient? guard;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // Ready, it says that no app of an earlier life of this node runs any more.
        var guarded = new GuardedNode(member.Name, config.Cluster.Pki, Path.Combine(member.State, "guard.lock"));
        guard = await GuardClient.StartAsync(GuardCommandLine(), config.Cluster.Lease / stallsInLease, time, cancellationToken, guarded);
        elections.Reborn();
        foreach (var site in config.Sites.Values.Where(site => site.Nodes.Contains(member.Name)))
        {
            var privatePaths = SlotDatabases.PrivatePaths(site).Select(EntryPath.Parse).ToHashSet();
            var siteLogs = LogPatterns.For(site);
            var store = await VersionStore.OpenAsync(
                SiteContext.DirectoryOf(member, site.Name), site.Name, time, cancellationToken, path => privatePaths.Contains(path) || siteLogs?.Matches(path) == true,
                new Rebuilding(logs.CreateLogger<NodeSites>(), site.Name));
            HeapTrim.After(store.HeadManifest.Entries.Count);
            foreach (var remark in store.Remarks)
            {
                Log.Remark(logs.CreateLogger<NodeSites>(), site.Name, remark);
            }

            store.BorrowFrom(new SitePeers(site, member.Name, peers, catalogue, time));
            served.Open(store);
            var runner = new SiteRunner(new SiteContext(
                config, member, site, store, elections.Of(site.Name), catalogue, epochs, peers, new SiteApps(site, member, guard, time), served,
                new SiteStatus(store, member.Name, catalogue, epochs, guard, held => elections.Protects(site.Name, held), () => elections.HeldBack(site.Name), new DecisionLog(Path.Combine(SiteContext.DirectoryOf(member, site.Name), "decisions"), time, logs.CreateLogger<NodeSites>())), time, logs.CreateLogger("Mirror.Site." + site.Name)));
            running.Add(runner);
            var retention = new SiteRetention(site, store, time, runner.Context.Logger);
            sites.Add((RunAsync(site.Name, () => runner.RunAsync(stopping.Token)), RunAsync(site.Name, () => retention.RunAsync(stopping.Token)), store));
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await stopping.CancelAsync();
        foreach (var (loop, retention, store) in sites)
        {
            await loop;
            await retention;
            await store.DisposeAsync();
        }

        if (guard is not null)
        {
            await guard.DisposeAsync();
        }
    }

    // A fault nobody foresaw: what this node holds can no longer be trusted to be what it says, so the process ends, loudly, and its guard stops the apps.
    private async Task RunAsync(string site, Func<Task> run)
    {
        try
        {
            await Task.Run(run, CancellationToken.None);
        }
        catch (Exception fault)
        {
            Log.Broken(logs.CreateLogger<NodeSites>(), site, fault);
            Environment.ExitCode = Output.ExitCode.Failed;
            lifetime.StopApplication();
        }
    }

    // The guard is this very program, under another name of its own.
    private static string[] GuardCommandLine() => [Environment.ProcessPath!, "guard"];

    /// <summary>What opening a store reports is work that is rare and may take long: it is logged as it comes.</summary>
    private sealed class Rebuilding(ILogger logger, string site) : IProgress<StoreProgress>
    {
        public void Report(StoreProgress value) => Log.Remark(logger, site, value.Step);
    }

    private static partial class Log
    {
        [LoggerMessage(7051, LogLevel.Warning, "{Site}: {Remark}")]
        public static partial void Remark(ILogger logger, string site, string remark);

        [LoggerMessage(7050, LogLevel.Critical, "{Site}: an unforeseen fault; this node stops")]
        public static partial void Broken(ILogger logger, string site, Exception fault);
    }
}
