using System.Net;
using Mirror.Node.Configuration;

namespace Mirror.Primary.Publish;

/// <summary>
/// A limit on the bytes sent in a second, shared by all who send by it, in the order in which they ask. What was not used is not saved up, but for a tenth of a second: enough that a timer's
/// lateness costs nothing.
/// </summary>
internal sealed class Bandwidth(long bytesPerSecond, TimeProvider time)
{
    private const int leastPiece = 4 << 10;
    private const int piecesPerSecond = 16;
    private const double saved = 0.1;

    private readonly Lock gate = new();

    // When everything granted so far is paid for, in the clock's steps.
    private double paid = double.MinValue;

    /// <summary>What to send at a time, so that a slow stream is never silent for long: its receiver would take it for dead.</summary>
    public int Piece => (int)Math.Clamp(bytesPerSecond / piecesPerSecond, leastPiece, 256 << 10);

    /// <summary>Returns when so many bytes may be sent.</summary>
    public Task SpendAsync(int bytes, CancellationToken cancellation)
    {
        TimeSpan wait;
        lock (gate)
        {
            var now = (double)time.GetTimestamp();
            var from = Math.Max(paid, now - (saved * time.TimestampFrequency));
            paid = from + ((double)bytes / bytesPerSecond * time.TimestampFrequency);
            wait = TimeSpan.FromSeconds(Math.Max(0, from - now) / time.TimestampFrequency);
        }

        return wait > TimeSpan.Zero ? Task.Delay(wait, time, cancellation) : Task.CompletedTask;
    }
}

/// <summary>The limit of one site, and to whom it does not apply.</summary>
internal sealed class SiteBandwidth
{
    private readonly Bandwidth? bandwidth;
    private readonly IReadOnlyList<IPNetwork> exempt;

    public SiteBandwidth(ReplicationConfig config, TimeProvider time)
    {
        bandwidth = config.Bandwidth > 0 ? new Bandwidth(config.Bandwidth, time) : null;
        exempt = [.. config.Exempt.Select(network => IPNetwork.Parse(network))];
    }

    /// <summary>Null when as much may be sent to this address as goes through.</summary>
    public Bandwidth? For(IPAddress? receiver)
    {
        if (bandwidth is null || receiver is null)
        {
            return bandwidth;
        }

        // A socket that serves both families gives an IPv4 address in the dress of IPv6.
        var address = receiver.IsIPv4MappedToIPv6 ? receiver.MapToIPv4() : receiver;
        return exempt.Any(network => network.Contains(address)) ? null : bandwidth;
    }
}
