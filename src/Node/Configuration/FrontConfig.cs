using System.Net;

namespace Mirror.Node.Configuration;

/// <summary>How a proxy meets its readers.</summary>
public sealed record FrontConfig
{
    public static FrontConfig Default { get; } = new();

    /// <summary>For <c>https://</c> addresses; which one a reader gets is told by the names that stand in them, the first one when none fits.</summary>
    public IReadOnlyList<CertificateConfig> Certificates { get; init; } = [];

    /// <summary>HTTP/3 beside HTTP/1.1 and 2, where the machine can do that.</summary>
    public bool Http3 { get; init; }

    /// <summary>Networks of proxies before this one, whose forwarded headers are believed.</summary>
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    /// <summary>How long an app may be silent before its request is given up; default 5 min.</summary>
    public TimeSpan AnswerWithin { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>A file with what browsers are shown when the site cannot answer; null: a plain page.</summary>
    public string? UnavailablePage { get; init; }

    /// <summary>Null: requests are not written down.</summary>
    public AccessLogConfig? AccessLog { get; init; }

    internal static FrontConfig Read(Section section)
    {
        var certificates = section.Children("certificates").Select(child => ReadCertificate(child.Name, child.Section)).ToList();
        var front = new FrontConfig
        {
            Certificates = certificates,
            Http3 = section.Flag("http3", false),
            TrustedProxies = ReadNetworks(section, "trusted-proxies"),
            AnswerWithin = section.Duration("answer-within", Default.AnswerWithin, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
            UnavailablePage = section.Has("unavailable-page") ? section.AbsolutePath("unavailable-page") : null,
            AccessLog = section.Has("access-log") ? ReadLog(section.Child("access-log")) : null,
        };
        if (front.Http3 && certificates.Count == 0)
        {
            section.Fault("http3", "HTTP/3 is always encrypted, and there is no certificate.", "Add `certificates` and an https:// address to `listen`, or leave http3 out.");
        }

        return front;
    }

    internal static void Write(ConfigWriter.Text text, FrontConfig front)
    {
        if (front.Certificates.Count > 0)
        {
            text.Line(2, "certificates:");
        }

        foreach (var certificate in front.Certificates)
        {
            text.Line(3, $"{ConfigWriter.Text.Quote(certificate.Name)}:");
            text.Pair(4, "certificate", certificate.Certificate);
            text.Pair(4, "key", certificate.Key);
        }

        if (front.Http3)
        {
            text.Pair(2, "http3", "true");
        }

        if (front.TrustedProxies.Count > 0)
        {
            text.List(2, "trusted-proxies", front.TrustedProxies);
        }

        text.Pair(2, "answer-within", Durations.Format(front.AnswerWithin));
        if (front.UnavailablePage is { } page)
        {
            text.Pair(2, "unavailable-page", page);
        }

        if (front.AccessLog is { } log)
        {
            text.Line(2, "access-log:");
            text.Pair(3, "file", log.File);
            text.Pair(3, "format", log.Json ? "json" : "combined");
            text.Pair(3, "rotate", Sizes.Format(log.Rotate));
            text.Pair(3, "keep", log.Keep.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    private static CertificateConfig ReadCertificate(string name, Section section)
    {
        var certificate = new CertificateConfig(name, section.AbsolutePath("certificate"), section.AbsolutePath("key"));
        section.Close();
        return certificate;
    }

    private static AccessLogConfig ReadLog(Section section)
    {
        var file = section.Text("file");
        if (file.Length > 0 && file != AccessLogConfig.StandardOutput && !file.StartsWith('/'))
        {
            section.Fault("file", $"'{file}' is neither an absolute path nor '-'.", "Write it from the root on, e.g. /var/log/mirror/access.log, or '-' for standard output.");
        }

        var format = section.Text("format", "combined");
        if (format is not ("combined" or "json"))
        {
            section.Fault("format", $"'{format}' is no format of an access log.", "Write combined or json.");
        }

        var log = new AccessLogConfig(file, format == "json", section.Size("rotate", 100L << 20, 1 << 12, 1L << 40), section.Integer("keep", 5, 0, 1000));
        section.Close();
        return log;
    }

    private static IReadOnlyList<string> ReadNetworks(Section section, string key)
    {
        var texts = section.Texts(key);
        for (var i = 0; i < texts.Count; i++)
        {
            if (texts[i].Length > 0 && !IPNetwork.TryParse(texts[i], out _))
            {
                section.Fault($"{key}[{i}]", $"'{texts[i]}' is not a network.", "Write its first address and the length of its prefix: 10.0.0.0/8, 192.168.1.7/32, fd00::/8.");
            }
        }

        return texts;
    }
}

/// <param name="Certificate">PEM: the certificate, then those between it and the authority.</param>
/// <param name="Key">PEM, without a password.</param>
public sealed record CertificateConfig(string Name, string Certificate, string Key);

/// <param name="File">Absolute, or <see cref="StandardOutput"/>.</param>
/// <param name="Json">A JSON object a line; else the combined format.</param>
/// <param name="Rotate">Bytes after which the file gets a number and a new one begins.</param>
/// <param name="Keep">How many files with a number stay.</param>
public sealed record AccessLogConfig(string File, bool Json, long Rotate, int Keep)
{
    public const string StandardOutput = "-";
}
