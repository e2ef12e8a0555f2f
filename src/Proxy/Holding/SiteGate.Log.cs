using Microsoft.Extensions.Logging;

namespace Mirror.Proxy.Holding;

internal sealed partial class SiteGate
{
    [LoggerMessage(6001, LogLevel.Information, "{Site}: requests go to {Node} (epoch {Epoch}) at {App}")]
    private partial void LogRoute(string site, string node, ulong epoch, string app);

    [LoggerMessage(6002, LogLevel.Warning, "{Site}: the reign of {Node} (epoch {Epoch}) is over; what was in flight to it is cut")]
    private partial void LogReignOver(string site, string node, ulong epoch);

    [LoggerMessage(6003, LogLevel.Information, "{Site}: holding requests: {Reason}")]
    private partial void LogHolding(string site, string reason);

    [LoggerMessage(6004, LogLevel.Information, "{Site}: hold over, {Held} requests released after {Milliseconds:F0} ms")]
    private partial void LogReleased(string site, int held, double milliseconds);

    [LoggerMessage(6005, LogLevel.Warning, "{Site}: the planned hold of epoch {Epoch} reached its deadline and ends by itself")]
    private partial void LogHoldExpired(string site, ulong epoch);

    [LoggerMessage(6006, LogLevel.Error, "{Site}: several nodes claim epoch {Epoch}: {Nodes}. None of them is trusted but the one already in use; run `mirror status` on each")]
    private partial void LogTwoClaims(string site, ulong epoch, string nodes);
}
