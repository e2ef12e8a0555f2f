using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Mirror.Node.Configuration;
using Mirror.Proxy.Listening;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Listening;

/// <summary>Clients and apps that behave badly, on purpose or not: each is bounded, and nobody else notices.</summary>
public sealed class BadInput
{
    private const string Host = TestEnvironment.Host;

    [Theory]
    [InlineData("GARBAGE\r\n\r\n", "400")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "400")]
    [InlineData("GET / HTTP/1.1\r\nHost: wiki.example\r\nHost: evil.example\r\n\r\n", "400")]
    [InlineData("GET / HTTP/1.1\r\nHost: wiki.example\r\nBad Header: x\r\n\r\n", "400")]
    [InlineData("GET / HTTP/1.1\r\nHost : wiki.example\r\n\r\n", "400")]
    [InlineData("GET /a\0b HTTP/1.1\r\nHost: wiki.example\r\n\r\n", "400")]
    [InlineData("GET /a%00b HTTP/1.1\r\nHost: wiki.example\r\n\r\n", "400")]
    [InlineData("GET http://evil.example/ HTTP/1.1\r\nHost: wiki.example\r\n\r\n", "400")]
    [InlineData("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", "405")]
    [InlineData("TRACE / HTTP/1.1\r\nHost: wiki.example\r\nConnection: close\r\n\r\n", "405")]
    [InlineData("POST / HTTP/1.1\r\nHost: wiki.example\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", "400")]
    [InlineData("POST / HTTP/1.1\r\nHost: wiki.example\r\nContent-Length: -3\r\n\r\n", "400")]
    [InlineData("POST / HTTP/1.1\r\nHost: wiki.example\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", "400")]
    public async Task What_is_ambiguous_or_no_http_is_refused_and_reaches_no_app(string request, string status)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        var answer = await RawClient.AskAsync(environment.Address, request);

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Empty(a.Seen);
        Assert.Equal("a /", await environment.GetAsync("/"));
    }

    [Fact]
    public async Task Of_a_length_and_chunks_only_the_chunks_count_and_what_follows_is_no_second_request()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", async context =>
        {
            using var body = new StreamReader(context.Request.Body);
            await context.Response.WriteAsync($"[{await body.ReadToEndAsync()}] {context.Request.Headers.ContentLength}");
        });
        await environment.SayAsync(Primary("a", 1, a.Address));

        var answer = await RawClient.AskAsync(
            environment.Address, $"POST /first HTTP/1.1\r\nHost: {Host}\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: {Host}\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Contains("[] ", answer, StringComparison.Ordinal);
        Assert.Equal(["POST /first"], a.Seen);
    }

    [Theory]
    [InlineData("/a/../.mirror/healthz", null)]
    [InlineData("/a/%2e%2e/.mirror/healthz", null)]
    [InlineData("/.mirror/../a", "/.mirror/../a")]
    [InlineData("/..%2f..%2fetc/passwd", "/..%2f..%2fetc/passwd")]
    [InlineData("//double//slash", "//double//slash")]
    [InlineData("/a;b=c?x=/../y", "/a;b=c?x=/../y")]
    public async Task A_path_is_judged_as_it_is_meant_and_handed_on_as_it_is_written(string target, string? toApp)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var raw = "";
        var a = await environment.AppAsync("a", context =>
        {
            raw = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
            return context.Response.WriteAsync("app");
        });
        await environment.SayAsync(Primary("a", 1, a.Address));

        var answer = await RawClient.AskAsync(environment.Address, $"GET {target} HTTP/1.1\r\nHost: {Host}\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Equal(toApp ?? "", raw);
        Assert.Equal(toApp is null ? 0 : 1, a.Seen.Count);
    }

    [Theory]
    [InlineData(101, 10, "431")]
    [InlineData(10, 10_000, "431")]
    [InlineData(1, 40_000, "431")]
    public async Task A_bomb_of_headers_is_refused(int count, int length, string status)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var headers = string.Concat(Enumerable.Range(0, count).Select(i => $"X-{i}: {new string('x', length)}\r\n"));

        var answer = await RawClient.AskAsync(environment.Address, $"GET / HTTP/1.1\r\nHost: {Host}\r\n{headers}\r\n");

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_target_that_never_ends_is_refused()
    {
        await using var environment = await TestEnvironment.StartAsync();

        var answer = await RawClient.AskAsync(environment.Address, $"GET /{new string('a', 9000)} HTTP/1.1\r\nHost: {Host}\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 414 ", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_that_trickle_in_are_not_waited_for()
    {
        await using var environment = await TestEnvironment.StartAsync(limits: limits =>
        {
            Assert.InRange(limits.RequestHeadersTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));
            limits.RequestHeadersTimeout = TimeSpan.FromMilliseconds(300);
        });
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));
        var slow = Enumerable.Range(0, 50).Select(_ => new RawClient(environment.Address)).ToList();
        foreach (var client in slow)
        {
            await client.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\nX-A: ");
        }

        Assert.Equal("a /", await environment.GetAsync("/"));
        Assert.All(await Task.WhenAll(slow.Select(client => client.ReadToEndAsync())), answer => Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal));
        Assert.Equal(["GET /"], a.Seen);
        Assert.Equal(50, environment.Service<BadRequests>().Count);
        Assert.NotEmpty(environment.Service<BadRequests>().Last);
        slow.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task A_body_that_stops_coming_is_not_waited_for()
    {
        await using var environment = await TestEnvironment.StartAsync(limits: limits =>
        {
            Assert.NotNull(limits.MinRequestBodyDataRate);
            limits.MinRequestBodyDataRate = new MinDataRate(10_000, TimeSpan.FromMilliseconds(1100));
        });
        var aborted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var a = await environment.AppAsync("a", async context =>
        {
            try
            {
                await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
            }
            catch (Exception exception) when (exception is IOException or OperationCanceledException or Microsoft.AspNetCore.Http.BadHttpRequestException)
            {
                aborted.SetResult();
            }
        });
        await environment.SayAsync(Primary("a", 1, a.Address));

        var answer = await RawClient.AskAsync(environment.Address, $"POST / HTTP/1.1\r\nHost: {Host}\r\nContent-Length: 100000\r\n\r\nonly this");

        Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal);
        await aborted.Task.WaitAsync(TestEnvironment.Patience);
    }

    [Fact]
    public async Task A_reader_that_stops_reading_is_cut_and_so_is_what_the_app_does_for_it()
    {
        await using var environment = await TestEnvironment.StartAsync(limits: limits =>
        {
            Assert.NotNull(limits.MinResponseDataRate);
            limits.MinResponseDataRate = new MinDataRate(100_000_000, TimeSpan.FromMilliseconds(1100));
        });
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var a = await environment.AppAsync("a", async context =>
        {
            using var _ = context.RequestAborted.Register(over.SetResult);
            var much = new byte[100_000];
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.Body.WriteAsync(much, context.RequestAborted);
            }
        });
        await environment.SayAsync(Primary("a", 1, a.Address));
        using var client = new RawClient(environment.Address);

        await client.SendAsync($"GET / HTTP/1.1\r\nHost: {Host}\r\n\r\n");

        await over.Task.WaitAsync(TestEnvironment.Patience);
        await environment.InFlightAsync(0);
    }

    [Theory]
    [InlineData("garbage\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n")]
    public async Task An_app_that_answers_garbage_costs_its_requests_and_no_others(string garbage)
    {
        await using var environment = await TestEnvironment.StartAsync();
        await using var a = new RawBackend((_, line) => line.Contains("/good", StringComparison.Ordinal) ? ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood", false) : (garbage, true));
        await environment.SayAsync(Primary("a", 1, a.Address));

        using var read = await environment.SendAsync(HttpMethod.Get, "/bad");
        using var write = await environment.SendAsync(HttpMethod.Post, "/bad");

        Assert.Equal(HttpStatusCode.BadGateway, read.StatusCode);
        Assert.Equal(HttpStatusCode.BadGateway, write.StatusCode);
        Assert.NotNull(read.Headers.RetryAfter);
        Assert.Equal("good", await environment.GetAsync("/good"));
        Assert.Single(a.Seen, line => line.StartsWith("POST", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Headers_of_an_app_that_never_end_are_cut()
    {
        await using var environment = await TestEnvironment.StartAsync();
        await using var a = new RawBackend((_, _) => ("HTTP/1.1 200 OK\r\n" + string.Concat(Enumerable.Range(0, 5000).Select(i => $"X-{i}: {new string('y', 100)}\r\n")), false));
        await environment.SayAsync(Primary("a", 1, a.Address));

        using var response = await environment.SendAsync(HttpMethod.Post, "/");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
    }

    [Fact]
    public async Task An_app_that_hangs_is_given_up_after_its_time_and_the_reader_is_told()
    {
        await using var environment = await TestEnvironment.StartAsync(front: new FrontConfig { AnswerWithin = TimeSpan.FromMilliseconds(300) });
        var a = await environment.AppAsync("a", context =>
            context.Request.Path == "/hang" ? Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted) : context.Response.WriteAsync("fine"));
        await environment.SayAsync(Primary("a", 1, a.Address));

        var hanging = environment.SendAsync(HttpMethod.Get, "/hang");
        Assert.Equal("fine", await environment.GetAsync("/"));
        using var response = await hanging;

        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Equal(0, (await environment.CountsAsync()).InFlight);
    }
}
