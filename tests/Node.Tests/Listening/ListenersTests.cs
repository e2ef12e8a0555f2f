using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Wire;

namespace Mirror.Node.Tests.Listening;

public sealed class ListenersTests : IDisposable
{
    private readonly string _state = Directory.CreateTempSubdirectory("mirror-listen-").FullName;

    private string SocketPath => Path.Combine(_state, "control.sock");

    public void Dispose() => Directory.Delete(_state, recursive: true);

    [Fact]
    public async Task The_control_socket_serves_its_owner_and_knows_callers_as_local()
    {
        await using var server = await TestServer.StartAsync(builder => builder.ListenForControl(SocketPath));

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(SocketPath));
        using var channel = LocalChannel.Open(SocketPath);
        var reply = await new Voting.VotingClient(channel).RequestGrantAsync(new GrantRequest { Site = "wiki" });
        Assert.Equal(("", "local"), (reply.Holder, reply.Reason));
    }

    [Fact]
    public void Without_a_process_the_command_line_is_told_how_to_start_one()
    {
        var message = Assert.Throws<NotRunningException>(() => LocalChannel.Open(SocketPath)).Message;
        Assert.Contains($"No mirror process is running on this machine with state {_state}", message);
        Assert.Contains("mirror node", message);
        Assert.Contains("too long", Assert.Throws<NotRunningException>(() => LocalChannel.Open("/" + new string('x', 120))).Message);
    }

    [Fact]
    public async Task A_socket_left_by_a_dead_process_is_replaced()
    {
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            // Bound and never listening: what a killed process leaves behind.
            dead.Bind(new UnixDomainSocketEndPoint(SocketPath));
            await using var server = await TestServer.StartAsync(builder => builder.ListenForControl(SocketPath));
            Assert.True(LocalChannel.Answers(SocketPath));
        }
    }

    [Fact]
    public async Task A_socket_that_answers_is_left_alone()
    {
        await using var first = await TestServer.StartAsync(builder => builder.ListenForControl(SocketPath));
        var message = (await Assert.ThrowsAsync<ListenException>(() => TestServer.StartAsync(builder => builder.ListenForControl(SocketPath)))).Message;
        Assert.Contains("Another mirror process already runs with state", message);
        Assert.True(LocalChannel.Answers(SocketPath));
    }

    [Fact]
    public async Task A_file_that_is_no_socket_is_not_deleted()
    {
        await File.WriteAllTextAsync(SocketPath, "mine");
        await Assert.ThrowsAsync<ListenException>(() => TestServer.StartAsync(builder => builder.ListenForControl(SocketPath)));
        Assert.Equal("mine", await File.ReadAllTextAsync(SocketPath));
    }

    [Fact]
    public async Task A_taken_port_is_explained_with_member_address_key_and_remedy()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var endpoint = (IPEndPoint)taken.LocalEndpoint;
        CertificateAuthority.Create(_state, "example", TimeProvider.System);
        CertificateAuthority.Issue(_state, "alpha", "node", ["127.0.0.1"], TimeProvider.System);
        using var identity = MemberIdentity.Load(_state, "alpha", TimeProvider.System);
        var member = TestServer.Member("alpha", endpoint.Port, _state);

        var message = (await Assert.ThrowsAsync<ListenException>(() => TestServer.StartAsync(builder => builder.ListenForControl(SocketPath).ListenForPeers(member, identity)))).Message;

        Assert.StartsWith($"alpha cannot listen on {endpoint} (grpc-port): another process uses the port.", message, StringComparison.Ordinal);
        Assert.Contains("ss -ltnp", message);
        Assert.Equal(message, Listeners.WhyNot(member, "grpc-port", endpoint)?.Message);
        taken.Stop();
        Assert.Null(Listeners.WhyNot(member, "grpc-port", endpoint));
    }

    [Fact]
    public async Task A_reader_reaches_the_public_port_and_no_service_for_members()
    {
        var port = TestServer.FreePort();
        var proxy = TestServer.Member("front", TestServer.FreePort(), _state, MemberKind.Proxy, $"http://127.0.0.1:{port}");
        await using var server = await TestServer.StartAsync(builder => builder.ListenForReaders(proxy).ListenForControl(SocketPath));

        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(new Uri($"http://127.0.0.1:{port}/"))).StatusCode);
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port}", new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { UseProxy = false } });
        await Assert.ThrowsAsync<RpcException>(async () => await new Voting.VotingClient(channel).RequestGrantAsync(new GrantRequest { Site = "wiki" }));
    }

    [Fact]
    public async Task A_stranger_who_gets_as_far_as_a_service_is_denied()
    {
        var port = TestServer.FreePort();
        await using var server = await TestServer.StartAsync(builder =>
        {
            // A way in that was opened by other means, beside readers.
            builder.ListenForReaders(TestServer.Member("front", 1, _state, MemberKind.Proxy));
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2));
        });
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{port}", new GrpcChannelOptions { HttpHandler = new SocketsHttpHandler { UseProxy = false } });
        var exception = await Assert.ThrowsAsync<RpcException>(async () => await new Voting.VotingClient(channel).RequestGrantAsync(new GrantRequest { Site = "wiki" }));
        Assert.Equal(StatusCode.PermissionDenied, exception.StatusCode);
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("localhost", "127.0.0.1")]
    [InlineData("::1", "::1")]
    public void A_member_listens_on_its_own_address(string address, string expected) =>
        Assert.Equal(IPAddress.Parse(expected), Listeners.EndPointFor(address, 7400).Address);

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("alpha.example.org")]
    public void An_address_that_is_not_this_machines_means_all_of_them(string address)
    {
        var ip = Listeners.EndPointFor(address, 7400).Address;
        Assert.True(ip.Equals(IPAddress.Any) || ip.Equals(IPAddress.IPv6Any));
    }
}
