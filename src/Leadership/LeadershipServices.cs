using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Consul;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Consul;
using Mirror.Node.Identity;

namespace Mirror.Leadership;

/// <summary>Wires leadership into a member: its place in the cluster, its votes, its elections, the epochs it has seen.</summary>
public static class LeadershipServices
{
    /// <summary>Adds <see cref="ICatalogue"/>, <see cref="Agreement"/>, <see cref="IEpochGate"/> and <see cref="Elections"/>, and runs the cluster membership. Needs <see cref="PeerChannels"/> and a <see cref="TimeProvider"/> among the services.</summary>
    /// <param name="verified">Makes the function that tells the newest version of a site this member holds verified; default for one that holds none.</param>
    public static IServiceCollection AddLeadership(
        this IServiceCollection services, MirrorConfig config, MemberConfig member, MemberIdentity identity, Func<IServiceProvider, Func<string, Position>> verified) => services
        .AddMembership(config, member, identity)
        .AddConsul(config, member)
        .AddVoting(config, member, verified);

    /// <summary>The voters of this member, for others to ask over gRPC.</summary>
    public static IEndpointRouteBuilder MapLeadership(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGrpcService<VotingService>();
        endpoints.MapGrpcService<AgreeingService>();
        return endpoints;
    }

    private static IServiceCollection AddMembership(this IServiceCollection services, MirrorConfig config, MemberConfig member, MemberIdentity identity)
    {
        var catalogue = new GossipCatalogue(config, member.Name, TimeProvider.System);
        return services
            .AddSingleton<ICatalogue>(catalogue)
            .AddSingleton(provider => new Agreement(config, member.Name, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>().CreateLogger("Mirror.Leadership.Membership")))
            .AddSingleton(provider => new AgreeingService(provider.GetRequiredService<Agreement>(), member))
            .AddHostedService(provider => new Comparing(config, member.Name, provider.GetRequiredService<PeerChannels>(), provider.GetRequiredService<Agreement>(), provider.GetRequiredService<TimeProvider>()))
            .AddSingleton(provider => new ClusterNode(
                config, member, identity, catalogue, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>()))
            .AddHostedService(provider => provider.GetRequiredService<ClusterNode>());
    }

    // Before whatever holds a lock: hosted services stop in reverse order, and with this member's check its sessions end.
    private static IServiceCollection AddConsul(this IServiceCollection services, MirrorConfig config, MemberConfig member) => config.Cluster.Consul is not { } consul ? services : services
        .AddSingleton<IConsul>(provider => new ConsulClient(consul.Agent, provider.GetRequiredService<TimeProvider>()))
        .AddHostedService(provider => new Announcer(
            config, member, provider.GetRequiredService<IConsul>(), provider.GetRequiredService<ICatalogue>(), provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>().CreateLogger("Mirror.Leadership.Consul")));

    private static Func<SiteRules, IElection>? Arbiter(MirrorConfig config, MemberConfig member, IServiceProvider provider)
    {
        if (config.Cluster.Consul is not { Arbiter: true } consul)
        {
            return null;
        }

        var cluster = config.Cluster.Name;
        var ways = new LockWays(
            provider.GetRequiredService<IConsul>(), member.Name, ConsulConfig.MemberId(cluster, member.Name), provider.GetRequiredService<ICatalogue>(), provider.GetRequiredService<IEpochGate>(),
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>().CreateLogger("Mirror.Leadership.Consul"));
        return rules => new LockElection(rules, new(consul.Agent, consul.LockKey(cluster, rules.Site), "", ConsulConfig.SiteId(cluster, rules.Site, member.Name)), ways);
    }

    private static IServiceCollection AddVoting(
        this IServiceCollection services, MirrorConfig config, MemberConfig member, Func<IServiceProvider, Func<string, Position>> verified) => services
        .AddSingleton<IEpochGate>(new EpochGate(Path.Combine(member.State, "epochs")))
        .AddSingleton(provider => new Elections(
            config, member, provider.GetRequiredService<PeerChannels>(), verified(provider), provider.GetRequiredService<ICatalogue>(),
            provider.GetRequiredService<IEpochGate>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>(), Arbiter(config, member, provider), provider.GetRequiredService<Agreement>()))
        .AddHostedService(provider => new OrderListener(provider.GetRequiredService<Elections>(), provider.GetRequiredService<ICatalogue>()))
        .AddSingleton(provider => new VotingService(provider.GetRequiredService<Elections>().Own));
}
