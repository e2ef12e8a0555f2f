using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Time.Testing;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Tests.Listening;
using Mirror.Node.Wire;

namespace Mirror.Node.Tests.Channels;

/// <summary>Real TLS between a real server and a real channel: who gets in, and who does not.</summary>
public sealed class PeerChannelsTests : IAsyncLifetime
{
    private static readonly TimeSpan Year = TimeSpan.FromDays(365);
    private readonly string _directory = Directory.CreateTempSubdirectory("mirror-channels-").FullName;
    private readonly FakeTimeProvider _now = new(DateTimeOffset.UtcNow);
    private readonly int _port = TestServer.FreePort();
    private MirrorConfig _config = null!;
    private MemberIdentity _alpha = null!;
    private WebApplication _server = null!;

    public async Task InitializeAsync()
    {
        // Certificates last five years. The server's is four years old: in date for itself, and for a client whose clock is two years behind.
        CertificateAuthority.Create(_directory, "example", new FakeTimeProvider(_now.GetUtcNow() - (6 * Year)));
        CertificateAuthority.Issue(_directory, "alpha", "node", ["127.0.0.1"], new FakeTimeProvider(_now.GetUtcNow() - (4 * Year)));
        CertificateAuthority.Issue(_directory, "beta", "proxy", ["127.0.0.1"], _now);
        CertificateAuthority.Issue(_directory, "old", "node", ["127.0.0.1"], new FakeTimeProvider(_now.GetUtcNow() - (6 * Year)));
        _alpha = MemberIdentity.Load(_directory, "alpha", _now);
        var alpha = TestServer.Member("alpha", _port, _directory);
        _config = new MirrorConfig
        {
            Cluster = new ClusterConfig("example", TimeSpan.FromSeconds(4), _directory),
            Members = new Dictionary<string, MemberConfig>
            {
                ["alpha"] = alpha,
                ["gamma"] = TestServer.Member("gamma", _port, _directory),
                ["nobody"] = TestServer.Member("nobody", TestServer.FreePort(), _directory),
            },
            Sites = new Dictionary<string, SiteConfig>(),
        };
        _server = await TestServer.StartAsync(builder => builder.ListenForPeers(alpha, _alpha));
    }

    public async Task DisposeAsync()
    {
        await _server.DisposeAsync();
        _alpha.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_member_gets_in_and_the_server_knows_its_name_and_kind()
    {
        using var beta = MemberIdentity.Load(_directory, "beta", _now);
        using var channels = new PeerChannels(_config, beta);

        var reply = await AskAsync(channels.To("alpha"));

        Assert.Equal(("beta", "proxy"), (reply.Holder, reply.Reason));
        Assert.Same(channels.To("alpha"), channels.To("alpha"));
    }

    [Fact]
    public async Task A_client_without_a_certificate_is_refused()
    {
        using var beta = MemberIdentity.Load(_directory, "beta", _now);
        using var good = Careless(beta.Certificate);
        Assert.True((await AskAsync(good)).Granted);

        using var channel = Careless(null);
        await RefusedAsync(channel);
    }

    [Fact]
    public async Task A_client_of_another_authority_is_refused_by_the_server()
    {
        var other = Directory.CreateTempSubdirectory("mirror-pki-").FullName;
        try
        {
            CertificateAuthority.Create(other, "example", _now);
            CertificateAuthority.Issue(other, "beta", "proxy", ["127.0.0.1"], _now);
            using var stranger = MemberIdentity.Load(other, "beta", _now);
            using (var channels = new PeerChannels(_config, stranger))
            {
                // Here already the client refuses the server.
                await RefusedAsync(channels.To("alpha"));
            }

            using var channel = Careless(stranger.Certificate);
            await RefusedAsync(channel);
        }
        finally
        {
            Directory.Delete(other, recursive: true);
        }
    }

    [Fact]
    public async Task A_client_whose_certificate_has_expired_is_refused()
    {
        using var old = MemberIdentity.Load(_directory, "old", new FakeTimeProvider(_now.GetUtcNow() - (2 * Year)));
        using var channels = new PeerChannels(_config, old);
        await RefusedAsync(channels.To("alpha"));
    }

    [Fact]
    public async Task A_server_that_is_another_member_is_refused()
    {
        using var beta = MemberIdentity.Load(_directory, "beta", _now);
        using var channels = new PeerChannels(_config, beta);
        await RefusedAsync(channels.To("gamma"));
    }

    [Fact]
    public async Task A_member_that_comes_back_is_reached_by_the_next_call()
    {
        using var beta = MemberIdentity.Load(_directory, "beta", _now);
        using var channels = new PeerChannels(_config, beta);
        await AskAsync(channels.To("alpha"));
        await _server.DisposeAsync();
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => AskAsync(channels.To("alpha")))).StatusCode);
        }

        _server = await TestServer.StartAsync(builder => builder.ListenForPeers(_config.Members["alpha"], _alpha));
        Assert.True((await AskAsync(channels.To("alpha"))).Granted);
    }

    [Fact]
    public async Task Nobody_at_the_address_is_unavailable_and_a_name_outside_the_cluster_an_error()
    {
        using var beta = MemberIdentity.Load(_directory, "beta", _now);
        using var channels = new PeerChannels(_config, beta);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => AskAsync(channels.To("nobody")))).StatusCode);
        Assert.Contains("alpha, gamma, nobody", Assert.Throws<KeyNotFoundException>(() => channels.To("omega")).Message);
    }

    // A client that believes any server, so that what is refused is refused by the server.
    private GrpcChannel Careless(X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.ClientCertificates = certificate is null ? [] : [certificate];
        handler.SslOptions.RemoteCertificateValidationCallback = (_, server, _, _) => server is not null;
        return GrpcChannel.ForAddress($"https://127.0.0.1:{_port}", new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
    }

    private static async Task RefusedAsync(GrpcChannel channel)
    {
        var status = (await Assert.ThrowsAsync<RpcException>(() => AskAsync(channel))).StatusCode;
        Assert.True(status is StatusCode.Unavailable or StatusCode.Internal, status.ToString());
    }

    private static async Task<GrantReply> AskAsync(GrpcChannel channel) =>
        await new Voting.VotingClient(channel).RequestGrantAsync(new GrantRequest { Site = "wiki", Epoch = 1, Candidate = "beta" }, deadline: DateTime.UtcNow.AddSeconds(30));
}
