using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Mirror.Node.Configuration;
using Mirror.Proxy.AccessLog;
using Mirror.Proxy.Tests.Environment;
using Mirror.Testing;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.AccessLog;

public sealed class AccessLines : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string File => _directory["log/access.log"];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_combined_line_has_its_fields_and_what_a_client_sends_cannot_forge_one()
    {
        var text = new StringBuilder();
        new AccessLine(
            new DateTimeOffset(2026, 3, 1, 4, 5, 6, TimeSpan.Zero), "192.0.2.7", "GET", "/a?b", "HTTP/1.1", "wiki", 200, 12, "", "x\" 1.2.3.4 - - \n\\é", 1.5).WriteCombined(text);

        Assert.Equal("192.0.2.7 - - [01/Mar/2026:04:05:06 +0000] \"GET /a?b HTTP/1.1\" 200 12 \"-\" \"x\\x22 1.2.3.4 - - \\x0A\\x5Cé\"\n", text.ToString());
    }

    [Fact]
    public async Task Each_request_leaves_a_line_of_json_refused_ones_too()
    {
        var environment = await StartAsync(json: true);
        var a = await environment.AppAsync("a", context => context.Response.WriteAsync("hello"));
        await environment.SayAsync(Primary("a", 1, a.Address));
        await environment.GetAsync("/a%2Fb?c");
        using var unknown = await environment.SendAsync(HttpMethod.Post, "/x", host: "nobody.example");

        await environment.DisposeAsync();

        var lines = (await System.IO.File.ReadAllLinesAsync(File)).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => !line.GetProperty("target").GetString()!.StartsWith("/.mirror", StringComparison.Ordinal)).ToList();
        Assert.Equal(["/a%2Fb?c", "/x"], lines.Select(line => line.GetProperty("target").GetString()));
        Assert.Equal([200, 404], lines.Select(line => line.GetProperty("status").GetInt32()));
        Assert.Equal("127.0.0.1", lines[0].GetProperty("client").GetString());
        Assert.Equal("nobody.example", lines[1].GetProperty("host").GetString());
    }

    [Fact]
    public async Task A_full_file_gets_a_number_and_the_oldest_goes()
    {
        var environment = await StartAsync(rotate: 4096, keep: 2);
        for (var i = 0; i < 200; i++)
        {
            await environment.GetAsync("/.mirror/healthz");
        }

        await environment.DisposeAsync();

        Assert.True(System.IO.File.Exists(File + ".2"));
        Assert.False(System.IO.File.Exists(File + ".3"));
        Assert.InRange(new FileInfo(File + ".1").Length, 4096, 4096 + (256 * 120));
    }

    [Fact]
    public async Task A_file_that_was_moved_away_is_begun_anew()
    {
        await using var environment = await StartAsync();
        await environment.GetAsync("/.mirror/healthz");
        await TestEnvironment.UntilAsync(() => System.IO.File.Exists(File) && new FileInfo(File).Length > 0, "there is a line");

        System.IO.File.Move(File, File + ".moved");
        await environment.GetAsync("/.mirror/healthz");

        await TestEnvironment.UntilAsync(() => System.IO.File.Exists(File) && new FileInfo(File).Length > 0, "there is a line in a new file");
    }

    [Fact]
    public async Task A_log_that_cannot_be_written_costs_its_lines_and_no_request()
    {
        await System.IO.File.WriteAllTextAsync(_directory["log"], "in the way");
        await using var environment = await StartAsync();

        Assert.Equal("ok\n", await environment.GetAsync("/.mirror/healthz"));
        Assert.Equal("ok\n", await environment.GetAsync("/.mirror/healthz"));

        await TestEnvironment.UntilAsync(() => environment.Service<AccessWriter>().LeftOut == 2, "both lines are counted as left out");
    }

    [Theory]
    [InlineData("127.0.0.0/8", "192.0.2.1, 198.51.100.9", "192.0.2.1, 198.51.100.9, 127.0.0.1|https|public.example", "198.51.100.9")]
    [InlineData("127.0.0.0/8", "6.6.6.6, 192.0.2.1, 127.0.0.5", "6.6.6.6, 192.0.2.1, 127.0.0.5, 127.0.0.1|https|public.example", "192.0.2.1")]
    [InlineData("10.0.0.0/8", "192.0.2.1", "127.0.0.1|http|wiki.example", "127.0.0.1")]
    public async Task Forwarded_headers_are_believed_of_trusted_proxies_only(string trusted, string forwarded, string toApp, string logged)
    {
        var environment = await StartAsync(json: true, trusted: trusted);
        var a = await environment.AppAsync("a", context => context.Response.WriteAsync(
            $"{context.Request.Headers["X-Forwarded-For"]}|{context.Request.Headers["X-Forwarded-Proto"]}|{context.Request.Headers["X-Forwarded-Host"]}"));
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var request = TestEnvironment.Request(HttpMethod.Get, "/page");
        request.Headers.Add("X-Forwarded-For", forwarded);
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("X-Forwarded-Host", "public.example");

        using var response = await environment.Client.SendAsync(request);
        Assert.Equal(toApp, await response.Content.ReadAsStringAsync());
        await environment.DisposeAsync();

        var line = Assert.Single(await System.IO.File.ReadAllLinesAsync(File), line => line.Contains("/page", StringComparison.Ordinal));
        Assert.Equal(logged, JsonDocument.Parse(line).RootElement.GetProperty("client").GetString());
    }

    private Task<TestEnvironment> StartAsync(bool json = false, long rotate = 1 << 20, int keep = 3, string? trusted = null) => TestEnvironment.StartAsync(front: new FrontConfig
    {
        AccessLog = new AccessLogConfig(File, json, rotate, keep),
        TrustedProxies = trusted is null ? [] : [trusted],
    });
}
