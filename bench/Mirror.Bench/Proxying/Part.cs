using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Mirror.Bench.Measuring;

namespace Mirror.Bench.Proxying;

/// <summary>A process that is measured, or measured with; ends with its owner.</summary>
internal sealed class Part : IAsyncDisposable
{
    private static readonly TimeSpan startsWithin = TimeSpan.FromSeconds(30);
    private readonly Process _process;

    private Part(Process process, int port)
    {
        _process = process;
        Port = port;
    }

    public int Port { get; }

    public int Id => _process.Id;

    /// <summary>What it took so far. A proxy that has workers is all of them.</summary>
    public TimeSpan Cpu => TimeSpan.FromSeconds(ProcessTimes.OfTree(_process.Id));

    /// <summary>One of <see cref="ProxyParts"/>.</summary>
    public static async Task<Part> StartOwnAsync(string part, int app, string state, CancellationToken cancellation)
    {
        var port = FreePort();
        List<string> arguments = [ProxyParts.Command, part, Text(port), Text(app), state];
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            arguments.Insert(0, typeof(Part).Assembly.Location);
        }

        var started = new Part(Start(Environment.ProcessPath!, arguments, words: true), port);
        while (await started._process.StandardOutput.ReadLineAsync(cancellation) is { } line)
        {
            if (line == "ready")
            {
                return started;
            }

            Console.Error.WriteLine($"{part}: {line}");
        }

        throw new BenchException($"The part '{part}' ended before it was ready.");
    }

    /// <param name="arguments">Given the port to listen on.</param>
    public static async Task<Part> StartPeerAsync(string program, Func<int, IReadOnlyList<string>> arguments, CancellationToken cancellation)
    {
        var port = FreePort();
        var started = new Part(Start(Peer.Find(program)!, arguments(port), words: false), port);
        var begin = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                using var probe = new TcpClient();
                await probe.ConnectAsync(IPAddress.Loopback, port, cancellation);
                return started;
            }
            catch (SocketException) when (!started._process.HasExited && TimeProvider.System.GetElapsedTime(begin) < startsWithin)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellation);
            }
        }
    }

    public async Task SayAsync(string word)
    {
        await _process.StandardInput.WriteLineAsync(word);
        await _process.StandardInput.FlushAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static Process Start(string program, IReadOnlyList<string> arguments, bool words) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        RedirectStandardInput = words,
        RedirectStandardOutput = words,
    })!;

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
