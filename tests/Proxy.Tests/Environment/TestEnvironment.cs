using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Proxy.Holding;
using Mirror.Proxy.Routing;
using Wire = Mirror.Node.Wire;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>A real proxy on loopback in front of real apps, with a catalogue that says what the test says. An unexpected error in the log fails the test.</summary>
internal sealed class TestEnvironment : IAsyncDisposable
{
    public const string Host = "wiki.example";
    public const string MirrorHost = "mirror.example";

    /// <summary>Long enough for a busy machine; a test that reaches it has failed.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly WebApplication _proxy;
    private readonly MemberConfig _member;
    private readonly List<Backend> _backends = [];
    private readonly List<GrpcChannel> _channels = [];
    private readonly ErrorLog _errors = new();
    private readonly string _state;
    private readonly bool _ownsState;

    private TestEnvironment(TimeSpan holdFor, int holdRequests, long holdBytes, string? state, string[] hosts, FrontConfig? front, TimeSpan mirrorLag, Action<KestrelServerLimits>? limits,
        DurabilityConfig? durability, IReadOnlyList<SettlingNode> nodes)
    {
        _ownsState = state is null;
        _state = state ?? Directory.CreateTempSubdirectory("mirror-proxy-").FullName;
        _member = new MemberConfig(
            "front", MemberKind.Proxy, "127.0.0.1", 0, 0, _state, front?.Certificates.Count > 0 ? ["http://127.0.0.1:0", $"https://127.0.0.1:{(front.Http3 ? FreePort() : 0)}"] : ["http://127.0.0.1:0"],
            holdFor, holdRequests, default) { HoldBytes = holdBytes, Front = front ?? FrontConfig.Default };
        var site = new SiteConfig(
            "wiki", "a", ["a", "b", "c"], ["a", "b", "c"], new FilesConfig("/srv/wiki", [], TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)),
            [], [], hosts, [MirrorHost], true) { MirrorLag = mirrorLag, Durability = durability ?? DurabilityConfig.Default };
        var config = new MirrorConfig
        {
            Cluster = new ClusterConfig("test", TimeSpan.FromSeconds(4), "pki"),
            Members = nodes.Select(node => node.Member).Append(_member).ToDictionary(member => member.Name),
            Sites = new Dictionary<string, SiteConfig> { ["wiki"] = site },
        };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(_errors);
        builder.Services.AddSingleton<ICatalogue>(Catalogue);
        builder.Services.AddSingleton(new PeerChannels(config, ClusterPki.Of("front")));
        builder.Services.AddGrpc();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.UseQuic();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(ClusterPki.Of("front").Certificate, https =>
            {
                https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                https.ClientCertificateValidation = (certificate, _, _) => ClusterPki.Of("front").Trusts(certificate, client: true);
            });
        }));
        builder.Services.AddProxy(config, _member);
        builder.Services.PostConfigure<KestrelServerOptions>(kestrel => limits?.Invoke(kestrel.Limits));
        _proxy = builder.Build();
        _proxy.MapProxy();
        _proxy.MapGrpcService<RoutingService>();
        _proxy.MapGet("/inside", () => "inside");
    }

    public FakeCatalogue Catalogue { get; } = new();

    /// <summary>Its state directory.</summary>
    public string State => _state;

    public BodyRoom Bodies => _proxy.Services.GetRequiredService<BodyRoom>();

    public HttpClient Client { get; private set; } = null!;

    public Uri Address { get; private set; } = null!;

    /// <summary>Where readers come by TLS, when there is a certificate.</summary>
    public int TlsPort { get; private set; }

    public T Service<T>()
        where T : notnull => _proxy.Services.GetRequiredService<T>();

    /// <summary>The cluster's own port of the proxy.</summary>
    public int ClusterPort { get; private set; }

    /// <summary>The routing service over mTLS, called by a node.</summary>
    public Wire.Routing.RoutingClient RoutingAs(string node)
    {
        var channel = PeerChannels.Open(_member with { GrpcPort = ClusterPort }, ClusterPki.Of(node));
        _channels.Add(channel);
        return new Wire.Routing.RoutingClient(channel);
    }

    public async Task<Wire.HoldReply> HoldAsync(ulong epoch, uint deadline = 30_000, uint drain = 20_000, string node = "a") =>
        await RoutingAs(node).HoldAsync(new Wire.HoldRequest { Site = "wiki", Epoch = epoch, DeadlineMs = deadline, DrainMs = drain });

    public async Task<Wire.ReleaseReply> ReleaseAsync(ulong epoch) =>
        await RoutingAs("a").ReleaseAsync(new Wire.ReleaseRequest { Site = "wiki", Epoch = epoch });

    public static async Task<TestEnvironment> StartAsync(
        TimeSpan? holdFor = null, int holdRequests = 1000, long holdBytes = 1 << 30, string? state = null, string[]? hosts = null, FrontConfig? front = null,
        TimeSpan mirrorLag = default, Action<KestrelServerLimits>? limits = null, DurabilityConfig? durability = null, params IReadOnlyList<SettlingNode> nodes)
    {
        var environment = new TestEnvironment(holdFor ?? Patience, holdRequests, holdBytes, state, hosts ?? [Host], front, mirrorLag, limits, durability, nodes);
        await environment._proxy.StartAsync();
        environment.Address = new Uri(environment._proxy.Urls.Single(url => url.StartsWith("http:", StringComparison.Ordinal)));
        var tls = environment._proxy.Urls.Where(url => url.StartsWith("https:", StringComparison.Ordinal)).Select(url => new Uri(url).Port).ToList();
        environment.ClusterPort = tls[0];
        environment.TlsPort = tls[^1];
        environment.Client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
        {
            BaseAddress = environment.Address,
            Timeout = Patience,
        };
        return environment;
    }

    public async Task<Backend> AppAsync(string name, Microsoft.AspNetCore.Http.RequestDelegate? handler = null, int port = 0)
    {
        var backend = await Backend.StartAsync(name, handler, port);
        _backends.Add(backend);
        return backend;
    }

    /// <summary>Says it and waits until the proxy routes by it.</summary>
    public async Task SayAsync(params SiteHolding[] holdings)
    {
        Catalogue.Say(holdings);
        await AppliedAsync();
    }

    public async Task AppliedAsync()
    {
        var routes = _proxy.Services.GetRequiredService<RouteTable>();
        var wanted = SiteView.Read(Catalogue.Current, "wiki");
        await UntilAsync(() => Same(routes.View("wiki"), wanted), "the proxy follows the catalogue");
    }

    public static HttpRequestMessage Request(HttpMethod method, string path, HttpContent? content = null, string host = Host)
    {
        var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Host = host;
        return request;
    }

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, HttpContent? content = null, string host = Host) =>
        Client.SendAsync(Request(method, path, content, host), HttpCompletionOption.ResponseHeadersRead);

    public async Task<string> GetAsync(string path, string host = Host)
    {
        using var response = await SendAsync(HttpMethod.Get, path, host: host);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadAsStringAsync();
    }

    public async Task<SiteCounts> CountsAsync()
    {
        var status = await Client.GetFromJsonAsync<JsonElement>("/.mirror/status");
        var site = status.GetProperty("sites").GetProperty("wiki");
        return new SiteCounts(
            site.GetProperty("primary").GetString(), site.GetProperty("epoch").GetUInt64(), site.GetProperty("holdingBecause").GetString(),
            site.GetProperty("held").GetInt32(), site.GetProperty("inFlight").GetInt32(), site.GetProperty("tunnels").GetInt32());
    }

    public Task HeldAsync(int count) => UntilAsync(async () => (await CountsAsync()).Held == count, $"{count} requests are held");

    public Task InFlightAsync(int count) => UntilAsync(async () => (await CountsAsync()).InFlight == count, $"{count} requests are in flight");

    public static Task UntilAsync(Func<bool> condition, string what) => UntilAsync(() => Task.FromResult(condition()), what);

    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < Patience, $"Waited in vain until {what}.");
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System);
        }
    }

    public Task StopAsync() => _proxy.StopAsync();

    public void ExpectError(int id) => _errors.Expected.Add(id);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        _channels.ForEach(channel => channel.Dispose());
        await _proxy.StopAsync();
        await _proxy.DisposeAsync();
        foreach (var backend in _backends)
        {
            await backend.DisposeAsync();
        }

        if (_ownsState)
        {
            Directory.Delete(_state, recursive: true);
        }

        Assert.Empty(_errors.Unexpected);
    }

    // TCP and UDP on one port take a number given beforehand.
    private static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static bool Same(SiteView one, SiteView other) =>
        one.HighestEpoch == other.HighestEpoch && one.Claims.SequenceEqual(other.Claims)
        && one.Replicas.SequenceEqual(other.Replicas) && one.Speakers.SetEquals(other.Speakers);

    private sealed class ErrorLog : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<(int Id, string Text)> _errors = new();

        public HashSet<int> Expected { get; } = [];

        public IEnumerable<string> Unexpected => _errors.Where(error => !Expected.Contains(error.Id)).Select(error => error.Text);

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                _errors.Enqueue((eventId.Id, $"{formatter(state, exception)} {exception}"));
            }
        }

        public void Dispose()
        {
        }
    }
}

internal sealed record SiteCounts(string? Primary, ulong Epoch, string? HoldingBecause, int Held, int InFlight, int Tunnels);
