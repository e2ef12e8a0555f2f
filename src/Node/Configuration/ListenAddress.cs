using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Mirror.Node.Configuration;

/// <summary>Where a proxy waits for readers: <c>http://0.0.0.0:80</c>, <c>http://localhost:8080</c>, <c>http://[::1]:8080</c>, <c>http://*:80</c>; with TLS <c>https://0.0.0.0:443</c>.</summary>
public sealed record ListenAddress(IPAddress Ip, int Port, bool Tls)
{
    public bool IsAny => Ip.Equals(IPAddress.Any) || Ip.Equals(IPAddress.IPv6Any);

    public static bool TryParse(string text, [NotNullWhen(true)] out ListenAddress? address)
    {
        address = null;
        var tls = text.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
        var scheme = tls ? "https://" : "http://";
        if (!text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        var rest = text[scheme.Length..].TrimEnd('/');
        var colon = rest.LastIndexOf(':');
        var host = colon < 0 ? rest : rest[..colon];
        var port = tls ? 443 : 80;
        if (colon >= 0 && !rest.EndsWith(']') && (!int.TryParse(rest[(colon + 1)..], NumberStyles.None, null, out port) || port is < 1 or > 65535))
        {
            return false;
        }

        if (rest.EndsWith(']'))
        {
            host = rest;
        }

        var ip = host switch
        {
            "*" => IPAddress.Any,
            "localhost" => IPAddress.Loopback,
            _ when host.StartsWith('[') == host.Contains(':') => IPAddress.TryParse(host.Trim('[', ']'), out var parsed) ? parsed : null,
            _ => null,
        };
        address = ip is null ? null : new ListenAddress(ip, port, tls);
        return address is not null;
    }
}
