using System.Net;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.PublicPages;

public sealed class OwnPagesAnswers
{
    [Fact]
    public async Task The_health_page_answers_under_any_name_and_never_reaches_an_app()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        Assert.Equal("ok\n", await environment.GetAsync("/.mirror/healthz"));
        Assert.Equal("ok\n", await environment.GetAsync("/.mirror/healthz", "other.example"));
        using var unknown = await environment.SendAsync(HttpMethod.Get, "/.mirror/else");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Empty(a.Seen);
    }

    [Fact]
    public async Task The_status_page_names_primary_and_epoch_and_no_address()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 3, a.Address));

        var counts = await environment.CountsAsync();
        Assert.Equal(("a", 3ul, null), (counts.Primary, counts.Epoch, counts.HoldingBecause));
        Assert.DoesNotContain("127.0.0.1", await environment.GetAsync("/.mirror/status"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_process_serves_inside_the_cluster_cannot_be_reached_from_outside()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        Assert.Equal("a /inside", await environment.GetAsync("/inside"));
        using var call = await environment.SendAsync(HttpMethod.Post, "/mirror.v1.Routing/Hold", new ByteArrayContent([]));
        Assert.Equal("a /mirror.v1.Routing/Hold", await call.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_clusters_port_demands_a_certificate_and_forwards_nothing()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = ClusterPki.Of("a").ServerMustBe("front") } };
        using var client = new HttpClient(handler) { DefaultRequestVersion = HttpVersion.Version20 };

        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri($"https://127.0.0.1:{environment.ClusterPort}/")));

        Assert.Empty(a.Seen);
    }
}
