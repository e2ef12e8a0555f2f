using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Mirror.Node.Configuration;
using Mirror.Node.Diagnosis;
using Mirror.Testing;
using static Mirror.Node.Tests.Configuration.Sample;

namespace Mirror.Node.Tests.Diagnosis;

public sealed class FrontChecksTests : IDisposable
{
    private static readonly TimeProvider time = TimeProvider.System;
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(90, CheckResult.Ok, "belong together")]
    [InlineData(5, CheckResult.Warning, "expires at")]
    [InlineData(-1, CheckResult.Failed, "expired at")]
    public void A_certificate_is_judged_by_the_time_it_has_left(int days, CheckResult result, string what)
    {
        var check = Assert.Single(Look(Write("one", days, "wiki.example.org")));

        Assert.Equal(result, check.Result);
        Assert.Contains(what, check.What, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_of_another_and_a_file_that_is_not_there_are_named()
    {
        var (one, two) = (Write("one", 90, "wiki.example.org"), Write("two", 90, "wiki.example.org"));

        Assert.Contains("one cannot be used", Assert.Single(Look(one with { Key = two.Key })).What, StringComparison.Ordinal);
        Assert.Equal(CheckResult.Failed, Assert.Single(Look(one with { Certificate = _directory["nowhere"] })).Result);
    }

    [Fact]
    public void A_name_without_a_certificate_is_warned_of()
    {
        var checks = Look(Write("one", 90, "other.example.org"));

        Assert.Contains(checks, check => check.Result == CheckResult.Warning && check.What.Contains("wiki.example.org", StringComparison.Ordinal));
    }

    private IReadOnlyList<Check> Look(CertificateConfig files)
    {
        var config = Parse(Good);
        var site = config.Sites["wiki"] with { Hosts = ["wiki.example.org", "*"], MirrorHosts = [] };
        var proxy = config.Members["alpha"] with { Front = new FrontConfig { Certificates = [files] } };
        return new FrontChecks(config with { Sites = new Dictionary<string, SiteConfig> { ["wiki"] = site } }, time).Of(proxy);
    }

    private CertificateConfig Write(string name, int days, string host)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(time.GetUtcNow().AddDays(-10), time.GetUtcNow().AddDays(days));
        var files = new CertificateConfig(name, _directory[name + ".crt"], _directory[name + ".key"]);
        File.WriteAllText(files.Certificate, certificate.ExportCertificatePem());
        File.WriteAllText(files.Key, key.ExportPkcs8PrivateKeyPem());
        return files;
    }
}
