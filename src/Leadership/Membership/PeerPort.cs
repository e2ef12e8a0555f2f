using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Mirror.Node.Identity;

namespace Mirror.Leadership.Membership;

/// <summary>Tells a member that runs from one that does not, without the actor system: a handshake at its cluster port, which only the process itself can complete.</summary>
internal static class PeerPort
{
    private static readonly TimeSpan limit = TimeSpan.FromSeconds(3);

    public static async Task<bool> RunsAsync(ClusterPlan plan, MemberIdentity identity, string name, TimeProvider time)
    {
        var member = plan.Config.Members[name];
        using var patience = new CancellationTokenSource(limit, time);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(member.Address, member.ClusterPort, patience.Token);
            await using var stream = new SslStream(client.GetStream(), false, identity.ServerMustBe(name));
            await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = name, ClientCertificates = [identity.Certificate] }, patience.Token);
            return true;
        }
        catch (Exception failure) when (failure is SocketException or IOException or AuthenticationException or OperationCanceledException)
        {
            return false;
        }
    }
}
