using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;

namespace Mirror.Leadership;

/// <summary>Wires leadership into a member: its votes, its elections, the epochs it has seen.</summary>
public static class LeadershipServices
{
    /// <summary>Needs <see cref="PeerChannels"/>, <see cref="ICatalogue"/> and a <see cref="TimeProvider"/> among the services.</summary>
    /// <param name="verified">Makes the function that tells the newest version of a site this member holds verified; default for one that holds none.</param>
    public static IServiceCollection AddVoting(
        this IServiceCollection services, MirrorConfig config, MemberConfig member, CallerName caller, Func<IServiceProvider, Func<string, Position>> verified) => services
        .AddSingleton<IEpochGate>(new EpochGate(Path.Combine(member.State, "epochs")))
        .AddSingleton(provider => new Elections(
            config, member, provider.GetRequiredService<PeerChannels>(), verified(provider), provider.GetRequiredService<ICatalogue>(),
            provider.GetRequiredService<IEpochGate>(), provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILoggerFactory>()))
        .AddSingleton(provider => new VotingService(provider.GetRequiredService<Elections>().Own, caller));

    public static IEndpointRouteBuilder MapVoting(this IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGrpcService<VotingService>();
        return endpoints;
    }
}
