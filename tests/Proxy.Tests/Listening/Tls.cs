using System.Net;
using System.Net.Security;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Http;
using Mirror.Node.Configuration;
using Mirror.Proxy.Listening;
using Mirror.Proxy.Tests.Environment;
using Mirror.Testing;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Listening;

public sealed class Tls : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Each_name_gets_its_certificate_and_a_strange_one_the_first()
    {
        await using var environment = await StartAsync(Certificate("first", "first.example"), Certificate("wiki", "wiki.example", "*.wiki.example"));

        Assert.Equal("CN=wiki.example", await SubjectAsync(environment, "wiki.example"));
        Assert.Equal("CN=wiki.example", await SubjectAsync(environment, "en.wiki.example"));
        Assert.Equal("CN=first.example", await SubjectAsync(environment, "first.example"));
        Assert.Equal("CN=first.example", await SubjectAsync(environment, "other.example"));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_request_over_tls_reaches_the_app_and_says_that_it_was_one(string version)
    {
        await using var environment = await StartAsync(Certificate("wiki", "wiki.example"));
        var a = await environment.AppAsync("a", context => context.Response.WriteAsync($"{context.Request.Protocol} {context.Request.Headers["X-Forwarded-Proto"]} {context.Request.Host}"));
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var client = Client(environment);
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://wiki.example/") { Version = Version.Parse(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact };

        using var response = await client.SendAsync(request);

        Assert.Equal(Version.Parse(version), response.Version);
        Assert.Equal("HTTP/1.1 https wiki.example", await response.Content.ReadAsStringAsync());
        Assert.Equal("1", Assert.Single(response.Headers.GetValues("Mirror-Epoch")));
    }

    [Fact]
    public async Task A_new_pair_is_taken_over_whole_and_a_broken_one_leaves_the_old()
    {
        var files = Certificate("wiki", "wiki.example");
        await using var environment = await StartAsync(files);
        environment.ExpectError(6032);
        var certificates = environment.Service<SiteCertificates>();
        var (certificate, key) = SitePem.Make("new.example");

        // As it is in the middle of a renewal: the certificate is new, the key is not.
        await File.WriteAllTextAsync(files.Certificate, certificate);
        certificates.Look();
        Assert.Equal("CN=wiki.example", await SubjectAsync(environment, "wiki.example"));

        await File.WriteAllTextAsync(files.Key, key);
        certificates.Look();
        Assert.Equal("CN=new.example", await SubjectAsync(environment, "wiki.example"));

        await File.WriteAllTextAsync(files.Certificate, "no certificate");
        certificates.Look();
        File.Delete(files.Key);
        certificates.Look();
        Assert.Equal("CN=new.example", await SubjectAsync(environment, "wiki.example"));
    }

    [Fact]
    public async Task A_pair_behind_a_link_is_followed_when_the_link_moves()
    {
        var (one, two) = (Directory.CreateDirectory(_directory["1"]).FullName, Directory.CreateDirectory(_directory["2"]).FullName);
        SitePem.Write(one, "wiki", "one.example");
        SitePem.Write(two, "wiki", "two.example");
        Directory.CreateSymbolicLink(_directory["live"], one);
        await using var environment = await StartAsync(new CertificateConfig("wiki", _directory["live"] + "/wiki.crt", _directory["live"] + "/wiki.key"));

        Directory.Delete(_directory["live"]);
        Directory.CreateSymbolicLink(_directory["live"], two);
        environment.Service<SiteCertificates>().Look();

        Assert.Equal("CN=two.example", await SubjectAsync(environment, "x"));
    }

    [Fact]
    public async Task A_proxy_does_not_start_without_a_certificate_that_it_should_have()
    {
        var files = Certificate("wiki", "wiki.example");
        File.Delete(files.Key);

        var fault = await Assert.ThrowsAsync<ConfigException>(() => StartAsync(files));

        Assert.Equal("proxies.front.certificates.wiki", Assert.Single(fault.Faults).Key);
    }

    [Fact]
    public async Task Http3_that_the_machine_cannot_do_costs_nothing_else()
    {
        var files = Certificate("wiki", "wiki.example");
        await using var environment = await TestEnvironment.StartAsync(front: new FrontConfig { Certificates = [files], Http3 = true });

        Assert.Equal("CN=wiki.example", await SubjectAsync(environment, "wiki.example"));
    }

    [Fact]
    public async Task A_web_socket_over_http2_passes_and_counts_as_a_tunnel()
    {
        await using var environment = await StartAsync(Certificate("wiki", "wiki.example"));
        var a = await environment.AppAsync("a", async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[100];
            var received = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
            await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, context.RequestAborted);
            await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
        });
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var invoker = new HttpMessageInvoker(Handler(environment));
        using var socket = new ClientWebSocket();
        socket.Options.HttpVersion = System.Net.HttpVersion.Version20;
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        using var late = new CancellationTokenSource(TestEnvironment.Patience, TimeProvider.System);
        await socket.ConnectAsync(new Uri("wss://wiki.example/"), invoker, late.Token);

        await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, true, late.Token);
        var buffer = new byte[100];
        var received = await socket.ReceiveAsync(buffer, late.Token);

        Assert.Equal("hello", System.Text.Encoding.UTF8.GetString(buffer, 0, received.Count));
        Assert.Equal(1, (await environment.CountsAsync()).Tunnels);

        await environment.SayAsync(Primary("b", 2, null));
        await Assert.ThrowsAsync<WebSocketException>(() => socket.ReceiveAsync(buffer, late.Token));
    }

    [Fact]
    public async Task A_grpc_call_passes_both_ways_with_its_trailers()
    {
        await using var environment = await StartAsync(Certificate("wiki", "wiki.example"));
        await using var app = await GrpcEcho.StartAsync();
        await environment.SayAsync(Primary("a", 1, app.Address));
        using var handler = Handler(environment);
        using var channel = GrpcChannel.ForAddress("https://wiki.example", new GrpcChannelOptions { HttpHandler = handler });
        var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(GrpcEcho.Method, null, default);

        foreach (var word in new[] { "one", "two" })
        {
            await call.RequestStream.WriteAsync(word);
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestEnvironment.Patience));
            Assert.Equal(word + "!", call.ResponseStream.Current);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(TestEnvironment.Patience));
        Assert.Equal("2", call.GetTrailers().GetValue("words"));
    }

    private CertificateConfig Certificate(string name, params string[] hosts) => SitePem.Write(_directory.Path, name, hosts);

    private static Task<TestEnvironment> StartAsync(params CertificateConfig[] certificates) =>
        TestEnvironment.StartAsync(front: new FrontConfig { Certificates = certificates });

    private static SocketsHttpHandler Handler(TestEnvironment environment) => new()
    {
        UseProxy = false,
        SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => IsSelfSigned(certificate) },
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, environment.TlsPort, cancellation);
            return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
        },
    };

    private static bool IsSelfSigned(X509Certificate? certificate) => certificate is not null && certificate.Subject == certificate.Issuer;

    private static HttpClient Client(TestEnvironment environment) => new(Handler(environment));

    private static async Task<string> SubjectAsync(TestEnvironment environment, string name)
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, environment.TlsPort);
        await using var tls = new SslStream(client.GetStream(), false, (_, certificate, _, _) => IsSelfSigned(certificate));
        await tls.AuthenticateAsClientAsync(name);
        using var certificate = X509CertificateLoader.LoadCertificate(tls.RemoteCertificate!.GetRawCertData());
        return certificate.Subject;
    }
}
