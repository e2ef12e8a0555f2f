using System.Net;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Routing;

public sealed class HostNames
{
    [Theory]
    [InlineData("wiki.example")]
    [InlineData("WIKI.Example")]
    [InlineData("wiki.example.")]
    [InlineData("wiki.example:8080")]
    public async Task A_sites_name_leads_to_it_however_it_is_written(string host)
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        Assert.Equal("a /", await environment.GetAsync("/", host));
    }

    [Fact]
    public async Task An_unknown_name_is_404_and_tells_nothing_of_the_sites()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a");
        await environment.SayAsync(Primary("a", 1, a.Address));

        using var response = await environment.SendAsync(HttpMethod.Get, "/", host: "other.example");

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.DoesNotContain("wiki", await response.Content.ReadAsStringAsync(), StringComparison.OrdinalIgnoreCase);
        Assert.Empty(a.Seen);
    }

    [Fact]
    public async Task A_star_takes_every_other_name_but_not_a_mirrors()
    {
        await using var environment = await TestEnvironment.StartAsync(hosts: ["*"]);
        var a = await environment.AppAsync("a");
        var b = await environment.AppAsync("b");
        await environment.SayAsync(Primary("a", 1, a.Address), Replica("b", 1, b.Address));

        Assert.Equal("a /", await environment.GetAsync("/", "anything.example"));
        Assert.Equal("b /", await environment.GetAsync("/", TestEnvironment.MirrorHost));
    }
}
