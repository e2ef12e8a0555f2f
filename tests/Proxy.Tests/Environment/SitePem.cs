using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mirror.Node.Configuration;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>Certificates of sites in PEM files, as an administrator has them.</summary>
internal static class SitePem
{
    public static CertificateConfig Write(string directory, string name, params string[] hosts)
    {
        var config = new CertificateConfig(name, Path.Combine(directory, name + ".crt"), Path.Combine(directory, name + ".key"));
        var (certificate, key) = Make(hosts);
        File.WriteAllText(config.Certificate, certificate);
        File.WriteAllText(config.Key, key);
        return config;
    }

    public static (string Certificate, string Key) Make(params string[] hosts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={hosts[0]}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var host in hosts)
        {
            names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(30));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }
}
