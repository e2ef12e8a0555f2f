using System.Net;
using Mirror.Leadership.Membership;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Routing;

public sealed class PrimaryRoutes
{
    [Fact]
    public async Task Requests_go_to_the_primary_of_the_highest_epoch()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");

        await environment.SayAsync(Primary("a", 1, a.Address));
        Assert.Equal("a /page?x=1", await environment.GetAsync("/page?x=1"));

        await environment.SayAsync(Replica("a", 2, a.Address), Primary("b", 2, b.Address));
        Assert.Equal("b /page", await environment.GetAsync("/page"));
    }

    [Fact]
    public async Task A_stale_primary_is_never_used_even_when_it_is_the_only_one()
    {
        await using var environment = await TestEnvironment.StartAsync(holdFor: TimeSpan.FromMilliseconds(200));
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address));
        await environment.SayAsync(Primary("a", 1, a.Address), Primary("b", 2, b.Address));
        Assert.Equal("b /", await environment.GetAsync("/"));

        environment.Catalogue.Forget("b");
        await b.KillAsync();
        await environment.AppliedAsync();
        using var response = await environment.SendAsync(HttpMethod.Get, "/");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Empty(a.Seen);
    }

    [Fact]
    public async Task The_highest_epoch_is_remembered_across_a_restart()
    {
        var state = Directory.CreateTempSubdirectory("mirror-proxy-");
        try
        {
            await using (var before = await TestEnvironment.StartAsync(state: state.FullName))
            {
                await before.SayAsync(Primary("b", 7, "http://127.0.0.1:1"));
            }

            await using var after = await TestEnvironment.StartAsync(holdFor: TimeSpan.FromMilliseconds(200), state: state.FullName);
            var a = await after.AppAsync("a");
            await after.SayAsync(Primary("a", 6, a.Address));
            using var response = await after.SendAsync(HttpMethod.Get, "/");

            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
            Assert.Empty(a.Seen);
        }
        finally
        {
            state.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_primary_that_falls_silent_in_the_catalogue_keeps_its_requests()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address), Replica("b", 1, null));

        environment.Catalogue.Forget("a");
        await environment.AppliedAsync();

        Assert.Equal("a /", await environment.GetAsync("/"));
    }

    [Fact]
    public async Task Two_claims_of_one_epoch_leave_the_known_primary_in_use()
    {
        await using var environment = await TestEnvironment.StartAsync();
        environment.ExpectError(6006);
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("b", 1, b.Address));

        await environment.SayAsync(Primary("a", 1, a.Address));

        Assert.Equal("b /", await environment.GetAsync("/"));
        Assert.Empty(a.Seen);
    }

    [Fact]
    public async Task A_fault_of_the_catalogue_does_not_freeze_the_routes()
    {
        await using var environment = await TestEnvironment.StartAsync();
        environment.ExpectError(6011);
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address));

        environment.Catalogue.FailOnce(new InvalidOperationException("garbled"));
        await environment.SayAsync(Primary("b", 2, b.Address));

        Assert.Equal("b /", await environment.GetAsync("/"));
    }

    [Theory]
    [InlineData(SiteRole.Fenced)]
    [InlineData(SiteRole.Joining)]
    [InlineData(SiteRole.Replica)]
    public async Task A_node_that_says_it_is_no_longer_primary_gets_nothing(SiteRole role)
    {
        await using var environment = await TestEnvironment.StartAsync(holdFor: TimeSpan.FromMilliseconds(100));
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));
        await environment.SayAsync(Primary("a", 1, a.Address, role));

        using var response = await environment.SendAsync(HttpMethod.Get, "/");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Empty(a.Seen);
    }
}
