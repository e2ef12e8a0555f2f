using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using Mirror.Proxy;
using Yarp.ReverseProxy.Configuration;
using YarpCluster = Yarp.ReverseProxy.Configuration.ClusterConfig;
using ClusterConfig = Mirror.Node.Configuration.ClusterConfig;

namespace Mirror.Bench.Proxying;

/// <summary>
/// The processes of <c>bench proxy</c>: the app behind all proxies, Mirror's proxy, and YARP by itself. Each runs in a process of its own, with the memory settings of the program,
/// says "ready" when it listens, and ends when its standard input does.
/// </summary>
internal static class ProxyParts
{
    /// <summary>The hidden command that becomes one of these.</summary>
    public const string Command = "proxy-part";

    public const string Host = "bench.example";

    /// <summary>An answer as small pages and JSON have them: a few headers and 256 bytes.</summary>
    private static readonly byte[] answer =
    [
        .. "HTTP/1.1 200 OK\r\nServer: app\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-cache\r\nContent-Length: 256\r\n\r\n"u8,
        .. Enumerable.Repeat((byte)'x', 256),
    ];

    /// <param name="part">app, mirror, yarp or forwarder.</param>
    /// <param name="state">Mirror's state directory.</param>
    /// <param name="words">Lines that come in: Mirror's proxy has no primary before it hears one.</param>
    public static async Task RunAsync(string part, int port, int app, string state, TextReader words, TextWriter says, CancellationToken cancellation)
    {
        var catalogue = new ToldCatalogue();
        await using var proxy = part switch
        {
            "mirror" => Mirror(port, state, catalogue),
            "yarp" => Yarp(port, app),
            "forwarder" => Forwarder(port, app),
            _ => null,
        };
        using var listener = proxy is null ? Serve(port) : null;
        if (proxy is not null)
        {
            await proxy.StartAsync(cancellation);
        }

        await says.WriteLineAsync("ready".AsMemory(), cancellation);
        await says.FlushAsync(cancellation);
        while (await words.ReadLineAsync(cancellation) is { } word)
        {
            if (word == "primary")
            {
                catalogue.Say(new SiteHolding("site", "alpha", SiteRole.Primary, 1, new(1, 1), new(1, 1), new(1, 1), string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{app}"), null, "", []));
            }
        }
    }

    private static WebApplicationBuilder Builder()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddSimpleConsole().AddFilter("Microsoft", LogLevel.Warning).AddFilter("Yarp", LogLevel.Warning);
        return builder;
    }

    private static WebApplication Mirror(int port, string state, ToldCatalogue catalogue)
    {
        var member = new MemberConfig(
            "front", MemberKind.Proxy, "127.0.0.1", 0, 0, state,
            [string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")], TimeSpan.FromMinutes(10), 1_000_000, default);
        var site = new SiteConfig(
            "site", "alpha", ["alpha"], ["alpha"], new FilesConfig("/srv/site", [], TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)), [], [], [Host], [], true);
        var config = new MirrorConfig
        {
            Cluster = new ClusterConfig("bench", TimeSpan.FromSeconds(4), "pki"),
            Members = new Dictionary<string, MemberConfig> { ["front"] = member },
            Sites = new Dictionary<string, SiteConfig> { ["site"] = site },
        };
        var builder = Builder();
        builder.Services.AddSingleton<ICatalogue>(catalogue).AddProxy(config, member);
        var proxy = builder.Build();
        proxy.MapProxy();
        return proxy;
    }

    /// <summary>YARP as its users have it: a route and a cluster.</summary>
    private static WebApplication Yarp(int port, int app)
    {
        var builder = YarpBuilder(port);
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "site", ClusterId = "site", Match = new RouteMatch { Hosts = [Host], Path = "/{**rest}" } }],
            [new YarpCluster { ClusterId = "site", Destinations = new Dictionary<string, DestinationConfig> { ["alpha"] = new() { Address = AddressOf(app) } } }]);
        var proxy = builder.Build();
        proxy.MapReverseProxy();
        return proxy;
    }

    /// <summary>The least that YARP can be: its forwarder behind one endpoint, one address, no route table of its own, no cluster, no pipeline.</summary>
    private static WebApplication Forwarder(int port, int app)
    {
        var builder = YarpBuilder(port);
        builder.Services.AddHttpForwarder();
        var proxy = builder.Build();
        proxy.MapForwarder("/{**rest}", AddressOf(app));
        return proxy;
    }

    private static WebApplicationBuilder YarpBuilder(int port)
    {
        var builder = Builder();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenLocalhost(port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        return builder;
    }

    private static string AddressOf(int app) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{app}");

    /// <summary>An app that costs next to nothing: it answers each end of headers with the same bytes. Its requests have no bodies, but those of known length are stepped over.</summary>
    private static TcpListener Serve(int port)
    {
        var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start(4096);
        _ = AcceptAsync(listener);
        return listener;
    }

    private static async Task AcceptAsync(TcpListener listener)
    {
        while (listener.Server.IsBound)
        {
            var client = await listener.AcceptSocketAsync();
            client.NoDelay = true;
            _ = AnswerAsync(client).ContinueWith(_ => client.Dispose(), TaskScheduler.Default);
        }
    }

    private static async Task AnswerAsync(Socket client)
    {
        var buffer = new byte[128 * 1024];
        var filled = 0;
        while (await client.ReceiveAsync(buffer.AsMemory(filled)) is > 0 and var count)
        {
            filled += count;
            while (AppRequest.LengthOf(buffer.AsSpan(0, filled)) is { } length)
            {
                await client.SendAsync(answer);
                buffer.AsSpan(length, filled - length).CopyTo(buffer);
                filled -= length;
            }
        }
    }
}
