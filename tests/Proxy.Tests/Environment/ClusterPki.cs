using Mirror.Node.Identity;

namespace Mirror.Proxy.Tests.Environment;

/// <summary>One authority for all tests of a run, with certificates for the nodes <c>a</c>, <c>b</c>, <c>c</c>, a stranger to the site, and the proxy.</summary>
internal static class ClusterPki
{
    private static readonly Lazy<IReadOnlyDictionary<string, MemberIdentity>> Identities = new(Make);

    public static MemberIdentity Of(string member) => Identities.Value[member];

    private static Dictionary<string, MemberIdentity> Make()
    {
        var directory = Directory.CreateTempSubdirectory("mirror-proxy-pki-").FullName;
        try
        {
            CertificateAuthority.Create(directory, "test", TimeProvider.System);
            var identities = new Dictionary<string, MemberIdentity>();
            foreach (var (name, kind) in new[] { ("a", "node"), ("b", "node"), ("c", "node"), ("stranger", "node"), ("front", "proxy") })
            {
                CertificateAuthority.Issue(directory, name, kind, ["127.0.0.1"], TimeProvider.System);
                identities[name] = MemberIdentity.Load(directory, name, TimeProvider.System);
            }

            return identities;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
