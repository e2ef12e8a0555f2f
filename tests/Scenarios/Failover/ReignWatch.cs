using System.Collections.Concurrent;
using Grpc.Core;
using Grpc.Net.Client;
using Mirror.Cli.Commands;
using Mirror.Node.Channels;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Scenarios.Failover;

/// <summary>Asks each node again and again what it takes itself for, by its own socket, which no network cuts. Two who say that they lead in one epoch are one too many.</summary>
internal sealed class ReignWatch : IAsyncDisposable
{
    private static readonly TimeSpan pause = TimeSpan.FromMilliseconds(40);

    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentDictionary<ulong, string> primaries = new();
    private readonly ConcurrentQueue<string> faults = new();
    private readonly Lock gate = new();
    private readonly Task watching;
    private VersionId consistent;

    public ReignWatch(IEnumerable<(string Node, string Socket)> nodes) => watching = Task.WhenAll(nodes.Select(node => Task.Run(() => WatchAsync(node.Node, node.Socket))));

    public IReadOnlyCollection<string> Faults => faults;

    /// <summary>The newest version that any node ever called consistent.</summary>
    public VersionId Consistent
    {
        get
        {
            lock (gate)
            {
                return consistent;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await watching;
        stopping.Dispose();
    }

    private async Task WatchAsync(string node, string socket)
    {
        GrpcChannel? channel = null;
        try
        {
            while (!stopping.IsCancellationRequested)
            {
                try
                {
                    channel ??= LocalChannel.Open(socket);
                    Note(node, await new Control.ControlClient(channel).GetStatusAsync(
                        new StatusRequest { OnlyHere = true }, deadline: Deadlines.In(TimeSpan.FromSeconds(1)), cancellationToken: stopping.Token));
                }
                catch (Exception failure) when (failure is RpcException or NotRunningException)
                {
                    // It is away: that is what is played here.
                    channel?.Dispose();
                    channel = null;
                }

                await Task.Delay(pause, stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Enough seen.
        }
        finally
        {
            channel?.Dispose();
        }
    }

    private void Note(string node, ClusterStatus status)
    {
        var site = status.Sites[0];
        if (site.Holdings.FirstOrDefault(holding => holding.Node == node) is { Role: "primary" } own && primaries.GetOrAdd(own.Epoch, node) is var first && first != node)
        {
            faults.Enqueue($"{first} and {node} both were primary in epoch {own.Epoch}");
        }

        lock (gate)
        {
            if (Asking.ToId(site.Consistent) is var said && consistent < said)
            {
                consistent = said;
            }
        }
    }
}
