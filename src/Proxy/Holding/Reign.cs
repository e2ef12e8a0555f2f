using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Mirror.Proxy.Holding;

/// <summary>One node being primary in one epoch. Ends when the catalogue says so; what is in flight to any app of it is cut then.</summary>
[SuppressMessage("Design", "CA1001", Justification = "Requests hold these tokens for as long as they run; a source without a timer keeps nothing that needs disposing.")]
internal sealed class Reign(string node, ulong epoch)
{
    private readonly CancellationTokenSource _ended = new();
    private CancellationTokenSource _tunnels = new();

    public string Node => node;

    public ulong Epoch => epoch;

    /// <summary>Of answers: the epoch tells a reader, and whoever measures, which reign answered.</summary>
    public KeyValuePair<string, string>[] Headers { get; } = [new("Mirror-Epoch", epoch.ToString(CultureInfo.InvariantCulture))];

    /// <summary>The same for readers who came by a mirror's name.</summary>
    public KeyValuePair<string, string>[] MirrorHeaders => field ??= [.. Headers, new("Mirror-Source", "primary")];

    /// <summary>Cancelled when the reign is over: a fenced primary keeps no socket.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Cancelled then too, and by a planned hold: a tunnel (WebSocket) carries writes that no hold could stop.</summary>
    public CancellationToken Tunnels => _tunnels.Token;

    public void End()
    {
        _ended.Cancel();
        _tunnels.Cancel();
    }

    /// <summary>Cuts the tunnels there are; later ones live.</summary>
    public void CutTunnels()
    {
        var cut = Interlocked.Exchange(ref _tunnels, new CancellationTokenSource());
        cut.Cancel();
        if (_ended.IsCancellationRequested)
        {
            _tunnels.Cancel();
        }
    }
}
