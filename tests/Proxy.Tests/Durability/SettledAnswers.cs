using System.Net;
using Microsoft.AspNetCore.Http;
using Mirror.Node.Configuration;
using Mirror.Node.Wire;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Durability;

/// <summary>With <c>durability: quorum</c> nobody is told that a change was made before others have it.</summary>
public sealed class SettledAnswers
{
    private static readonly DurabilityConfig quorum = new(true, TimeSpan.FromMinutes(1), ["/"]);

    [Fact]
    public async Task The_answer_to_a_change_goes_out_when_others_have_what_was_done_and_says_what_the_app_said()
    {
        var asked = new TaskCompletionSource<SettleRequest>();
        var settled = new TaskCompletionSource<bool>();
        await using var node = await SettlingNode.StartAsync("a", (request, _) =>
        {
            asked.SetResult(request);
            return settled.Task;
        });
        await using var environment = await TestEnvironment.StartAsync(durability: quorum, nodes: node);
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 3, a.Address));

        var write = environment.SendAsync(HttpMethod.Post, "/page", new StringContent("x"));
        var request = await asked.Task;
        Assert.Equal(("wiki", 3ul), (request.Site, request.Epoch));
        Assert.InRange(request.WithinMs, 1u, 60_000u);
        Assert.Equal(["POST /page"], a.Seen);
        Assert.Equal("a /read", await environment.GetAsync("/read"));
        Assert.False(write.IsCompleted);

        settled.SetResult(true);
        using var answer = await write;
        Assert.Equal((HttpStatusCode.OK, "a /page"), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task What_others_do_not_have_in_time_is_not_acknowledged_and_not_done_twice()
    {
        await using var node = await SettlingNode.StartAsync("a", (_, _) => Task.FromResult(false));
        await using var environment = await TestEnvironment.StartAsync(durability: quorum, nodes: node);
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        foreach (var method in new[] { HttpMethod.Post, HttpMethod.Put })
        {
            using var answer = await environment.SendAsync(method, "/page", new StringContent("x"));
            Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
            Assert.Contains("It was made", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Equal(["POST /page", "PUT /page"], a.Seen);
    }

    [Fact]
    public async Task When_the_reign_ends_meanwhile_a_PUT_goes_to_the_next_primary_and_the_outcome_of_a_POST_is_open()
    {
        var asked = 0;
        await using var lost = await SettlingNode.StartAsync("a", async (_, gone) =>
        {
            Interlocked.Increment(ref asked);
            await Task.Delay(Timeout.InfiniteTimeSpan, gone);
            return true;
        });
        await using var next = await SettlingNode.StartAsync("b", (_, _) => Task.FromResult(true));
        await using var environment = await TestEnvironment.StartAsync(durability: quorum, nodes: [lost, next]);
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address));

        var post = environment.SendAsync(HttpMethod.Post, "/page", new StringContent("x"));
        var put = environment.SendAsync(HttpMethod.Put, "/page", new StringContent("x"));
        await TestEnvironment.UntilAsync(() => Volatile.Read(ref asked) == 2, "both wait");
        await environment.SayAsync(Replica("a", 2, null), Primary("b", 2, b.Address));

        using var open = await post;
        Assert.Equal(HttpStatusCode.BadGateway, open.StatusCode);
        using var done = await put;
        Assert.Equal("b /page", await done.Content.ReadAsStringAsync());
        Assert.Equal(["PUT /page"], b.Seen);
    }

    [Fact]
    public async Task A_node_that_cannot_be_reached_is_asked_again_while_its_app_answers_and_nobody_is_told_yes()
    {
        var node = await SettlingNode.StartAsync("a", (_, _) => Task.FromResult(true));
        await using var environment = await TestEnvironment.StartAsync(durability: quorum with { Within = TimeSpan.FromMilliseconds(300) }, nodes: node);
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));
        await node.DisposeAsync();

        using var answer = await environment.SendAsync(HttpMethod.Post, "/page", new StringContent("x"));
        Assert.Equal(HttpStatusCode.GatewayTimeout, answer.StatusCode);
    }

    [Theory]
    [InlineData("GET", "/safe/page", 200)]
    [InlineData("POST", "/other", 200)]
    [InlineData("POST", "/safe/page", 403)]
    public async Task What_changes_nothing_or_need_not_last_waits_for_nothing(string method, string path, int status)
    {
        await using var node = await SettlingNode.StartAsync("a", (_, _) => throw new InvalidOperationException("nobody should ask"));
        await using var environment = await TestEnvironment.StartAsync(durability: quorum with { Paths = ["/safe/"] }, nodes: node);
        var a = await environment.AppAsync("a", context =>
        {
            context.Response.StatusCode = status;
            return context.Response.WriteAsync("done");
        });
        await environment.SayAsync(Primary("a", 1, a.Address));

        using var answer = await environment.SendAsync(new HttpMethod(method), path, method == "GET" ? null : new StringContent("x"));
        Assert.Equal(((HttpStatusCode)status, "done"), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
    }
}
