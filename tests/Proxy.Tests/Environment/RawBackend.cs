using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>
/// An app that writes its answers byte for byte and then, where a test wants it, ends the connection in good order, as a process does that exits
/// after a write: what it wrote arrives, and then nothing.
/// </summary>
internal sealed class RawBackend : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentQueue<string> _seen = new();
    private readonly CancellationTokenSource _over = new();
    private readonly Func<int, string, (string Answer, bool Close)> _answer;
    private readonly Task _serving;
    private int _count;

    /// <param name="answer">For the n-th request (from 1) with this request line: what to write, and whether to end the connection then.</param>
    public RawBackend(Func<int, string, (string Answer, bool Close)> answer)
    {
        _answer = answer;
        _listener.Start();
        _serving = ServeAsync();
    }

    public string Address => $"http://{_listener.LocalEndpoint}";

    /// <summary>Request lines in order.</summary>
    public IReadOnlyList<string> Seen => [.. _seen];

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        _listener.Dispose();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _over.Dispose();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptSocketAsync(_over.Token);
            _ = TalkAsync(client).ContinueWith(_ => client.Dispose(), TaskScheduler.Default);
        }
    }

    private async Task TalkAsync(Socket client)
    {
        using var stream = new NetworkStream(client);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        while (await reader.ReadLineAsync(_over.Token) is { Length: > 0 } line)
        {
            while (await reader.ReadLineAsync(_over.Token) is { Length: > 0 })
            {
                // Headers are of no interest, and requests here have no bodies.
            }

            _seen.Enqueue(line);
            var (answer, close) = _answer(Interlocked.Increment(ref _count), line);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), _over.Token);
            if (close)
            {
                client.Shutdown(SocketShutdown.Send);
                return;
            }
        }
    }
}
