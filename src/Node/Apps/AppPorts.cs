using System.Net;
using System.Net.Sockets;
using Mirror.Node.Configuration;

namespace Mirror.Node.Apps;

/// <summary>
/// Hands out ports for apps. A port stays taken until it is given back, so that two apps that boot at once never get the same one, though neither listens yet. Ports are handed out in turn: one that
/// was just given back rests, because clients may still try it.
/// </summary>
internal static class AppPorts
{
    private static readonly Lock s_lock = new();
    private static readonly HashSet<int> s_taken = [];
    private static readonly Dictionary<PortRange, int> s_next = [];

    /// <exception cref="AppUnhealthyException">All are taken.</exception>
    public static int Take(MemberConfig member)
    {
        var address = BindingAddress(member.Address);
        var range = member.AppPorts;
        var size = range.Last - range.First + 1;
        lock (s_lock)
        {
            var offset = s_next.GetValueOrDefault(range);
            for (var i = 0; i < size; i++)
            {
                var position = (offset + i) % size;
                var port = range.First + position;
                if (!s_taken.Contains(port) && CanBind(address, port))
                {
                    s_taken.Add(port);
                    s_next[range] = position + 1;
                    return port;
                }
            }
        }

        throw new AppUnhealthyException(
            $"All ports {range.First}–{range.Last} of node '{member.Name}' are in use; widen its app port range, or see with 'ss -ltnp' what holds them.");
    }

    public static void GiveBack(int port)
    {
        lock (s_lock)
        {
            s_taken.Remove(port);
        }
    }

    /// <summary>The node's own address; all addresses when that is a name, or not one of this machine's (behind address translation).</summary>
    private static IPAddress BindingAddress(string address)
    {
        if (!IPAddress.TryParse(address, out var parsed))
        {
            return IPAddress.Any;
        }

        return CanBind(parsed, 0) ? parsed : IPAddress.Any;
    }

    private static bool CanBind(IPAddress address, int port)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
