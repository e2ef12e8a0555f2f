using System.Net;
using System.Net.Quic;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;

namespace Mirror.Proxy.Listening;

/// <summary>
/// The addresses users reach. Their connections are marked when they are accepted, so that a public request is told from one on the
/// cluster's own port by where it came in, never by what it says.
/// </summary>
internal sealed partial class PublicEndpoints(MemberConfig member, SiteCertificates certificates, ILogger<PublicEndpoints> log)
{
    // What of a body lies here unread while its request waits; all else a waiting request costs is small.
    private const int UnreadBytes = 64 * 1024;

    // The same for HTTP/2. The process's other port, for its peers, carries nothing large.
    private const int StreamWindow = 128 * 1024;
    private const int ConnectionWindow = 1024 * 1024;

    // Who has not said what he wants by then never will; a page's headers are there at once.
    private static readonly TimeSpan HeadersWithin = TimeSpan.FromSeconds(15);

    public void Listen(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBufferSize = UnreadBytes;
        kestrel.Limits.RequestHeadersTimeout = HeadersWithin;
        kestrel.Limits.Http2.InitialStreamWindowSize = StreamWindow;
        kestrel.Limits.Http2.InitialConnectionWindowSize = ConnectionWindow;
        if (member.Front.Http3 && !QuicListener.IsSupported)
        {
            LogNoQuic();
        }

        foreach (var address in member.Listen)
        {
            Listen(kestrel, address);
        }
    }

    /// <summary>Only public addresses speak HTTP/3, whose connections are not marked.</summary>
    public static bool IsPublic(HttpContext context) => context.Features.Get<Mark>() is not null || HttpProtocol.IsHttp3(context.Request.Protocol);

    private void Listen(KestrelServerOptions kestrel, string address)
    {
        BindingAddress parsed;
        try
        {
            parsed = BindingAddress.Parse(address);
        }
        catch (FormatException)
        {
            throw Fault(address, "is not an address.");
        }

        Action<ListenOptions> open = parsed.Scheme switch
        {
            "http" => Open,
            "https" when member.Front.Certificates.Count > 0 => OpenTls,
            "https" => throw Fault(address, "needs `certificates`, and there are none."),
            _ => throw Fault(address, "is neither http nor https."),
        };
        if (parsed.Host is "*" or "+")
        {
            kestrel.ListenAnyIP(parsed.Port, open);
        }
        else if (parsed.Host == "localhost")
        {
            kestrel.ListenLocalhost(parsed.Port, open);
        }
        else if (IPAddress.TryParse(parsed.Host.Trim('[', ']'), out var ip))
        {
            kestrel.Listen(ip, parsed.Port, open);
        }
        else
        {
            throw Fault(address, "names a host; an IP address of this machine, 'localhost' or '*' is needed.");
        }
    }

    private static void Open(ListenOptions options)
    {
        options.Protocols = HttpProtocols.Http1;
        SetMark(options);
    }

    private void OpenTls(ListenOptions options)
    {
        options.Protocols = member.Front.Http3 && QuicListener.IsSupported ? HttpProtocols.Http1AndHttp2AndHttp3 : HttpProtocols.Http1AndHttp2;
        SetMark(options);
        options.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = hello => new(certificates.For(hello.ClientHelloInfo.ServerName)) });
    }

    private static void SetMark(ListenOptions options) => options.Use(next => connection =>
    {
        connection.Features.Set(Mark.Instance);
        return next(connection);
    });

    private ConfigException Fault(string address, string what) => new(
        [new ConfigFault("mirror.yaml", $"members.{member.Name}.listen", $"'{address}' {what}", "Write it like http://0.0.0.0:80.")]);

    [LoggerMessage(6030, LogLevel.Warning, "HTTP/3 is asked for, and this machine cannot do it (libmsquic is missing, or too old); HTTP/1.1 and HTTP/2 are served. Install libmsquic, or set `http3: false`")]
    private partial void LogNoQuic();

    private sealed class Mark
    {
        public static readonly Mark Instance = new();
    }
}
