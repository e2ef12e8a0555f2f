using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Consul;
using Mirror.Node.Identity;
using Mirror.Testing;
using Mirror.Testing.Consul;

namespace Mirror.Node.Tests.Consul;

/// <summary>The client over real connections, against the stand-in.</summary>
public sealed class ConsulClientTests : IAsyncLifetime, IDisposable
{
    private readonly TemporaryDirectory _scratch = new();
    private readonly StandInServers _servers = new(TimeProvider.System);
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(1));
    private StandInHttp _http = null!;
    private ConsulClient _consul = null!;

    private StandInAgent Agent => _http.Agent;

    public async Task InitializeAsync()
    {
        _http = await StandInHttp.StartAsync(new(_servers, "alpha", TimeProvider.System));
        _consul = new(new(_http.Url), TimeProvider.System);
    }

    public Task DisposeAsync() => _http.DisposeAsync().AsTask();

    public void Dispose()
    {
        _consul.Dispose();
        _servers.Dispose();
        _limit.Dispose();
        _scratch.Dispose();
    }

    [Theory]
    [MemberData(nameof(ConsulContract.Names), MemberType = typeof(ConsulContract))]
    public Task The_stand_in_keeps_the_contract(string part) => ConsulContract.CheckAsync(part, _consul, _limit.Token);

    [Fact]
    public async Task What_may_be_asked_twice_is_asked_again_and_a_transaction_is_not()
    {
        Agent.FailNext = 2;
        Assert.Null((await _consul.ReadKeyAsync("k", _limit.Token)).Entry);
        Assert.Equal(3, _http.Requests);

        Agent.FailNext = 1;
        var failure = await Assert.ThrowsAsync<ConsulException>(() => _consul.CommitAsync([new(KeyVerb.Cas, "k") { Value = [] }], _limit.Token));
        Assert.Equal(ConsulFault.Failed, failure.Fault);
        Assert.Contains("No cluster leader", failure.Message, StringComparison.Ordinal);
        Assert.Equal(4, _http.Requests);
    }

    [Fact]
    public async Task The_token_comes_from_its_file_and_stands_in_no_message()
    {
        _http.Token = "b1gs07cb-8a1e-secret";
        var file = Path.Combine(_scratch.Path, "token");
        await File.WriteAllTextAsync(file, "b1gs07cb-8a1e-secret\n");
        using var known = new ConsulClient(new(_http.Url, file), TimeProvider.System);
        Assert.Null((await known.ReadKeyAsync("k", _limit.Token)).Entry);

        await File.WriteAllTextAsync(file, "0000-another\n");
        using var unknown = new ConsulClient(new(_http.Url, file), TimeProvider.System);
        var denied = await Assert.ThrowsAsync<ConsulException>(() => unknown.ReadKeyAsync("k", _limit.Token));
        Assert.Equal(ConsulFault.Denied, denied.Fault);
        Assert.DoesNotContain("0000-another", denied.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("0000-another", new ConsulAgent(_http.Url, file).ToString(), StringComparison.Ordinal);

        await File.WriteAllTextAsync(file, "two words\n");
        var unreadable = Assert.Throws<ConsulException>(() => new ConsulClient(new(_http.Url, file), TimeProvider.System));
        Assert.DoesNotContain("two words", unreadable.Message, StringComparison.Ordinal);
        Assert.Throws<ConsulException>(() => new ConsulClient(new(_http.Url, file + ".absent"), TimeProvider.System));
    }

    [Fact]
    public async Task Https_holds_both_sides_to_their_certificates()
    {
        var (ours, foreign) = (Path.Combine(_scratch.Path, "pki"), Path.Combine(_scratch.Path, "foreign"));
        foreach (var pki in new[] { ours, foreign })
        {
            CertificateAuthority.Create(pki, "test", TimeProvider.System);
            CertificateAuthority.Issue(pki, "alpha", "node", ["127.0.0.1"], TimeProvider.System);
        }

        using var certificate = X509Certificate2.CreateFromPemFile(Path.Combine(ours, "alpha.crt"), Path.Combine(ours, "alpha.key"));
        await using var secure = await StandInHttp.StartAsync(new(_servers, "alpha", TimeProvider.System), https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.ClientCertificateValidation = (client, _, _) => client.Issuer == certificate.Issuer && client.Thumbprint == certificate.Thumbprint;
        });
        ConsulAgent With(string ca, string? client) => new(
            secure.Url, null, Path.Combine(ca, "ca.crt"), client is null ? null : Path.Combine(client, "alpha.crt"), client is null ? null : Path.Combine(client, "alpha.key"));

        Assert.Null(await AskAsync(With(ours, ours)));
        Assert.Equal(ConsulFault.Silent, await AskAsync(With(foreign, ours)));
        Assert.Equal(ConsulFault.Silent, await AskAsync(With(ours, null)));
        Assert.Equal(ConsulFault.Silent, await AskAsync(With(ours, foreign)));
    }

    [Fact]
    public async Task An_agent_that_says_nothing_is_not_waited_for_longer_than_asked()
    {
        Agent.IsSilent = true;
        using var cancel = new CancellationTokenSource();
        var asked = _consul.ReadKeyAsync("k", cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);

        var time = new FakeTimeProvider();
        using var patient = new ConsulClient(new(_http.Url), time);
        var opening = patient.OpenSessionAsync(new("s", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(1), "x"), _limit.Token);
        time.Advance(TimeSpan.FromSeconds(2.9));
        Assert.False(opening.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal(ConsulFault.Silent, (await Assert.ThrowsAsync<ConsulException>(() => opening)).Fault);
    }

    [Fact]
    public async Task Nobody_at_the_address_is_said_so()
    {
        var gone = _http.Url;
        await _http.DisposeAsync();
        using var consul = new ConsulClient(new(gone), TimeProvider.System);
        var silent = await Assert.ThrowsAsync<ConsulException>(() => consul.ReadKeyAsync("k", _limit.Token));
        Assert.Equal(ConsulFault.Silent, silent.Fault);
        Assert.StartsWith($"Consul at {gone} does not answer: ", silent.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0ul, 7ul, 7ul)]
    [InlineData(7ul, 9ul, 9ul)]
    [InlineData(7ul, 7ul, 7ul)]
    [InlineData(7ul, 6ul, 0ul)]
    [InlineData(0ul, 0ul, 1ul)]
    [InlineData(7ul, 0ul, 0ul)]
    public void An_index_that_went_back_is_begun_anew_and_none_is_waited_at_for_ever(ulong before, ulong answered, ulong next) =>
        Assert.Equal(next, ConsulIndex.Next(before, answered));

    [Theory]
    [InlineData("")]
    [InlineData("oops")]
    [InlineData("null")]
    [InlineData("""{"kind":"mirror lock 2","holder":"a","offset":0,"consistent":[1,2],"givenBack":false,"successor":null}""")]
    [InlineData("""{"kind":"mirror lock 1","holder":"a","offset":0,"consistent":[1],"givenBack":false,"successor":null}""")]
    [InlineData("""{"kind":"mirror lock 1","holder":"a","offset":0,"consistent":[1,2],"givenBack":false,"successor":null,"more":1}""")]
    [InlineData("""{"kind":"mirror lock 1","holder":"","offset":0,"consistent":[1,2],"givenBack":false,"successor":null}""")]
    public void What_Mirror_did_not_write_says_nothing(string value) => Assert.Null(LockRecord.Read(System.Text.Encoding.UTF8.GetBytes(value)));

    private async Task<ConsulFault?> AskAsync(ConsulAgent agent)
    {
        using var consul = new ConsulClient(agent, TimeProvider.System);
        try
        {
            await consul.ReadKeyAsync("k", _limit.Token);
            return null;
        }
        catch (ConsulException failure)
        {
            return failure.Fault;
        }
    }
}
