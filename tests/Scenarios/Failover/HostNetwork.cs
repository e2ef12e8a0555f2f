using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Mirror.Testing;

namespace Mirror.Scenarios.Failover;

/// <summary>
/// Hosts of their own: a network namespace each, with one cable to a switch that has a namespace too, so that nothing of it is seen by this machine. Cables can be pulled, and the switch can lose what
/// one host sends to another, all of it or a share; neither side is told, as it is with a broken network.
/// </summary>
internal sealed partial class HostNetwork : IDisposable
{
    private const string make =
        """
        prefix=$1; switch=$1-switch; shift
        ip netns add $switch; ip -n $switch link add bridge type bridge; ip -n $switch link set bridge up
        number=0
        for host in "$@"; do
            number=$((number + 1)); space=$prefix-$host
            ip netns add $space; ip -n $space link set lo up
            ip link add port$number netns $switch type veth peer name eth0 netns $space
            ip -n $switch link set port$number master bridge up
            ip -n $space addr add 10.77.0.$number/24 dev eth0; ip -n $space link set eth0 up
            ip netns exec $space nft 'table ip mirror { chain input { type filter hook input priority 0; policy accept; }; }'
        done
        ip netns exec $switch nft 'table bridge mirror { chain forward { type filter hook forward priority 0; policy accept; }; }'
        """;

    private readonly string prefix = string.Create(CultureInfo.InvariantCulture, $"mirror{Environment.ProcessId}");
    private readonly string[] hosts;

    public HostNetwork(params string[] hosts)
    {
        this.hosts = hosts;
        Shell.Run(make, [prefix, .. hosts]);
    }

    private string Switch => $"{prefix}-switch";

    public string AddressOf(string host) => string.Create(CultureInfo.InvariantCulture, $"10.77.0.{NumberOf(host)}");

    /// <summary>What stands before a command that is to run there.</summary>
    public IReadOnlyList<string> Enter(string host) => ["ip", "netns", "exec", SpaceOf(host)];

    public void Unplug(string host) => Shell.Run("ip -n $1 link set port$2 down", Switch, $"{NumberOf(host)}");

    public void Plug(string host) => Shell.Run("ip -n $1 link set port$2 up", Switch, $"{NumberOf(host)}");

    /// <summary>Nobody hears a host any more.</summary>
    public void DropAllFrom(string host) => Drop($"ip saddr {AddressOf(host)}");

    /// <summary>A host hears nobody any more.</summary>
    public void DropAllTo(string host) => Drop($"ip daddr {AddressOf(host)}");

    public void CutOff(string host)
    {
        DropAllFrom(host);
        DropAllTo(host);
    }

    /// <summary>Two hosts do not hear each other any more.</summary>
    public void Cut(string one, string other)
    {
        Drop($"ip saddr {AddressOf(one)} ip daddr {AddressOf(other)}");
        Drop($"ip saddr {AddressOf(other)} ip daddr {AddressOf(one)}");
    }

    /// <summary>So much of what one host sends to another does not arrive.</summary>
    public void Lose(string from, string to, int percent) => Shell.Run(
        "ip netns exec $1 nft add rule bridge mirror forward ip saddr $2 ip daddr $3 numgen random mod 100 '<' $4 drop", Switch, AddressOf(from), AddressOf(to), $"{percent}");

    /// <summary>A firewall before a host tells all who ask for a new connection that there is nobody.</summary>
    public void RefuseNew(string to) => Shell.Run("ip netns exec $1 nft add rule ip mirror input 'tcp flags & (syn | ack) == syn' reject with tcp reset", SpaceOf(to));

    /// <summary>Nothing is lost or refused any more.</summary>
    public void Heal() => Shell.Run(
        """
        prefix=$1; shift
        ip netns exec $prefix-switch nft flush chain bridge mirror forward
        for host in "$@"; do ip netns exec $prefix-$host nft flush chain ip mirror input; done
        """,
        [prefix, .. hosts]);

    /// <summary>All processes there.</summary>
    public int[] ProcessesOf(string host) =>
        [.. Shell.Run("ip netns pids $1", SpaceOf(host)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(id => int.Parse(id, CultureInfo.InvariantCulture))];

    /// <summary>A client's handler there. A socket belongs to the namespace of the thread that makes it, whoever uses it afterwards.</summary>
    public SocketsHttpHandler ClientOf(string host) => new()
    {
        ConnectTimeout = TimeSpan.FromSeconds(5),
        ConnectCallback = async (context, cancellation) =>
        {
            var socket = SocketOf(host);
            try
            {
                await socket.ConnectAsync(context.DnsEndPoint, cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
    };

    public void Dispose() => Shell.Run(
        """
        prefix=$1; shift
        for host in "$@"; do
            ip netns pids $prefix-$host | xargs -r kill -9
            ip netns del $prefix-$host
        done
        ip netns del $prefix-switch
        """,
        [prefix, .. hosts]);

    private void Drop(string what) => Shell.Run("ip netns exec $1 nft add rule bridge mirror forward $2 drop", Switch, what);

    private Socket SocketOf(string host)
    {
        Socket? socket = null;
        Exception? failure = null;
        var maker = new Thread(() =>
        {
            try
            {
                // The thread ends in that namespace, so nobody else is led there.
                using var space = File.OpenHandle($"/run/netns/{SpaceOf(host)}");
                const int network = 0x40000000;
                if (setns((int)space.DangerousGetHandle(), network) != 0)
                {
                    throw new IOException($"The namespace of {host} could not be entered: {Marshal.GetLastPInvokeErrorMessage()}.");
                }

                socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            }
            catch (Exception caught) when (caught is IOException or SocketException)
            {
                failure = caught;
            }
        });
        maker.Start();
        maker.Join();
        return socket ?? throw new HttpRequestException($"No socket in the namespace of {host}.", failure);
    }

    private string SpaceOf(string host) => $"{prefix}-{host}";

    private int NumberOf(string host) => 1 + Array.IndexOf(hosts, host);

    [LibraryImport("libc", SetLastError = true)] private static partial int setns(int space, int type);
}
