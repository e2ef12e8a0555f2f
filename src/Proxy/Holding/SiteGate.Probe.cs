using System.Net.Sockets;
using Mirror.Proxy.Forwarding;

namespace Mirror.Proxy.Holding;

/// <summary>One prober for all who wait: a thousand held requests must not become a thousand connection attempts a turn.</summary>
internal sealed partial class SiteGate
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(300);

    private async Task ProbeAsync(Reign reign, Uri app)
    {
        var pause = FirstPause;
        while (true)
        {
            await Task.Delay(pause, time, CancellationToken.None);
            lock (_lock)
            {
                if (!Leads_NeedsLock(reign, app))
                {
                    return;
                }
            }

            if (await AnswersAsync(reign, app))
            {
                break;
            }

            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }

        lock (_lock)
        {
            if (Leads_NeedsLock(reign, app))
            {
                _silent = false;
                Settle_NeedsLock();
            }
        }
    }

    private async Task<bool> AnswersAsync(Reign reign, Uri app)
    {
        try
        {
            using var socket = await AppClient.ConnectAsync(app.Host, app.Port, time, reign.Ended);
            return true;
        }
        catch (Exception exception) when (exception is AppUnreachableException or SocketException or OperationCanceledException)
        {
            return false;
        }
    }
}
