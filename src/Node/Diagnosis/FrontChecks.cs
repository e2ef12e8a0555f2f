using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mirror.Node.Configuration;

namespace Mirror.Node.Diagnosis;

/// <summary>Can this proxy show its readers certificates that they will believe?</summary>
internal sealed class FrontChecks(MirrorConfig config, TimeProvider time)
{
    private const string Name = "certificates";

    // Whoever renews by itself does so with a third of the time left, which is 30 days of 90.
    private static readonly TimeSpan ExpiresSoon = TimeSpan.FromDays(14);

    public IReadOnlyList<Check> Of(MemberConfig proxy)
    {
        var checks = new List<Check>();
        var usable = new List<X509Certificate2>();
        foreach (var files in proxy.Front.Certificates)
        {
            try
            {
                var certificate = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);
                usable.Add(certificate);
                checks.Add(Judge(files, certificate));
            }
            catch (Exception exception) when (exception is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
            {
                checks.Add(new Check(
                    Name, CheckResult.Failed, $"{files.Name} cannot be used: {exception.Message}", $"Put a certificate in PEM form at {files.Certificate} and its key, without a password, at {files.Key}, both readable for Mirror."));
            }
        }

        if (usable.Count > 0)
        {
            checks.AddRange(Hosts().Where(host => !usable.Any(certificate => certificate.MatchesHostname(host, allowCommonName: false))).Select(host => new Check(
                Name, CheckResult.Warning, $"No certificate has the name {host}; readers who ask for it by https are shown another one and warned.", $"Get a certificate for {host}, or leave it to plain http.")));
        }

        usable.ForEach(certificate => certificate.Dispose());
        return checks;
    }

    private IEnumerable<string> Hosts() => config.Sites.Values.SelectMany(site => site.Hosts.Concat(site.MirrorHosts)).Where(host => host != "*").Distinct().Order(StringComparer.Ordinal);

    private Check Judge(CertificateConfig files, X509Certificate2 certificate)
    {
        var until = certificate.NotAfter.ToUniversalTime();
        var now = time.GetUtcNow().UtcDateTime;
        return (until - now) switch
        {
            var left when left <= TimeSpan.Zero => new Check(Name, CheckResult.Failed, $"{files.Certificate} expired at {until:u}.", "Renew it; the proxy takes it over by itself."),
            var left when left < ExpiresSoon => new Check(Name, CheckResult.Warning, $"{files.Certificate} expires at {until:u}.", "Renew it; the proxy takes it over by itself."),
            _ => Checkup.Ok(Name, $"{files.Certificate} and its key belong together, until {until:u}."),
        };
    }
}
