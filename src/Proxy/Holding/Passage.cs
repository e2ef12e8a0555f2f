namespace Mirror.Proxy.Holding;

internal enum Traffic
{
    /// <summary>Cannot change the site (GET, HEAD, OPTIONS, TRACE).</summary>
    Read,

    /// <summary>May change the site.</summary>
    Write,

    /// <summary>An upgraded connection (WebSocket): lives long and may carry anything.</summary>
    Tunnel,
}

internal enum Refusal
{
    /// <summary>No lawful primary came within the time a request may wait.</summary>
    WaitedTooLong,

    /// <summary>As many requests wait as may.</summary>
    TooManyWaiting,

    /// <summary>This proxy is stopping.</summary>
    Stopping,
}

/// <summary>The right to send one request to the app of a reign. Counted as in flight until disposed.</summary>
internal sealed class Passage(SiteGate gate, Reign reign, Uri app, Traffic traffic) : IDisposable
{
    private int _left;

    public Reign Reign => reign;

    public Uri App => app;

    /// <summary>Cancelled when what is in flight must be cut.</summary>
    public CancellationToken Cut { get; } = traffic == Traffic.Tunnel ? reign.Tunnels : reign.Ended;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0)
        {
            gate.Leave(traffic);
        }
    }
}

/// <summary>A passage, or why there is none.</summary>
internal readonly record struct Entry(Passage? Passage, Refusal Refusal = default);
