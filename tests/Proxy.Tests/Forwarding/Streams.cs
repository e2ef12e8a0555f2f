using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Forwarding;

public sealed class Streams
{
    [Fact]
    public async Task A_web_socket_passes_both_ways_and_is_closed_when_its_primary_is_outranked()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", EchoSocketAsync);
        var b = await environment.AppAsync("b", EchoSocketAsync);
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var socket = await ConnectAsync(environment);

        Assert.Equal("hello", await EchoAsync(socket, "hello"));
        Assert.Equal(1, (await environment.CountsAsync()).Tunnels);
        await environment.SayAsync(Primary("b", 2, b.Address));

        await Assert.ThrowsAsync<WebSocketException>(() => EchoAsync(socket, "anyone there?"));
        using var again = await ConnectAsync(environment);
        Assert.Equal("hello b", await EchoAsync(again, "hello b"));
        Assert.Single(b.Seen);
    }

    [Fact]
    public async Task A_planned_hold_closes_web_sockets_because_they_could_carry_writes()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", EchoSocketAsync);
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var socket = await ConnectAsync(environment);
        Assert.Equal("hello", await EchoAsync(socket, "hello"));

        var report = await environment.HoldAsync(1);

        Assert.True(report.Drained);
        Assert.Equal(0u, report.InFlight);
        await Assert.ThrowsAsync<WebSocketException>(() => EchoAsync(socket, "anyone there?"));
    }

    [Theory]
    [InlineData("text/event-stream")]
    [InlineData("application/octet-stream")]
    public async Task A_stream_arrives_as_it_is_written(string type)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var next = new SemaphoreSlim(0);
        var a = await environment.AppAsync("a", async context =>
        {
            context.Response.ContentType = type;
            for (var i = 0; i < 3; i++)
            {
                await context.Response.WriteAsync($"data: {i}\n\n");
                await context.Response.Body.FlushAsync();
                await next.WaitAsync();
            }
        });
        await environment.SayAsync(Primary("a", 1, a.Address));

        using var response = await environment.SendAsync(HttpMethod.Get, "/events");
        var body = await response.Content.ReadAsStreamAsync();
        for (var i = 0; i < 3; i++)
        {
            // Each part is read while the app waits for its turn to write the next one.
            var part = new byte[9];
            await body.ReadExactlyAsync(part).AsTask().WaitAsync(TestEnvironment.Patience);
            Assert.Equal($"data: {i}\n\n", Encoding.ASCII.GetString(part));
            next.Release();
        }

        Assert.Equal(0, await body.ReadAsync(new byte[1]));
    }

    [Fact]
    public async Task A_stream_of_events_breaks_off_when_its_primary_is_outranked()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 0\n\n");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        });
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var response = await environment.SendAsync(HttpMethod.Get, "/events");
        var body = await response.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[9]);

        await environment.SayAsync(Primary("b", 2, b.Address));

        await Assert.ThrowsAnyAsync<IOException>(() => body.ReadAsync(new byte[1]).AsTask().WaitAsync(TestEnvironment.Patience));
        Assert.Equal("b /events", await environment.GetAsync("/events"));
    }

    [Fact]
    public async Task A_body_of_unknown_length_passes_in_chunks()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", async context =>
        {
            using var body = new StreamReader(context.Request.Body);
            await context.Response.WriteAsync($"{context.Request.ContentLength?.ToString(CultureInfo.InvariantCulture) ?? "no length"}: {await body.ReadToEndAsync()}");
        });
        await environment.SayAsync(Primary("a", 7, a.Address));
        using var request = TestEnvironment.Request(HttpMethod.Post, "/");
        request.Content = new StringContent("in chunks");
        request.Headers.TransferEncodingChunked = true;

        using var response = await environment.Client.SendAsync(request);

        Assert.Equal("no length: in chunks", await response.Content.ReadAsStringAsync());
        Assert.Equal("7", response.Headers.GetValues("Mirror-Epoch").Single());
    }

    [Fact]
    public async Task Host_and_path_arrive_as_written_and_forwarded_headers_cannot_be_forged()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", context => context.Response.WriteAsync(string.Join('|',
            context.Request.Host.Value,
            context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget,
            context.Request.Headers["X-Forwarded-For"],
            context.Request.Headers["X-Forwarded-Proto"],
            context.Request.Headers["X-Forwarded-Host"],
            context.Request.Headers["Forwarded"])));
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var request = TestEnvironment.Request(HttpMethod.Get, "/a%2Fb/%C3%A9?q=%20");
        request.Headers.Add("X-Forwarded-For", "6.6.6.6");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("X-Forwarded-Host", "evil.example");
        request.Headers.Add("Forwarded", "for=6.6.6.6");

        using var response = await environment.Client.SendAsync(request);

        Assert.Equal("wiki.example|/a%2Fb/%C3%A9?q=%20|127.0.0.1|http|wiki.example|", await response.Content.ReadAsStringAsync());
    }

    private static async Task EchoSocketAsync(HttpContext context)
    {
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        var buffer = new byte[1024];
        while (true)
        {
            var received = await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted);
            if (received.MessageType == WebSocketMessageType.Close)
            {
                return;
            }

            await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, context.RequestAborted);
        }
    }

    private static async Task<ClientWebSocket> ConnectAsync(TestEnvironment environment)
    {
        var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Host", TestEnvironment.Host);
        await socket.ConnectAsync(new UriBuilder(environment.Address) { Scheme = "ws" }.Uri, CancellationToken.None);
        return socket;
    }

    private static async Task<string> EchoAsync(ClientWebSocket socket, string text)
    {
        using var late = new CancellationTokenSource(TestEnvironment.Patience, TimeProvider.System);
        await socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, late.Token);
        var buffer = new byte[1024];
        var received = await socket.ReceiveAsync(buffer, late.Token);
        return Encoding.UTF8.GetString(buffer, 0, received.Count);
    }
}
