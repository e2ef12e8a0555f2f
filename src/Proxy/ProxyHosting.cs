using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Proxy.AccessLog;
using Mirror.Proxy.Durability;
using Mirror.Proxy.Forwarding;
using Mirror.Proxy.Holding;
using Mirror.Proxy.Listening;
using Mirror.Proxy.PublicPages;
using Mirror.Proxy.Routing;
using Yarp.ReverseProxy.Forwarder;

namespace Mirror.Proxy;

/// <summary>
/// Makes a process a proxy. It needs an <see cref="Leadership.Membership.ICatalogue"/> among the services; the host itself opens the
/// cluster's mTLS port and maps <see cref="RoutingService"/> there.
/// </summary>
public static class ProxyHosting
{
    /// <summary>Adds the services and the public addresses of <see cref="MemberConfig.Listen"/>.</summary>
    public static IServiceCollection AddProxy(this IServiceCollection services, MirrorConfig config, MemberConfig member)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.AddHttpForwarder();

        // What the forwarder calls a warning is here a try among several; what comes of it is told by this room's own records.
        // An activity for each request, which nobody here looks at, is made as soon as anybody listens to the host's category.
        services.AddLogging(logging => logging.AddFilter("Yarp.ReverseProxy.Forwarder", LogLevel.Error).AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None));
        services.AddLogging(logging => logging.AddFilter<BadRequests>(null, LogLevel.None).AddFilter<BadRequests>(BadRequests.Category, LogLevel.Debug));
        services.AddSingleton<BadRequests>().AddSingleton<ILoggerProvider>(all => all.GetRequiredService<BadRequests>()).AddHostedService<BadRequestReport>();
        services.AddOptions<KestrelServerOptions>().Configure<PublicEndpoints>((kestrel, endpoints) => endpoints.Listen(kestrel));
        services.AddSingleton(all => new PublicEndpoints(member, all.GetRequiredService<SiteCertificates>(), all.GetRequiredService<ILogger<PublicEndpoints>>()));
        services.AddSingleton(all => new SiteCertificates(member, all.GetRequiredService<TimeProvider>(), all.GetRequiredService<ILogger<SiteCertificates>>()));
        services.AddHostedService(all => all.GetRequiredService<SiteCertificates>());
        services.AddSingleton(new TrustedProxies(member));
        services.AddSingleton(all => new AccessWriter(
            member, all.GetRequiredService<TrustedProxies>(), all.GetRequiredService<TimeProvider>(), all.GetRequiredService<ILogger<AccessWriter>>()));
        services.AddHostedService(all => all.GetRequiredService<AccessWriter>());

        services.AddSingleton<ProxyMetrics>();
        services.AddSingleton(new HostTable(config));
        services.AddSingleton(new EpochFile(Path.Combine(member.State, "routes")));
        services.AddSingleton(new HoldingRoom(member.HoldRequests));
        services.AddSingleton(all => new BodyRoom(Path.Combine(member.State, "holding"), member.HoldBytes, all.GetRequiredService<ILogger<BodyRoom>>()));
        services.AddSingleton(all => new RouteTable(
            config, all.GetRequiredService<EpochFile>(), all.GetRequiredService<HoldingRoom>(), all.GetRequiredService<ProxyMetrics>(),
            all.GetRequiredService<TimeProvider>(), all.GetRequiredService<ILoggerFactory>()));
        services.AddHostedService<RouteWatcher>();
        services.AddSingleton(all => new RoutingService(config, all.GetRequiredService<RouteTable>()));

        services.AddSingleton<AppClient>();
        services.AddSingleton(all => new AppSender(
            all.GetRequiredService<IHttpForwarder>(), all.GetRequiredService<AppClient>(), all.GetRequiredService<TrustedProxies>(), all.GetRequiredService<WrittenCookie>(),
            member.Front.AnswerWithin, all.GetRequiredService<TimeProvider>()));
        services.AddSingleton(all => new Turnstile(all.GetRequiredService<TimeProvider>()));
        services.AddSingleton<Settling>();
        services.AddSingleton(all => new SiteForwarder(
            all.GetRequiredService<AppSender>(), all.GetRequiredService<Settling>(), all.GetRequiredService<Turnstile>(), all.GetRequiredService<ProxyMetrics>(), member,
            all.GetRequiredService<TimeProvider>(), all.GetRequiredService<ILogger<SiteForwarder>>(), all.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping));
        services.AddSingleton(all => new WrittenCookie(all.GetRequiredService<TimeProvider>()));
        services.AddSingleton<MirrorForwarder>();
        services.AddSingleton<OwnPages>();
        services.AddSingleton(all => new UnavailablePage(member, all.GetRequiredService<TimeProvider>(), all.GetRequiredService<ILogger<UnavailablePage>>()));
        services.AddSingleton<ProxyFront>();
        return services;
    }

    /// <summary>
    /// Puts the front before everything else in the pipeline: what comes in by a public address is answered here and never reaches
    /// the process's other endpoints; what comes in elsewhere passes by.
    /// </summary>
    public static WebApplication MapProxy(this WebApplication app)
    {
        var front = app.Services.GetRequiredService<ProxyFront>();
        app.Use((context, next) => PublicEndpoints.IsPublic(context) ? front.AnswerAsync(context) : next(context));

        // Said here, it comes after the front: what users ask for is not looked up among the cluster's endpoints.
        app.UseRouting();
        return app;
    }
}
