using System.Net;
using System.Net.Sockets;

namespace Mirror.Cli.Tests;

internal static class FreePort
{
    /// <summary>A port nobody listens on at the moment, and outside of the range apps get.</summary>
    public static int Next()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
