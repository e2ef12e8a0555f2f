using System.Globalization;
using Mirror.Bench.Measuring;

namespace Mirror.Bench.Proxying;

/// <summary>
/// Small answers through Mirror's proxy, through YARP alone on the same runtime, and through what people would take instead, all in front of one app that costs next to nothing.
/// Load, proxy and app share the machine, as nothing else is there. All of them run from the beginning and take turns; those that have no turn have nothing to do.
/// </summary>
internal sealed class ProxyBench(WorkOptions options, int rounds, TextWriter output, TextWriter talk)
{
    private const int Connections = 64;
    private const string Anchor = "YARP, forwarder only";
    private const string Ours = "Mirror";
    private static readonly TimeSpan warming = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan turn = TimeSpan.FromSeconds(5);

    public async Task RunAsync(CancellationToken cancellation)
    {
        if (Peer.Find(Wrk.Program) is null)
        {
            throw new BenchException($"{Peer.Absence(Wrk.Program)}; it makes the load.");
        }

        var folder = Path.Combine(options.Work, "proxy");
        Files.Remove(folder);
        Directory.CreateDirectory(folder);
        await using var app = await Part.StartOwnAsync("app", 0, folder, cancellation);
        var proxies = new List<(string Name, Part Part)>();
        try
        {
            await AddAsync(proxies, app, folder, cancellation);
            await MeasureAsync(proxies, cancellation);
        }
        finally
        {
            foreach (var (_, part) in proxies.Where(proxy => proxy.Part != app))
            {
                await part.DisposeAsync();
            }

            Files.Remove(folder);
        }
    }

    private async Task AddAsync(List<(string Name, Part Part)> proxies, Part app, string folder, CancellationToken cancellation)
    {
        proxies.Add(("no proxy", app));
        proxies.Add((Ours, await Part.StartOwnAsync("mirror", app.Port, folder, cancellation)));
        await proxies[^1].Part.SayAsync("primary");
        proxies.Add((Anchor, await Part.StartOwnAsync("forwarder", app.Port, folder, cancellation)));
        proxies.Add(("YARP, a route and a cluster", await Part.StartOwnAsync("yarp", app.Port, folder, cancellation)));
        foreach (var peer in PeerProxies.All)
        {
            if (Peer.Find(peer.Program) is null)
            {
                talk.WriteLine($"proxy: {Peer.Absence(peer.Program)}");
                continue;
            }

            proxies.Add((peer.Program, await Part.StartPeerAsync(peer.Program, port => peer.Arguments(folder, port, app.Port), cancellation)));
        }
    }

    private async Task MeasureAsync(List<(string Name, Part Part)> proxies, CancellationToken cancellation)
    {
        foreach (var (name, part) in proxies)
        {
            talk.WriteLine($"proxy: warming {name}");
            await LoadAsync(part, warming, cancellation);
        }

        var turns = proxies.ToDictionary(proxy => proxy.Name, _ => new List<(Wrk Wrk, double CpuMicroseconds)>());
        for (var round = 0; round < rounds; round++)
        {
            // The order turns round too: who follows whom must not matter.
            foreach (var (name, part) in round % 2 == 0 ? proxies : Enumerable.Reverse(proxies))
            {
                var before = part.Cpu;
                var result = await LoadAsync(part, turn, cancellation);
                turns[name].Add((result, (part.Cpu - before).TotalMicroseconds / (result.RequestsPerSecond * turn.TotalSeconds)));
                talk.WriteLine(string.Create(CultureInfo.InvariantCulture, $"proxy: round {round + 1} of {rounds}, {name}: {result.RequestsPerSecond:F0}/s, 99th {result.P99Milliseconds:F2} ms"));
            }
        }

        var table = new Table("proxy", "requests/s", "of YARP's", "median ms", "99th of 100, ms", "÷ YARP's", "CPU µs a request", "errors") { Live = output };
        foreach (var (name, _) in proxies)
        {
            var own = turns[name];
            var pairs = own.Zip(turns[Anchor]).ToList();
            table.Add(
                name,
                Table.Digits(Measured.Median(own.Select(one => one.Wrk.RequestsPerSecond))),
                (100 * Measured.Median(pairs.Select(pair => pair.First.Wrk.RequestsPerSecond / pair.Second.Wrk.RequestsPerSecond))).ToString("F1", CultureInfo.InvariantCulture) + " %",
                Table.Digits(Measured.Median(own.Select(one => one.Wrk.MedianMilliseconds))),
                Table.Digits(Measured.Median(own.Select(one => one.Wrk.P99Milliseconds))),
                Table.Times(Measured.Median(pairs.Select(pair => pair.First.Wrk.P99Milliseconds / pair.Second.Wrk.P99Milliseconds))),
                Table.Digits(Measured.Median(own.Select(one => one.CpuMicroseconds))),
                own.Sum(one => one.Wrk.Errors).ToString(CultureInfo.InvariantCulture));
        }
    }

    private static Task<Wrk> LoadAsync(Part part, TimeSpan duration, CancellationToken cancellation) =>
        Wrk.RunAsync(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{part.Port}/page?id=17"), ProxyParts.Host, Connections, duration, cancellation);
}
