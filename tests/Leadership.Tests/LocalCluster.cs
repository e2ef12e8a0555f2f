using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Tests.Voting;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;

namespace Mirror.Leadership.Tests;

/// <summary>Members a, b, c of one site on loopback, with certificates of a real CA, free ports and directories of their own.</summary>
internal sealed class LocalCluster : IDisposable
{
    private readonly Scratch scratch = new();
    private readonly ConcurrentQueue<string> lines = new();

    public LocalCluster(TimeSpan? lease = null)
    {
        var ports = FreePorts(6);
        string[] names = ["a", "b", "c"];
        CertificateAuthority.Create(scratch.At("pki"), "test", TimeProvider.System);
        CertificateAuthority.Create(scratch.At("foreign"), "test", TimeProvider.System);
        foreach (var name in names)
        {
            CertificateAuthority.Issue(scratch.At("pki"), name, "node", ["127.0.0.1"], TimeProvider.System);
            CertificateAuthority.Issue(scratch.At("foreign"), name, "node", ["127.0.0.1"], TimeProvider.System);
        }

        CertificateAuthority.Issue(scratch.At("pki"), "operator", "admin", ["127.0.0.1"], TimeProvider.System);
        Config = new MirrorConfig
        {
            Cluster = new("test", lease ?? TimeSpan.FromSeconds(4), scratch.At("pki")),
            Members = names.Select((name, place) => new MemberConfig(
                name, MemberKind.Node, "127.0.0.1", ports[place], ports[place + 3], scratch.At(name), [], TimeSpan.Zero, 0, new(1, 2))).ToDictionary(member => member.Name),
            Sites = new Dictionary<string, SiteConfig>
            {
                ["wiki"] = new("wiki", "a", names, names, new("/srv/wiki", [], TimeSpan.Zero, TimeSpan.Zero), [], [], [], [], true),
            },
        };
        Logs = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Debug).AddProvider(new Collector(lines)));
    }

    public MirrorConfig Config { get; }

    public ILoggerFactory Logs { get; }

    public IEnumerable<string> Lines => lines;

    public string At(string relative) => scratch.At(relative);

    public MemberIdentity Identity(string name, string pki = "pki") => MemberIdentity.Load(scratch.At(pki), name, TimeProvider.System);

    public GossipCatalogue Catalogue(string name) => new(Config, name, TimeProvider.System);

    public ClusterNode Member(string name, GossipCatalogue catalogue) => new(Config, Config.Members[name], Identity(name), catalogue, TimeProvider.System, Logs);

    public static async Task<TimeSpan> UntilAsync(Func<bool> condition, string what, double withinSeconds = 300)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(withinSeconds), $"{what}: not within {withinSeconds} s");
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System);
        }

        return TimeProvider.System.GetElapsedTime(began);
    }

    public void Dispose()
    {
        Logs.Dispose();
        scratch.Dispose();
    }

    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        int[] ports = [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        listeners.ForEach(listener => listener.Dispose());
        return ports;
    }

    private sealed class Collector(ConcurrentQueue<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel} {formatter(state, exception)} {exception?.GetType().Name}");

        public void Dispose()
        {
        }
    }
}
