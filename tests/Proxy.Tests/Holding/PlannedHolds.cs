using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Mirror.Node.Wire;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Holding;

public sealed class PlannedHolds
{
    [Fact]
    public async Task A_switchover_drains_holds_and_releases_to_the_successor()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var entered = new TaskCompletionSource();
        var finish = new TaskCompletionSource();
        var a = await environment.AppAsync("a", async context =>
        {
            entered.TrySetResult();
            await finish.Task;
            await context.Response.WriteAsync("a " + context.Request.Path);
        });
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address));
        var before = environment.SendAsync(HttpMethod.Post, "/before", new StringContent("x"));
        await entered.Task;

        var hold = environment.HoldAsync(1);
        await TestEnvironment.UntilAsync(async () => (await environment.CountsAsync()).HoldingBecause is not null, "the hold is on");
        var during = environment.SendAsync(HttpMethod.Post, "/during", new StringContent("x"));
        await environment.HeldAsync(1);
        Assert.False(hold.IsCompleted);

        finish.SetResult();
        var report = await hold;
        Assert.True(report.Drained);
        Assert.Equal(0u, report.InFlight);
        Assert.Equal(1u, report.Held);
        Assert.Equal("a /before", await (await before).Content.ReadAsStringAsync());

        await environment.SayAsync(Replica("a", 2, null), Primary("b", 2, b.Address));
        Assert.Equal("b /during", await (await during).Content.ReadAsStringAsync());
        Assert.Equal(["POST /before"], a.Seen);
        Assert.Equal(["POST /during"], b.Seen);
    }

    [Fact]
    public async Task A_write_that_does_not_end_is_reported_after_the_drain_time()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var finish = new TaskCompletionSource();
        var a = await environment.AppAsync("a", _ => finish.Task);
        await environment.SayAsync(Primary("a", 1, a.Address));
        var write = environment.SendAsync(HttpMethod.Post, "/", new StringContent("x"));
        await environment.InFlightAsync(1);

        var report = await environment.HoldAsync(1, drain: 50);

        Assert.False(report.Drained);
        Assert.Equal(1u, report.InFlight);
        finish.SetResult();
        (await write).Dispose();
    }

    [Fact]
    public async Task A_released_hold_lets_requests_go_on_to_the_same_primary()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));
        await environment.HoldAsync(1);
        var held = environment.GetAsync("/");
        await environment.HeldAsync(1);

        var reply = await environment.ReleaseAsync(1);

        Assert.Equal(1u, reply.Released);
        Assert.Equal("a /", await held);
    }

    [Fact]
    public async Task A_hold_ends_by_itself_at_its_deadline()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        await environment.HoldAsync(1, deadline: 2_000);
        Assert.NotNull((await environment.CountsAsync()).HoldingBecause);

        Assert.Equal("a /", await environment.GetAsync("/"));
    }

    [Fact]
    public async Task A_hold_by_an_outdated_primary_is_refused_and_changes_nothing()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("b", 2, b.Address));

        var hold = await Assert.ThrowsAsync<RpcException>(() => environment.HoldAsync(1));
        var release = await Assert.ThrowsAsync<RpcException>(
            () => environment.ReleaseAsync(1));

        Assert.Equal(StatusCode.FailedPrecondition, hold.StatusCode);
        Assert.Equal(StatusCode.FailedPrecondition, release.StatusCode);
        Assert.Equal("b /", await environment.GetAsync("/"));
    }

    [Fact]
    public async Task A_hold_for_an_unknown_site_or_of_no_length_is_refused()
    {
        await using var environment = await TestEnvironment.StartAsync();

        var unknown = await Assert.ThrowsAsync<RpcException>(
            async () => await environment.RoutingAs("a").HoldAsync(new HoldRequest { Site = "shop", Epoch = 1, DeadlineMs = 100 }));
        var endless = await Assert.ThrowsAsync<RpcException>(() => environment.HoldAsync(1, deadline: 0));

        Assert.Equal(StatusCode.NotFound, unknown.StatusCode);
        Assert.Equal(StatusCode.InvalidArgument, endless.StatusCode);
    }

    [Fact]
    public async Task Only_nodes_of_the_site_may_ask_for_a_hold()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        foreach (var other in new[] { "stranger", "front" })
        {
            var refusal = await Assert.ThrowsAsync<RpcException>(() => environment.HoldAsync(1, node: other));
            Assert.Equal(StatusCode.PermissionDenied, refusal.StatusCode);
        }

        Assert.Equal("a /", await environment.GetAsync("/"));
    }

    [Fact]
    public async Task A_hold_ahead_of_the_catalogue_stands_and_an_older_primary_cannot_lift_it()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        await environment.HoldAsync(2, node: "b");
        var older = await Assert.ThrowsAsync<RpcException>(() => environment.ReleaseAsync(1));

        Assert.Equal(StatusCode.FailedPrecondition, older.StatusCode);
        Assert.NotNull((await environment.CountsAsync()).HoldingBecause);
        await environment.ReleaseAsync(2);
        Assert.Equal("a /", await environment.GetAsync("/"));
    }
}
