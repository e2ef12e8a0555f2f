using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Identity;

namespace Mirror.Node.Tests.Identity;

public sealed class MemberIdentityTests : IDisposable
{
    private readonly string _pki = Directory.CreateTempSubdirectory("mirror-pki-").FullName;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2030, 1, 1, 12, 0, 0, TimeSpan.Zero));

    public MemberIdentityTests()
    {
        CertificateAuthority.Create(_pki, "example", _time);
        CertificateAuthority.Issue(_pki, "alpha", "node", ["10.0.0.1", "alpha.example.org", "alpha", "::1"], _time);
        CertificateAuthority.Issue(_pki, "beta", "proxy", ["10.0.0.2"], _time);
    }

    public void Dispose() => Directory.Delete(_pki, recursive: true);

    [Fact]
    public void A_member_knows_itself_and_its_peers()
    {
        using var alpha = MemberIdentity.Load(_pki, "alpha", _time);
        using var beta = MemberIdentity.Load(_pki, "beta", _time);

        Assert.Equal("alpha", alpha.Name);
        Assert.True(alpha.Certificate.HasPrivateKey);
        Assert.False(alpha.Authority.HasPrivateKey);
        Assert.Equal(("beta", "proxy"), (MemberIdentity.NameOf(beta.Certificate), MemberIdentity.KindOf(beta.Certificate)));
        Assert.True(alpha.Trusts(beta.Certificate, client: true));
        Assert.True(alpha.Trusts(beta.Certificate, client: false));
        Assert.True(alpha.Certificate.MatchesHostname("10.0.0.1") && alpha.Certificate.MatchesHostname("alpha.example.org") && alpha.Certificate.MatchesHostname("::1"));
        Assert.False(alpha.Certificate.MatchesHostname("beta"));
    }

    [Fact]
    public void Keys_are_for_their_owner_alone()
    {
        foreach (var name in new[] { "ca", "alpha" })
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_pki, name + ".key")));
        }
    }

    [Fact]
    public void Nothing_is_overwritten()
    {
        var before = Directory.GetFiles(_pki).Order().Select(File.ReadAllText).ToList();
        Assert.Contains("ca.crt exists", Assert.Throws<IdentityException>(() => CertificateAuthority.Create(_pki, "other", _time)).Message);
        Assert.Contains("alpha.crt exists", Assert.Throws<IdentityException>(() => CertificateAuthority.Issue(_pki, "alpha", "node", [], _time)).Message);
        File.Delete(Path.Combine(_pki, "alpha.crt"));
        Assert.Contains("alpha.key exists", Assert.Throws<IdentityException>(() => CertificateAuthority.Issue(_pki, "alpha", "node", [], _time)).Message);
        Assert.Equal(before.Count - 1, Directory.GetFiles(_pki).Select(File.ReadAllText).Count(before.Contains));
    }

    [Fact]
    public void Only_known_kinds_are_issued() =>
        Assert.Throws<ArgumentException>(() => CertificateAuthority.Issue(_pki, "delta", "king", [], _time));

    [Fact]
    public void A_certificate_of_another_authority_is_not_trusted_although_all_names_agree()
    {
        var other = Directory.CreateTempSubdirectory("mirror-pki-").FullName;
        try
        {
            CertificateAuthority.Create(other, "example", _time);
            CertificateAuthority.Issue(other, "beta", "proxy", ["10.0.0.2"], _time);
            using var alpha = MemberIdentity.Load(_pki, "alpha", _time);
            using var stranger = MemberIdentity.Load(other, "beta", _time);
            Assert.False(alpha.Trusts(stranger.Certificate, client: true));
            Assert.False(alpha.Trusts(stranger.Certificate, client: false));
            Assert.False(alpha.ServerMustBe("beta")(this, stranger.Certificate, null, default));

            File.Copy(Path.Combine(other, "ca.crt"), Path.Combine(_pki, "ca.crt"), overwrite: true);
            var message = Assert.Throws<IdentityException>(() => MemberIdentity.Load(_pki, "alpha", _time)).Message;
            Assert.Contains("alpha.crt was not issued by the CA in", message);
            Assert.Contains("mirror init", message);
        }
        finally
        {
            Directory.Delete(other, recursive: true);
        }
    }

    [Fact]
    public void A_server_must_be_the_very_member_that_was_called()
    {
        using var alpha = MemberIdentity.Load(_pki, "alpha", _time);
        using var beta = MemberIdentity.Load(_pki, "beta", _time);
        Assert.True(alpha.ServerMustBe("beta")(this, beta.Certificate, null, default));
        Assert.False(alpha.ServerMustBe("gamma")(this, beta.Certificate, null, default));
        Assert.False(alpha.ServerMustBe("beta")(this, null, null, default));
    }

    [Fact]
    public void An_expired_certificate_is_refused_and_no_longer_trusted()
    {
        using var alpha = MemberIdentity.Load(_pki, "alpha", _time);
        using var beta = MemberIdentity.Load(_pki, "beta", _time);

        _time.SetUtcNow(beta.Certificate.NotAfter.ToUniversalTime().AddSeconds(1));

        Assert.False(alpha.Trusts(beta.Certificate, client: true));
        var message = Assert.Throws<IdentityException>(() => MemberIdentity.Load(_pki, "beta", _time)).Message;
        Assert.Contains("beta.crt expired at", message);
        Assert.Contains("mirror init", message);
    }

    [Fact]
    public void A_clock_before_the_certificate_is_told_to_be_set_right()
    {
        var early = new FakeTimeProvider(_time.GetUtcNow().AddDays(-1));
        Assert.Contains("Set the clock right", Assert.Throws<IdentityException>(() => MemberIdentity.Load(_pki, "alpha", early)).Message);
    }

    [Fact]
    public void A_key_of_another_certificate_is_noticed()
    {
        File.Copy(Path.Combine(_pki, "beta.key"), Path.Combine(_pki, "alpha.key"), overwrite: true);
        Assert.Contains("alpha.key is not the key of", Assert.Throws<IdentityException>(() => MemberIdentity.Load(_pki, "alpha", _time)).Message);
    }

    [Fact]
    public void Files_of_another_member_are_noticed()
    {
        File.Move(Path.Combine(_pki, "beta.crt"), Path.Combine(_pki, "gamma.crt"));
        File.Move(Path.Combine(_pki, "beta.key"), Path.Combine(_pki, "gamma.key"));
        Assert.Contains("belongs to 'beta', not to 'gamma'", Assert.Throws<IdentityException>(() => MemberIdentity.Load(_pki, "gamma", _time)).Message);
    }

    [Theory]
    [InlineData("ca.crt")]
    [InlineData("alpha.crt")]
    [InlineData("alpha.key")]
    public void A_missing_or_spoilt_file_is_named(string file)
    {
        var path = Path.Combine(_pki, file);
        File.WriteAllText(path, "-----BEGIN NONSENSE-----");
        Assert.StartsWith($"{path} is not a", Assert.Throws<IdentityException>(() => MemberIdentity.Load(_pki, "alpha", _time)).Message, StringComparison.Ordinal);
        File.Delete(path);
        Assert.StartsWith($"{path} is missing", Assert.Throws<IdentityException>(() => MemberIdentity.Load(_pki, "alpha", _time)).Message, StringComparison.Ordinal);
    }
}
