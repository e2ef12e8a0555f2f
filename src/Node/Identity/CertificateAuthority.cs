using System.Security.Cryptography.X509Certificates;

namespace Mirror.Node.Identity;

/// <summary>The cluster's own CA: made by <c>mirror init</c>, ECDSA P-256. Member certificates carry the member's name (CN) and kind (OU), and are good for server and client.</summary>
public static class CertificateAuthority
{
    /// <summary>Writes ca.crt and ca.key (0600) to a directory. Refuses to overwrite.</summary>
    public static void Create(string directory, string cluster, TimeProvider time) => throw new NotImplementedException();

    /// <summary>Writes NAME.crt and NAME.key (0600), signed by the directory's CA.</summary>
    /// <param name="kind">node, proxy, witness or admin.</param>
    /// <param name="addresses">Host names and IPs for the subject alternative names.</param>
    public static void Issue(string directory, string name, string kind, IReadOnlyList<string> addresses, TimeProvider time) => throw new NotImplementedException();
}

/// <summary>Who this process is: its certificate with key, and the CA it trusts.</summary>
public sealed class MemberIdentity : IDisposable
{
    /// <exception cref="IdentityException">Missing, unreadable, expired or signed by another CA: says which file and what to do.</exception>
    public static MemberIdentity Load(string pki, string name, TimeProvider time) => throw new NotImplementedException();

    public string Name => throw new NotImplementedException();
    public X509Certificate2 Certificate => throw new NotImplementedException();
    public X509Certificate2 Authority => throw new NotImplementedException();

    /// <summary>True when the certificate was issued by our CA, is in date and fits the purpose. <paramref name="client"/>: presented by a client.</summary>
    public bool Trusts(X509Certificate2 certificate, bool client) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}

public sealed class IdentityException(string message) : Exception(message);
