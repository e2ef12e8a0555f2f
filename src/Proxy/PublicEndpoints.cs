using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Mirror.Node.Configuration;

namespace Mirror.Proxy;

/// <summary>
/// The addresses users reach. Their connections are marked when they are accepted, so that a public request is told from one on the
/// cluster's own port by where it came in, never by what it says.
/// </summary>
internal static class PublicEndpoints
{
    private const int UnreadBytes = 64 * 1024;

    public static void Listen(KestrelServerOptions kestrel, MemberConfig member)
    {
        kestrel.AddServerHeader = false;

        // What of a body lies here unread while its request waits; all else a waiting request costs is small.
        kestrel.Limits.MaxRequestBufferSize = UnreadBytes;
        foreach (var address in member.Listen)
        {
            Listen(kestrel, address, member.Name);
        }
    }

    public static bool IsPublic(IFeatureCollection features) => features.Get<Mark>() is not null;

    private static void Open(ListenOptions options)
    {
        options.Protocols = HttpProtocols.Http1;
        options.Use(next => connection =>
        {
            connection.Features.Set(Mark.Instance);
            return next(connection);
        });
    }

    private static void Listen(KestrelServerOptions kestrel, string address, string member)
    {
        BindingAddress parsed;
        try
        {
            parsed = BindingAddress.Parse(address);
        }
        catch (FormatException)
        {
            throw Fault(address, member, "is not an address.");
        }

        if (parsed.Scheme != "http")
        {
            throw Fault(address, member, "is not plain HTTP, which is all the proxy serves.");
        }

        if (parsed.Host is "*" or "+")
        {
            kestrel.ListenAnyIP(parsed.Port, Open);
        }
        else if (parsed.Host == "localhost")
        {
            kestrel.ListenLocalhost(parsed.Port, Open);
        }
        else if (IPAddress.TryParse(parsed.Host.Trim('[', ']'), out var ip))
        {
            kestrel.Listen(ip, parsed.Port, Open);
        }
        else
        {
            throw Fault(address, member, "names a host; an IP address of this machine, 'localhost' or '*' is needed.");
        }
    }

    private static ConfigException Fault(string address, string member, string what) => new(
        [new ConfigFault("mirror.yaml", $"members.{member}.listen", $"'{address}' {what}", "Write it like http://0.0.0.0:80.")]);

    private sealed class Mark
    {
        public static readonly Mark Instance = new();
    }
}
