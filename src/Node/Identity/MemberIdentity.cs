using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Mirror.Node.Identity;

/// <summary>Who this process is: its certificate with key, and the CA it trusts. Only that CA counts; the system's store plays no part.</summary>
public sealed class MemberIdentity : IDisposable
{
    private readonly TimeProvider _time;

    private MemberIdentity(string name, X509Certificate2 certificate, X509Certificate2 authority, TimeProvider time)
    {
        Name = name;
        Certificate = certificate;
        Authority = authority;
        _time = time;
    }

    public string Name { get; }

    public X509Certificate2 Certificate { get; }

    public X509Certificate2 Authority { get; }

    /// <param name="pki">Directory with ca.crt, NAME.crt and NAME.key.</param>
    /// <exception cref="IdentityException">Missing, unreadable, expired or signed by another CA: says which file and what to do.</exception>
    public static MemberIdentity Load(string pki, string name, TimeProvider time)
    {
        var now = time.GetUtcNow();
        X509Certificate2? authority = null;
        X509Certificate2? certificate = null;
        try
        {
            var path = PemFiles.CertificatePath(pki, name);
            var authorityPath = PemFiles.CertificatePath(pki, "ca");
            authority = PemFiles.ReadCertificate(pki, "ca");
            PemFiles.CheckInDate(authority, authorityPath, now, "Make a new CA with `mirror init` in another directory, and new certificates for all members.");
            certificate = PemFiles.ReadPair(pki, name);
            PemFiles.CheckInDate(certificate, path, now, PemFiles.Remedy(name));
            if (NameOf(certificate) is var holder && holder != name)
            {
                throw new IdentityException($"{path} belongs to '{holder}', not to '{name}'.", $"Copy the files of {name} here, or start as {holder}.");
            }

            var identity = new MemberIdentity(name, certificate, authority, time);
            if (!identity.Trusts(certificate, client: true) || !identity.Trusts(certificate, client: false))
            {
                throw new IdentityException($"{path} was not issued by the CA in {authorityPath}, or not for servers and clients.", PemFiles.Remedy(name));
            }

            return identity;
        }
        catch (IdentityException)
        {
            authority?.Dispose();
            certificate?.Dispose();
            throw;
        }
    }

    /// <summary>The member's name (CN) in a certificate; null when it has none, or several.</summary>
    public static string? NameOf(X509Certificate2 certificate) => PartOf(certificate, "2.5.4.3");

    /// <summary>node, proxy, witness or admin (OU); null when the certificate says none.</summary>
    public static string? KindOf(X509Certificate2 certificate) => PartOf(certificate, "2.5.4.11");

    /// <summary>True when the certificate was issued by our CA, is in date and fits the purpose. <paramref name="client"/>: presented by a client.</summary>
    public bool Trusts(X509Certificate2 certificate, bool client)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(Authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = _time.GetUtcNow().UtcDateTime;
        chain.ChainPolicy.ApplicationPolicy.Add(new(client ? Purposes.Client : Purposes.Server));
        var good = chain.Build(certificate);
        foreach (var element in chain.ChainElements)
        {
            element.Certificate.Dispose();
        }

        return good;
    }

    /// <summary>For a TLS client: the server must be trusted and be this very member, not just any of the cluster.</summary>
    public RemoteCertificateValidationCallback ServerMustBe(string member) =>
        (_, certificate, _, _) => certificate is X509Certificate2 presented && NameOf(presented) == member && Trusts(presented, client: false);

    /// <summary>For a TLS client that learns only later whom it speaks to, such as cluster gossip: any trusted server.</summary>
    public bool TrustsServer(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) =>
        certificate is X509Certificate2 presented && Trusts(presented, client: false);

    /// <summary>For a TLS server: the client must present a trusted certificate.</summary>
    public bool TrustsClient(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) =>
        certificate is X509Certificate2 presented && Trusts(presented, client: true);

    public void Dispose()
    {
        Certificate.Dispose();
        Authority.Dispose();
    }

    private static string? PartOf(X509Certificate2 certificate, string oid)
    {
        string? found = null;
        foreach (var part in certificate.SubjectName.EnumerateRelativeDistinguishedNames())
        {
            if (part.HasMultipleElements || part.GetSingleElementType().Value != oid)
            {
                continue;
            }

            if (found is not null)
            {
                return null;
            }

            found = part.GetSingleElementValue();
        }

        return found;
    }
}

/// <summary>A certificate or key that cannot be used: which file, why, and what to do.</summary>
public sealed class IdentityException(string what, string remedy) : Exception($"{what} {remedy}")
{
    public string What { get; } = what;

    public string Remedy { get; } = remedy;
}
