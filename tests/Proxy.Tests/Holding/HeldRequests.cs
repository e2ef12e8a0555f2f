using System.Net;
using Microsoft.AspNetCore.Http;
using Mirror.Leadership.Membership;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Holding;

public sealed class HeldRequests
{
    [Fact]
    public async Task Requests_wait_for_a_primary_and_all_are_answered_by_it_once()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            await context.Response.WriteAsync("a got " + await reader.ReadToEndAsync());
        });

        var waiting = new List<Task<HttpResponseMessage>>();
        for (var i = 0; i < 20; i++)
        {
            waiting.Add(environment.SendAsync(HttpMethod.Post, $"/{i}", new StringContent($"body {i}")));
            await environment.HeldAsync(i + 1);
        }

        await environment.SayAsync(Primary("a", 1, a.Address));

        for (var i = 0; i < waiting.Count; i++)
        {
            using var response = await waiting[i];
            Assert.Equal($"a got body {i}", await response.Content.ReadAsStringAsync());
        }

        Assert.Equal(20, a.Seen.Distinct().Count());
        Assert.Equal(20, a.Seen.Count);
        Assert.Equal(0, (await environment.CountsAsync()).Held);
    }

    [Fact]
    public async Task Who_waits_too_long_gets_503_and_is_told_when_to_come_back()
    {
        await using var environment = await TestEnvironment.StartAsync(holdFor: TimeSpan.FromMilliseconds(150));

        using var response = await environment.SendAsync(HttpMethod.Post, "/", new StringContent("x"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter?.Delta);
        Assert.True(response.Headers.CacheControl?.NoStore);
        Assert.Equal(0, (await environment.CountsAsync()).Held);
    }

    [Theory]
    [InlineData("text/html,*/*;q=0.8", "text/html")]
    [InlineData("application/json", "application/problem+json")]
    [InlineData("*/*", "text/plain")]
    public async Task The_answer_comes_in_the_form_the_client_reads(string accept, string type)
    {
        await using var environment = await TestEnvironment.StartAsync(holdFor: TimeSpan.FromMilliseconds(50));
        using var request = TestEnvironment.Request(HttpMethod.Get, "/");
        request.Headers.Add("Accept", accept);

        using var response = await environment.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(type, response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Beyond_the_bound_a_request_is_refused_at_once_and_the_others_wait_on()
    {
        await using var environment = await TestEnvironment.StartAsync(holdRequests: 2);
        var a = await environment.AppAsync("a");
        var first = environment.GetAsync("/1");
        var second = environment.GetAsync("/2");
        await environment.HeldAsync(2);

        using var third = await environment.SendAsync(HttpMethod.Get, "/3");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, third.StatusCode);
        Assert.NotNull(third.Headers.RetryAfter?.Delta);

        await environment.SayAsync(Primary("a", 1, a.Address));
        Assert.Equal("a /1", await first);
        Assert.Equal("a /2", await second);
    }

    [Fact]
    public async Task Many_who_waited_all_reach_the_new_primary_though_none_has_an_answer_yet()
    {
        const int Many = 600;
        await using var environment = await TestEnvironment.StartAsync();
        var now = 0;
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var a = await environment.AppAsync("a", async context =>
        {
            Interlocked.Increment(ref now);
            await all.Task;
            await context.Response.WriteAsync("done");
        });
        var waiting = Enumerable.Range(0, Many).Select(_ => environment.GetAsync("/")).ToList();
        await environment.HeldAsync(Many);

        await environment.SayAsync(Primary("a", 1, a.Address));

        await TestEnvironment.UntilAsync(() => Volatile.Read(ref now) == Many, "all are at the app");
        all.SetResult();
        Assert.All(await Task.WhenAll(waiting), answer => Assert.Equal("done", answer));
    }

    [Fact]
    public async Task A_client_that_leaves_frees_its_place_and_is_never_sent()
    {
        await using var environment = await TestEnvironment.StartAsync(holdRequests: 1);
        var a = await environment.AppAsync("a");
        using var leaving = new CancellationTokenSource();
        var gone = environment.Client.SendAsync(TestEnvironment.Request(HttpMethod.Post, "/gone", new StringContent("x")), leaving.Token);
        await environment.HeldAsync(1);

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        await environment.HeldAsync(0);
        var staying = environment.GetAsync("/stays");
        await environment.HeldAsync(1);
        await environment.SayAsync(Primary("a", 1, a.Address));

        Assert.Equal("a /stays", await staying);
        Assert.Equal(["GET /stays"], a.Seen);
    }

    [Fact]
    public async Task A_primary_that_hands_over_gets_no_new_requests_and_its_successor_gets_the_held_ones()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address, SiteRole.HandingOver));

        var held = environment.GetAsync("/x");
        await environment.HeldAsync(1);
        await environment.SayAsync(Replica("a", 2, null), Primary("b", 2, b.Address));

        Assert.Equal("b /x", await held);
        Assert.Empty(a.Seen);
    }

    [Fact]
    public async Task A_primary_whose_app_still_starts_is_waited_for()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, null));

        var held = environment.GetAsync("/");
        await environment.HeldAsync(1);
        await environment.SayAsync(Primary("a", 1, a.Address));

        Assert.Equal("a /", await held);
    }

    [Fact]
    public async Task A_stopping_proxy_does_not_keep_its_held_requests_waiting()
    {
        var environment = await TestEnvironment.StartAsync();
        var held = environment.SendAsync(HttpMethod.Get, "/");
        await environment.HeldAsync(1);

        var start = TimeProvider.System.GetTimestamp();
        var stopping = environment.StopAsync();
        using var response = await held;
        await stopping;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.True(TimeProvider.System.GetElapsedTime(start) < TestEnvironment.Patience / 2);
        await environment.DisposeAsync();
    }
}
