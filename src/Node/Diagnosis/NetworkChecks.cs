using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;

namespace Mirror.Node.Diagnosis;

/// <summary>Can the members be found by name, and can this one listen where it is to?</summary>
internal sealed class NetworkChecks(MirrorConfig config, TimeProvider time)
{
    private const string EphemeralPorts = "/proc/sys/net/ipv4/ip_local_port_range";
    private static readonly TimeSpan ResolveWithin = TimeSpan.FromSeconds(3);

    public async Task<IReadOnlyList<Check>> NamesAsync(CancellationToken cancellation)
    {
        var checks = new List<Check>();
        foreach (var member in config.Members.Values.Where(member => !IPAddress.TryParse(member.Address, out _)))
        {
            using var limit = new CancellationTokenSource(ResolveWithin, time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
            try
            {
                var found = await Dns.GetHostAddressesAsync(member.Address, both.Token);
                checks.Add(Checkup.Ok("names", $"{member.Address} ({member.Name}) is {string.Join(", ", found.Select(ip => ip.ToString()))}."));
            }
            catch (Exception exception) when (exception is SocketException || (exception is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                checks.Add(new Check(
                    "names", CheckResult.Failed, $"{member.Address}, the address of {member.Name}, cannot be resolved: {exception.Message}",
                    "Correct the address, add it to DNS or /etc/hosts, or write an IP address."));
            }
        }

        return checks;
    }

    public static IEnumerable<Check> Ports(MemberConfig member)
    {
        if (LocalChannel.Answers(member.ControlSocket))
        {
            yield return Checkup.Ok("ports", $"{member.Name} is running here already; its ports are its own.");
            yield break;
        }

        var grpc = Listeners.EndPointFor(member.Address, member.GrpcPort);
        if (IPAddress.TryParse(member.Address, out var ip) && !grpc.Address.Equals(ip))
        {
            yield return new Check(
                "address", CheckResult.Warning, $"{member.Address} is not an address of this machine; {member.Name} will listen on all of them.",
                "That is right behind address translation. Otherwise correct the address, or start the checkup on the machine that has it.");
        }

        yield return Port(member, "grpc-port", grpc);
        yield return Port(member, "cluster-port", Listeners.EndPointFor(member.Address, member.ClusterPort));
        foreach (var listen in member.Listen)
        {
            if (ListenAddress.TryParse(listen, out var address))
            {
                yield return Port(member, "listen", new IPEndPoint(address.Ip, address.Port));
            }
        }

        if (member.Kind == MemberKind.Node && Ephemeral() is var (first, last) && member.AppPorts.First <= last && first <= member.AppPorts.Last)
        {
            yield return new Check(
                "ports", CheckResult.Warning, $"app-ports {member.AppPorts.First}-{member.AppPorts.Last} overlap the ports the kernel gives to outgoing connections ({first}-{last}).",
                "Choose a range outside it, or an app may now and then find its port taken.");
        }
    }

    private static Check Port(MemberConfig member, string key, IPEndPoint endpoint) =>
        Listeners.WhyNot(member, key, endpoint) is { } why
            ? new Check("ports", CheckResult.Failed, why.What, why.Remedy)
            : Checkup.Ok("ports", $"{endpoint} ({key}) is free.");

    private static (int First, int Last)? Ephemeral()
    {
        if (!File.Exists(EphemeralPorts))
        {
            return null;
        }

        var parts = File.ReadAllText(EphemeralPorts).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return (int.Parse(parts[0], CultureInfo.InvariantCulture), int.Parse(parts[1], CultureInfo.InvariantCulture));
    }
}
