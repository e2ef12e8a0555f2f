using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Mirror.Bench.Measuring;

namespace Mirror.Bench.Proxying;

/// <summary>Requests that wait for a primary, each on a connection of its own, every second one a POST with a body: what the proxy's process takes meanwhile, and how they are answered once there is one.</summary>
internal sealed class HeldBench(WorkOptions options, int held, TextWriter output, TextWriter talk)
{
    private const int BodyBytes = 2048;
    private const int AtOnce = 200;

    // A loopback address has about 28,000 ports for those who connect; each address has its own.
    private const int PerAddress = 10_000;

    private static readonly TimeSpan patience = TimeSpan.FromMinutes(2);

    public async Task RunAsync(CancellationToken cancellation)
    {
        var folder = Path.Combine(options.Work, "proxy");
        Files.Remove(folder);
        Directory.CreateDirectory(folder);
        await using var app = await Part.StartOwnAsync("app", 0, folder, cancellation);
        await using var proxy = await Part.StartOwnAsync("mirror", app.Port, folder, cancellation);
        var sockets = new List<Socket>();
        try
        {
            await CountHeldAsync(proxy, cancellation);
            var before = ProcessMemory.Resident(proxy.Id);
            talk.WriteLine($"held: {held} connections");
            for (var i = 0; i < held; i += AtOnce)
            {
                sockets.AddRange(await Task.WhenAll(Enumerable.Range(i, Math.Min(AtOnce, held - i)).Select(number => SendAsync(proxy, number, cancellation))));
            }

            var start = TimeProvider.System.GetTimestamp();
            while (await CountHeldAsync(proxy, cancellation) is var count && count < held)
            {
                if (TimeProvider.System.GetElapsedTime(start) > patience)
                {
                    throw new BenchException($"Only {count} of {held} requests are held.");
                }
            }

            var meanwhile = ProcessMemory.Resident(proxy.Id);
            var clock = Stopwatch.StartNew();
            await proxy.SayAsync("primary");
            var answers = await Task.WhenAll(sockets.Select(socket => AnswerAsync(socket, cancellation))).WaitAsync(patience, TimeProvider.System, cancellation);
            clock.Stop();
            var table = new Table("requests held", "memory before", "while they wait", "a request", "at most, to the last answer", "answered 200", "all answered after, s") { Live = output };
            table.Add(
                held.ToString("N0", CultureInfo.InvariantCulture), Table.Bytes(before), Table.Bytes(meanwhile), Table.Bytes((meanwhile - before) / held), Table.Bytes(ProcessMemory.Peak(proxy.Id)),
                answers.Count(answer => answer == "HTTP/1.1 200").ToString("N0", CultureInfo.InvariantCulture), Table.Seconds(clock.Elapsed));
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
            Files.Remove(folder);
        }
    }

    private static async Task<Socket> SendAsync(Part proxy, int number, CancellationToken cancellation)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(new IPAddress([127, 0, 0, (byte)(2 + (number / PerAddress))]), 0));
        await socket.ConnectAsync(IPAddress.Loopback, proxy.Port, cancellation);
        var request = number % 2 == 0
            ? $"GET /page/{number} HTTP/1.1\r\nHost: {ProxyParts.Host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nCookie: session=0123456789abcdef\r\n\r\n"
            : $"POST /page/{number} HTTP/1.1\r\nHost: {ProxyParts.Host}\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\nContent-Type: text/plain\r\nContent-Length: {BodyBytes}\r\n\r\n{new string('b', BodyBytes)}";
        await socket.SendAsync(Encoding.ASCII.GetBytes(request), cancellation);
        return socket;
    }

    private static async Task<string> AnswerAsync(Socket socket, CancellationToken cancellation)
    {
        var begin = new byte[12];
        var filled = 0;
        while (filled < begin.Length && await socket.ReceiveAsync(begin.AsMemory(filled), cancellation) is > 0 and var count)
        {
            filled += count;
        }

        return Encoding.ASCII.GetString(begin, 0, filled);
    }

    private static async Task<int> CountHeldAsync(Part proxy, CancellationToken cancellation)
    {
        using var client = new HttpClient();
        var status = await client.GetStringAsync(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{proxy.Port}/.mirror/status"), cancellation);
        using var document = JsonDocument.Parse(status);
        return document.RootElement.GetProperty("sites").GetProperty("site").GetProperty("held").GetInt32();
    }
}
