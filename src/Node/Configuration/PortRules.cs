using System.Net;

namespace Mirror.Node.Configuration;

/// <summary>No two listeners of one machine may ask for the same port, whether of one member or of several that share an address.</summary>
internal sealed class PortRules(MirrorConfig config, FaultList faults)
{
    private readonly List<Claim> _claims = [];

    /// <param name="Host">Address it listens on; members listen on theirs, readers' listeners also on all (<c>*</c>).</param>
    private sealed record Claim(string Machine, string Host, int First, int Last, string Key, string What);

    public void Check()
    {
        foreach (var member in config.Members.Values)
        {
            var key = ConfigRules.KeyOf(member);
            var machine = Normal(member.Address);
            Add(new Claim(machine, machine, member.GrpcPort, member.GrpcPort, $"{key}.grpc-port", $"{member.Name}'s grpc-port"));
            Add(new Claim(machine, machine, member.ClusterPort, member.ClusterPort, $"{key}.cluster-port", $"{member.Name}'s cluster-port"));
            if (member.Kind == MemberKind.Node)
            {
                Add(new Claim(machine, machine, member.AppPorts.First, member.AppPorts.Last, $"{key}.app-ports", $"{member.Name}'s app-ports"));
                CheckEnoughAppPorts(member, $"{key}.app-ports");
            }

            for (var i = 0; i < member.Listen.Count; i++)
            {
                CheckListen(member, machine, $"{key}.listen[{i}]", member.Listen[i]);
            }
        }
    }

    private void CheckListen(MemberConfig member, string machine, string key, string listen)
    {
        if (listen.Length == 0)
        {
            return;
        }

        if (!ListenAddress.TryParse(listen, out var address))
        {
            faults.Add(
                key, $"'{listen}' is not an address to listen on.",
                "Write http:// or https://, an IP address or localhost, and a port: http://0.0.0.0:80.");
            return;
        }

        if (address.Tls && member.Front.Certificates.Count == 0)
        {
            faults.Add(
                key, $"'{listen}' needs a certificate, and there is none.",
                "Add `certificates`, or let what stands before the proxy end TLS, and write http://127.0.0.1:8080 here.");
        }

        Add(new Claim(machine, address.IsAny ? "*" : Normal(address.Ip.ToString()), address.Port, address.Port, key, $"{member.Name}'s listen address {listen}"));
    }

    private void CheckEnoughAppPorts(MemberConfig node, string key)
    {
        // Two boots of each app overlap while one takes over from the other.
        var needed = 2 * config.Sites.Values.Where(site => site.Nodes.Contains(node.Name)).Sum(site => site.Apps.Count);
        var there = node.AppPorts.Last - node.AppPorts.First + 1;
        if (there < needed)
        {
            faults.Add(key, $"The range has {there} ports; the apps of {node.Name}'s sites need {needed}.", "Widen the range: each app needs two, the old boot and the new.");
        }
    }

    private void Add(Claim claim)
    {
        var taken = _claims.Find(other =>
            other.Machine == claim.Machine && (other.Host == claim.Host || other.Host == "*" || claim.Host == "*")
            && other.First <= claim.Last && claim.First <= other.Last);
        if (taken is null)
        {
            _claims.Add(claim);
            return;
        }

        var ports = claim.First == claim.Last ? $"Port {claim.First}" : $"Ports {claim.First}-{claim.Last}";
        faults.Add(claim.Key, $"{ports} on {claim.Machine} would clash with {taken.What}.", "Choose another port.");
    }

    private static string Normal(string address) =>
        string.Equals(address, "localhost", StringComparison.OrdinalIgnoreCase) ? IPAddress.Loopback.ToString()
        : IPAddress.TryParse(address, out var ip) ? ip.ToString()
        : address.ToLowerInvariant();
}
