using System.Net;
using Mirror.Node.Configuration;

namespace Mirror.Proxy.Listening;

/// <summary>Whose word counts about where a request came from: the configured networks', nobody else's.</summary>
internal sealed class TrustedProxies(MemberConfig member)
{
    private readonly IReadOnlyList<IPNetwork> _networks = [.. member.Front.TrustedProxies.Select(text => IPNetwork.Parse(text))];

    public bool Include(IPAddress? address)
    {
        if (_networks.Count == 0 || address is null)
        {
            return false;
        }

        var plain = Plain(address);
        return _networks.Any(network => network.Contains(plain));
    }

    /// <summary>Who asked: the last address on the way that is none of the trusted proxies'.</summary>
    /// <param name="forwarded">The X-Forwarded-For that came with the request.</param>
    public string ClientOf(IPAddress? peer, string? forwarded)
    {
        if (forwarded is { Length: > 0 } && Include(peer))
        {
            foreach (var hop in forwarded.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Reverse())
            {
                if (!IPAddress.TryParse(hop, out var address))
                {
                    break;
                }

                if (!Include(address))
                {
                    return TextOf(address);
                }
            }
        }

        return TextOf(peer);
    }

    /// <summary>A socket that takes both families shows IPv4 clients as ::ffff:1.2.3.4.</summary>
    public static string TextOf(IPAddress? address) => address is null ? "" : Plain(address).ToString();

    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
