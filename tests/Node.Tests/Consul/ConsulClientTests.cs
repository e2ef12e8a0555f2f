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

    [Fact]
    public async Task A_lock_is_taken_and_freed_in_one_step_with_its_value()
    {
        Assert.Null((await _consul.ReadKeyAsync("mirror/x/wiki", _limit.Token)).Entry);
        await RegisterAsync();
        var session = await SessionAsync();
        var taken = await _consul.CommitAsync(
            [
                new(KeyVerb.Cas, "mirror/x/wiki") { Value = "one"u8.ToArray() },
                new(KeyVerb.Lock, "mirror/x/wiki") { Session = session, Value = "two"u8.ToArray() },
            ],
            _limit.Token);
        Assert.True(taken.Committed);
        var entry = (await _consul.ReadKeyAsync("mirror/x/wiki", _limit.Token)).Entry!;
        Assert.Equal((session, 1ul, taken.Entries[^1].ModifyIndex), (entry.Session, entry.LockIndex, entry.ModifyIndex));
        Assert.Equal("two"u8, entry.Value);

        var stale = await _consul.CommitAsync([new(KeyVerb.CheckIndex, "mirror/x/wiki") { Index = 1 }], _limit.Token);
        Assert.False(stale.Committed);
        Assert.Contains("current modify index", stale.Why, StringComparison.Ordinal);
        var freed = await _consul.CommitAsync(
            [new(KeyVerb.CheckSession, "mirror/x/wiki") { Session = session }, new(KeyVerb.Unlock, "mirror/x/wiki") { Session = session, Value = "three"u8.ToArray() }], _limit.Token);
        Assert.True(freed.Committed);
        entry = (await _consul.ReadKeyAsync("mirror/x/wiki", _limit.Token)).Entry!;
        Assert.Null(entry.Session);
        Assert.Equal("three"u8, entry.Value);
        Assert.True((await _consul.CommitAsync([new(KeyVerb.Delete, "mirror/x/wiki")], _limit.Token)).Committed);
    }

    [Fact]
    public async Task A_session_is_renewed_until_it_is_closed_and_its_lock_has_a_delay()
    {
        await RegisterAsync();
        var session = await SessionAsync();
        await LockAsync("k", session);
        Assert.True(await _consul.RenewSessionAsync(session, _limit.Token));
        await _consul.CloseSessionAsync(session, _limit.Token);
        Assert.False(await _consul.RenewSessionAsync(session, _limit.Token));

        var other = await SessionAsync();
        var refused = await _consul.CommitAsync([new(KeyVerb.Lock, "k") { Session = other }], _limit.Token);
        Assert.False(refused.Committed);
        Assert.Contains("lock delay", refused.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Waiting_at_a_key_ends_with_its_next_change_or_with_the_time()
    {
        _servers.Overwrite("k", "one"u8.ToArray());
        var first = await _consul.WatchKeyAsync("k", 0, TimeSpan.FromSeconds(30), _limit.Token);
        var same = await _consul.WatchKeyAsync("k", first.Index, TimeSpan.FromMilliseconds(100), _limit.Token);
        Assert.Equal(first.Index, same.Index);
        var waiting = _consul.WatchKeyAsync("k", first.Index, TimeSpan.FromSeconds(30), _limit.Token);
        _servers.Overwrite("k", "two"u8.ToArray());
        Assert.Equal("two"u8.ToArray(), (await waiting).Entry!.Value);
    }

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
    public async Task A_service_is_found_with_its_tags_and_its_health()
    {
        await RegisterAsync();
        var before = await _consul.WatchServiceAsync("wiki", 0, TimeSpan.Zero, _limit.Token);
        var found = Assert.Single(before.Instances);
        Assert.Equal(("mirror-x-wiki-alpha", "10.0.0.1", 20001, ServiceHealth.Passing), (found.Id, found.Address, found.Port, found.Health));
        Assert.Equal(["primary"], found.Tags);
        Assert.Equal("alpha", found.Meta["node"]);

        var waiting = _consul.WatchServiceAsync("wiki", before.Index, TimeSpan.FromSeconds(30), _limit.Token);
        await _consul.ReportAsync("mirror-x-wiki-alpha", ServiceHealth.Critical, "stopped", _limit.Token);
        Assert.Equal(ServiceHealth.Critical, Assert.Single((await waiting).Instances).Health);
        await _consul.DeregisterAsync("mirror-x-wiki-alpha", _limit.Token);
        Assert.Empty((await _consul.WatchServiceAsync("wiki", 0, TimeSpan.Zero, _limit.Token)).Instances);
        await Assert.ThrowsAsync<ConsulException>(() => _consul.ReportAsync("mirror-x-wiki-alpha", ServiceHealth.Passing, "", _limit.Token));
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

    [Fact]
    public async Task A_lock_is_given_back_by_whoever_knows_its_session_and_only_once()
    {
        await RegisterAsync();
        var session = await SessionAsync();
        await LockAsync("k", session, new LockRecord("alpha", 3, 4, 7, false, null).Write());
        Assert.Equal(ReleaseOutcome.NotHeld, await LockRelease.RunAsync(_consul, "k", Guid.NewGuid().ToString(), null, _limit.Token));
        Assert.Equal(ReleaseOutcome.Released, await LockRelease.RunAsync(_consul, "k", session, "beta", _limit.Token));
        Assert.Equal(ReleaseOutcome.NotHeld, await LockRelease.RunAsync(_consul, "k", session, null, _limit.Token));
        Assert.Equal(new LockRecord("alpha", 3, 4, 7, true, "beta"), LockRecord.Read(_servers.Find("k")!.Value));
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

    private Task RegisterAsync() => _consul.RegisterAsync(
        new("mirror-x-wiki-alpha", "wiki", ["primary"], "10.0.0.1", 20001, new Dictionary<string, string> { ["node"] = "alpha" }, TimeSpan.FromMinutes(1), ServiceHealth.Passing), _limit.Token);

    private Task<string> SessionAsync() => _consul.OpenSessionAsync(new("test", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(20), "mirror-x-wiki-alpha"), _limit.Token);

    private async Task LockAsync(string key, string session, byte[]? value = null) => Assert.True(
        (await _consul.CommitAsync([new(KeyVerb.Cas, key) { Value = [] }, new(KeyVerb.Lock, key) { Session = session, Value = value }], _limit.Token)).Committed);
}
