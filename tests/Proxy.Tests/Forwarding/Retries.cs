using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Forwarding;

public sealed class Retries
{
    [Fact]
    public async Task A_write_refused_by_a_dead_primary_reaches_the_new_one_exactly_once()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b", Echo("b"));
        await environment.SayAsync(Primary("a", 1, a.Address));
        await a.KillAsync();

        var write = environment.SendAsync(HttpMethod.Post, "/save", new StringContent("text"));
        await environment.HeldAsync(1);
        await environment.SayAsync(Primary("b", 2, b.Address));

        Assert.Equal("b text", await (await write).Content.ReadAsStringAsync());
        Assert.Equal(["POST /save"], b.Seen);
        Assert.Empty(a.Seen);
    }

    [Fact]
    public async Task An_app_that_restarts_at_its_address_is_found_again()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));
        await a.KillAsync();
        var held = environment.GetAsync("/");
        await environment.HeldAsync(1);

        await environment.AppAsync("again", port: a.Port);

        Assert.Equal("again /", await held);
    }

    [Theory]
    [InlineData("POST", "text", false)]
    [InlineData("POST", "", false)]
    [InlineData("POST", "text", true)]
    [InlineData("PATCH", "text", false)]
    public async Task A_write_whose_app_dies_after_receiving_it_is_not_repeated(string method, string body, bool overKeptConnection)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));
        if (overKeptConnection)
        {
            await environment.GetAsync("/warm-up");
        }

        a.Handler = async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            context.Abort();
        };
        using var response = await environment.SendAsync(new HttpMethod(method), "/save", new StringContent(body));

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter?.Delta);
        Assert.Equal(1, a.Seen.Count(seen => seen == $"{method} /save"));
    }

    /// <summary>The HTTP client below would repeat it by itself: to it, a kept connection that ends without an answer was merely idle.</summary>
    [Fact]
    public async Task A_write_without_a_body_is_not_repeated_over_a_kept_connection_either()
    {
        await using var environment = await TestEnvironment.StartAsync();
        await using var a = new RawBackend((_, line) => line.StartsWith("GET", StringComparison.Ordinal)
            ? ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false)
            : ("", true));
        await environment.SayAsync(Primary("a", 1, a.Address));
        await environment.GetAsync("/warm-up");

        // Written by hand, for the client of this test would add "Content-Length: 0".
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, environment.Address.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST /like HTTP/1.1\r\nHost: {TestEnvironment.Host}\r\n\r\n"));
        using var reader = new StreamReader(client.GetStream());

        Assert.Equal("HTTP/1.1 502 Bad Gateway", await reader.ReadLineAsync());
        Assert.Equal(["GET /warm-up HTTP/1.1", "POST /like HTTP/1.1"], a.Seen);
    }

    [Theory]
    [InlineData("GET", null, false)]
    [InlineData("DELETE", null, false)]
    [InlineData("PUT", "text", false)]
    [InlineData("POST", "text", true)]
    public async Task A_repeatable_request_whose_app_dies_is_sent_to_the_new_primary(string method, string? body, bool key)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b", Echo("b"));
        await environment.SayAsync(Primary("a", 1, a.Address));
        a.Handler = async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            await a.KillAsync();
        };
        using var request = TestEnvironment.Request(new HttpMethod(method), "/x", body is null ? null : new StringContent(body));
        if (key)
        {
            request.Headers.Add("Idempotency-Key", "42");
        }

        var sent = environment.Client.SendAsync(request);
        await environment.HeldAsync(1);
        await environment.SayAsync(Primary("b", 2, b.Address));

        Assert.Equal("b " + body, await (await sent).Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("Content-Length: 9\r\n\r\nbegin", "Content-Length: 9\r\n\r\nbegin end")]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n4\r\n end\r\n0\r\n\r\n")]
    public async Task A_read_whose_app_dies_in_mid_answer_is_sent_again_while_the_client_has_seen_nothing(string broken, string whole)
    {
        await using var environment = await TestEnvironment.StartAsync();
        await using var a = new RawBackend((count, _) => ("HTTP/1.1 200 OK\r\n" + (count == 1 ? broken : whole), count == 1));
        await environment.SayAsync(Primary("a", 1, a.Address));

        Assert.Equal("begin end", await environment.GetAsync("/"));
        Assert.Equal(2, a.Seen.Count);
    }

    [Fact]
    public async Task An_answer_that_breaks_off_after_the_client_saw_its_beginning_is_broken_off_and_not_ended()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var seen = new TaskCompletionSource();
        var a = await environment.AppAsync("a", async context =>
        {
            await context.Response.WriteAsync("beginning");
            await context.Response.Body.FlushAsync();
            await seen.Task;
            context.Abort();
        });
        await environment.SayAsync(Primary("a", 1, a.Address));

        using var response = await environment.SendAsync(HttpMethod.Get, "/");
        var body = await response.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[9]);
        seen.SetResult();

        await Assert.ThrowsAnyAsync<IOException>(async () => await body.ReadExactlyAsync(new byte[1]));
        Assert.Single(a.Seen);
    }

    [Fact]
    public async Task A_request_that_kills_the_app_each_time_is_given_up()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        await environment.SayAsync(Primary("a", 1, a.Address));

        using var response = await environment.SendAsync(HttpMethod.Get, "/poison");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.InRange(a.Seen.Count, 2, 12);
    }

    [Fact]
    public async Task When_the_epoch_rises_a_read_at_a_hung_primary_moves_on_and_a_write_is_told_so()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted));
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address));
        var read = environment.GetAsync("/read");
        var write = environment.SendAsync(HttpMethod.Post, "/write", new StringContent("x"));
        await TestEnvironment.UntilAsync(() => a.Seen.Count == 2, "both hang");

        await environment.SayAsync(Primary("b", 2, b.Address));

        Assert.Equal("b /read", await read);
        using var told = await write;
        Assert.Equal(HttpStatusCode.BadGateway, told.StatusCode);
        Assert.NotNull(told.Headers.RetryAfter?.Delta);
        Assert.Equal(["GET /read"], b.Seen);
        await TestEnvironment.UntilAsync(() => a.Connections == 0, "no socket to the fenced primary is left");
    }

    [Fact]
    public async Task A_client_that_asks_before_it_uploads_is_told_to_go_on_when_the_app_wants_the_body()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", Echo("a"));
        using var request = TestEnvironment.Request(HttpMethod.Post, "/", new StringContent("upload"));
        request.Headers.ExpectContinue = true;

        var sent = environment.Client.SendAsync(request);
        await environment.HeldAsync(1);
        await environment.SayAsync(Primary("a", 1, a.Address));

        Assert.Equal("a upload", await (await sent).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_large_upload_is_streamed_and_arrives_whole()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", async context =>
        {
            context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = null;
            var hash = await System.Security.Cryptography.SHA256.HashDataAsync(context.Request.Body);
            await context.Response.WriteAsync(Convert.ToHexString(hash));
        });
        await environment.SayAsync(Primary("a", 1, a.Address));
        var bytes = new byte[40_000_000];
        new Random(1).NextBytes(bytes);

        using var response = await environment.SendAsync(HttpMethod.Put, "/file", new ByteArrayContent(bytes));

        Assert.Equal(Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(bytes)), await response.Content.ReadAsStringAsync());
    }

    private static RequestDelegate Echo(string name) => async context =>
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        await context.Response.WriteAsync($"{name} {await reader.ReadToEndAsync()}");
    };
}
