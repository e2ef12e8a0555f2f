using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Mirror.Node.Identity;

/// <summary>The cluster's own CA: made by <c>mirror init</c>, ECDSA P-256. Member certificates carry the member's name (CN) and kind (OU), and are good for server and client.</summary>
public static class CertificateAuthority
{
    private const int AuthorityYears = 20;
    private const int MemberYears = 5;
    private static readonly string[] Kinds = ["node", "proxy", "witness", "admin"];

    // Clocks of the members may differ a little when the cluster is made.
    private static readonly TimeSpan Backdated = TimeSpan.FromHours(1);

    /// <summary>Writes ca.crt and ca.key (0600) to a directory. Refuses to overwrite.</summary>
    /// <exception cref="IdentityException">One of the files exists, or the directory cannot be written.</exception>
    public static void Create(string directory, string cluster, TimeProvider time)
    {
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName($"{cluster} authority");
        subject.AddOrganizationName("Mirror");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = time.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now - Backdated, now.AddYears(AuthorityYears));
        WritePair(directory, "ca", certificate, key);
    }

    /// <summary>Writes NAME.crt and NAME.key (0600), signed by the directory's CA. Refuses to overwrite.</summary>
    /// <param name="kind">node, proxy, witness or admin.</param>
    /// <param name="addresses">Host names and IPs for the subject alternative names.</param>
    /// <exception cref="IdentityException">One of the files exists, the CA is missing or unusable, or the directory cannot be written.</exception>
    public static void Issue(string directory, string name, string kind, IReadOnlyList<string> addresses, TimeProvider time)
    {
        if (!Kinds.Contains(kind))
        {
            throw new ArgumentException($"'{kind}' is not a kind of member; there are {string.Join(", ", Kinds)}.", nameof(kind));
        }

        var now = time.GetUtcNow();
        using var authority = PemFiles.ReadPair(directory, "ca");
        PemFiles.CheckInDate(authority, PemFiles.CertificatePath(directory, "ca"), now, "Make a new CA with `mirror init` in another directory, and new certificates for all members.");
        var subject = new X500DistinguishedNameBuilder();
        subject.AddCommonName(name);
        subject.AddOrganizationalUnitName(kind);
        subject.AddOrganizationName("Mirror");
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(Purposes.Server), new Oid(Purposes.Client)], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        request.CertificateExtensions.Add(Alternatives(name, addresses));

        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7f;
        var end = now.AddYears(MemberYears);
        var latest = new DateTimeOffset(authority.NotAfter);
        var begin = now - Backdated;
        var earliest = new DateTimeOffset(authority.NotBefore);
        using var certificate = request.Create(authority, begin < earliest ? earliest : begin, end < latest ? end : latest, serial);
        WritePair(directory, name, certificate, key);
    }

    private static X509Extension Alternatives(string name, IReadOnlyList<string> addresses)
    {
        var alternatives = new SubjectAlternativeNameBuilder();
        alternatives.AddDnsName(name);
        foreach (var address in addresses.Where(address => address != name).Distinct(StringComparer.OrdinalIgnoreCase))
        {
            if (IPAddress.TryParse(address, out var ip))
            {
                alternatives.AddIpAddress(ip);
            }
            else
            {
                alternatives.AddDnsName(address);
            }
        }

        return alternatives.Build();
    }

    private static void WritePair(string directory, string name, X509Certificate2 certificate, ECDsa key)
    {
        var certificatePath = PemFiles.CertificatePath(directory, name);
        var keyPath = PemFiles.KeyPath(directory, name);
        try
        {
            Directory.CreateDirectory(directory);
            foreach (var path in new[] { certificatePath, keyPath })
            {
                if (File.Exists(path))
                {
                    throw new IdentityException($"{path} exists, and keys are never overwritten.", "Move it away first if it is to be replaced.");
                }
            }

            WriteNew(keyPath, key.ExportPkcs8PrivateKeyPem() + "\n", UnixFileMode.UserRead | UnixFileMode.UserWrite);
            WriteNew(certificatePath, certificate.ExportCertificatePem() + "\n", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IdentityException($"{certificatePath} and {keyPath} cannot be written: {exception.Message}", "Check the directory's owner and mode, and free space.");
        }
    }

    private static void WriteNew(string path, string text, UnixFileMode mode)
    {
        using var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode });
        file.Write(Encoding.ASCII.GetBytes(text));
        file.Flush(flushToDisk: true);
    }
}

/// <summary>Object identifiers of what a certificate is good for.</summary>
internal static class Purposes
{
    public const string Server = "1.3.6.1.5.5.7.3.1";
    public const string Client = "1.3.6.1.5.5.7.3.2";
}
