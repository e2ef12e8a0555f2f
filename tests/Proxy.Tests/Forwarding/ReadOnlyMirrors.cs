using System.Net;
using Microsoft.AspNetCore.Http;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Forwarding;

public sealed class ReadOnlyMirrors
{
    private const string Mirror = TestEnvironment.MirrorHost;

    [Fact]
    public async Task A_read_is_answered_by_a_replica_with_its_version_and_lag()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 3, a.Address, newest: 110), Replica("b", 3, b.Address, sequence: 127, newest: 100));

        using var response = await environment.SendAsync(HttpMethod.Get, "/page", host: Mirror);

        Assert.Equal("b /page", await response.Content.ReadAsStringAsync());
        Assert.Equal("3.127", Assert.Single(response.Headers.GetValues("Mirror-Version")));
        Assert.Equal("10", Assert.Single(response.Headers.GetValues("Mirror-Lag")));
        Assert.Equal(TimeSpan.FromSeconds(10), response.Headers.Age);
        Assert.Equal("replica", Assert.Single(response.Headers.GetValues("Mirror-Source")));
        Assert.Empty(a.Seen);
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("PROPFIND")]
    public async Task Anything_but_a_read_is_sent_on_to_the_site(string method)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address), Replica("b", 1, b.Address));

        using var response = await environment.SendAsync(new HttpMethod(method), "/edit?page=1", new StringContent("x"), Mirror);

        Assert.Equal(HttpStatusCode.TemporaryRedirect, response.StatusCode);
        Assert.Equal("http://wiki.example/edit?page=1", response.Headers.Location?.ToString());
        Assert.Contains("http://wiki.example/edit?page=1", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(a.Seen);
        Assert.Empty(b.Seen);
    }

    [Fact]
    public async Task Where_the_site_has_no_name_a_write_is_refused_clearly()
    {
        await using var environment = await TestEnvironment.StartAsync(hosts: ["*"]);
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Replica("b", 1, b.Address));

        using var response = await environment.SendAsync(HttpMethod.Put, "/edit", new StringContent("x"), Mirror);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(["GET", "HEAD", "OPTIONS"], response.Content.Headers.Allow);
        Assert.Contains("read-only mirror", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(b.Seen);
    }

    [Fact]
    public async Task A_web_socket_is_refused_because_it_could_carry_writes()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Replica("b", 1, b.Address));
        using var request = TestEnvironment.Request(HttpMethod.Get, "/socket", host: Mirror);
        request.Headers.Connection.Add("Upgrade");
        request.Headers.Upgrade.ParseAdd("websocket");

        using var response = await environment.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Empty(b.Seen);
    }

    [Fact]
    public async Task Equally_fresh_replicas_take_turns_and_a_staler_one_waits_for_need()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var b = await environment.AppAsync("b");
        var c = await environment.AppAsync("c");
        var d = await environment.AppAsync("d");
        await environment.SayAsync(
            Replica("b", 1, b.Address, sequence: 5), Replica("c", 1, c.Address, sequence: 5), Replica("d", 1, d.Address, sequence: 4));

        for (var i = 0; i < 10; i++)
        {
            await environment.GetAsync("/", Mirror);
        }

        Assert.Equal((5, 5, 0), (b.Seen.Count, c.Seen.Count, d.Seen.Count));
        await b.KillAsync();
        await c.KillAsync();
        Assert.Equal("d /", await environment.GetAsync("/", Mirror));
    }

    [Fact]
    public async Task With_no_replica_left_the_primary_answers_and_says_so()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address), Replica("b", 1, b.Address));
        await b.KillAsync();

        using var response = await environment.SendAsync(HttpMethod.Get, "/", host: Mirror);

        Assert.Equal("a /", await response.Content.ReadAsStringAsync());
        Assert.Equal("primary", Assert.Single(response.Headers.GetValues("Mirror-Source")));
        Assert.False(response.Headers.Contains("Mirror-Version"));
    }

    [Fact]
    public async Task Readers_notice_nothing_of_flips_that_move_the_replicas_app()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var slot = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address), Replica("b", 1, slot.Address));
        using var enough = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 4).Select(async _ =>
        {
            var count = 0;
            while (!enough.IsCancellationRequested)
            {
                await environment.GetAsync("/", Mirror);
                count++;
            }

            return count;
        }).ToList();

        for (var flip = 0ul; flip < 8; flip++)
        {
            var next = await environment.AppAsync("b");
            await environment.SayAsync(Replica("b", 1, next.Address, sequence: 10 + flip));
            await slot.KillAsync();
            slot = next;
        }

        await enough.CancelAsync();
        Assert.All(await Task.WhenAll(readers), count => Assert.True(count > 0));
    }

    [Fact]
    public async Task A_replica_that_lags_more_than_the_site_allows_does_not_answer()
    {
        await using var environment = await TestEnvironment.StartAsync(mirrorLag: TimeSpan.FromSeconds(5));
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        var c = await environment.AppAsync("c");
        await environment.SayAsync(Primary("a", 1, a.Address, newest: 110), Replica("b", 1, b.Address, sequence: 8, newest: 106), Replica("c", 1, c.Address, sequence: 9, newest: 104));

        Assert.Equal("b /", await environment.GetAsync("/", Mirror));

        await environment.SayAsync(Primary("a", 1, a.Address, newest: 120));
        Assert.Equal("a /", await environment.GetAsync("/", Mirror));
        Assert.Empty(c.Seen);
    }

    [Fact]
    public async Task Of_equally_fresh_replicas_the_idlest_answers()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task HandleAsync(HttpContext context) => context.Request.Path == "/slow" ? enough.Task : context.Response.WriteAsync("quick");
        var b = await environment.AppAsync("b", HandleAsync);
        var c = await environment.AppAsync("c", HandleAsync);
        await environment.SayAsync(Replica("b", 1, b.Address), Replica("c", 1, c.Address));
        var slow = environment.GetAsync("/slow", Mirror);
        await TestEnvironment.UntilAsync(() => b.Seen.Count + c.Seen.Count == 1, "one of them is busy");

        for (var i = 0; i < 10; i++)
        {
            await environment.GetAsync("/quick", Mirror);
        }

        enough.SetResult();
        await slow;
        Assert.Equal([1, 10], new[] { b.Seen.Count, c.Seen.Count }.Order());
    }

    [Fact]
    public async Task Who_wrote_is_answered_by_a_replica_only_when_it_has_what_he_wrote()
    {
        await using var environment = await TestEnvironment.StartAsync(hosts: ["example"]);
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address), Replica("b", 1, b.Address));
        using var written = await environment.SendAsync(HttpMethod.Post, "/edit", new StringContent("x"), "example");
        var cookie = Assert.Single(written.Headers.GetValues("Set-Cookie"));
        Assert.EndsWith("; Domain=example", cookie, StringComparison.Ordinal);

        Assert.Equal("a /page", await ReadAsync(environment, cookie));
        Assert.Equal("b /page", await environment.GetAsync("/page", Mirror));

        // A version of a later time comes while the reader waits.
        var reading = ReadAsync(environment, cookie);
        await environment.SayAsync(Replica("b", 1, b.Address, sequence: 10, newest: (int)TimeProvider.System.GetUtcNow().AddSeconds(5).ToUnixTimeSeconds()));
        Assert.Equal("b /page", await reading);
    }

    [Fact]
    public async Task A_write_that_is_sent_on_leaves_its_mark_at_the_mirror()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address), Replica("b", 1, b.Address));
        using var sentOn = await environment.SendAsync(HttpMethod.Post, "/edit", new StringContent("x"), Mirror);

        Assert.Equal("a /page", await ReadAsync(environment, Assert.Single(sentOn.Headers.GetValues("Set-Cookie"))));
    }

    [Theory]
    [InlineData("mirror-written=99999999999999")]
    [InlineData("mirror-written=-1")]
    [InlineData("mirror-written=soon")]
    [InlineData("mirror-written=1000")]
    public async Task A_mark_that_was_made_up_means_nothing(string cookie)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address), Replica("b", 1, b.Address));

        Assert.Equal("b /page", await ReadAsync(environment, cookie));
    }

    private static async Task<string> ReadAsync(TestEnvironment environment, string cookie)
    {
        using var request = TestEnvironment.Request(HttpMethod.Get, "/page", host: Mirror);
        request.Headers.Add("Cookie", cookie.Split(';')[0]);
        using var response = await environment.Client.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }
}
