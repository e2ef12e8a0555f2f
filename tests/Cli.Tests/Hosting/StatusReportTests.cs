using System.Text.Json;
using Mirror.Cli.Hosting;
using Mirror.Cli.Output;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using static Mirror.Cli.Tests.Hosting.Snapshots;

namespace Mirror.Cli.Tests.Hosting;

public sealed class StatusReportTests
{
    [Fact]
    public void Who_is_primary_what_each_holds_how_far_behind_and_which_version_is_safe()
    {
        var snapshot = Of(
            ["gamma"], Holding("alpha", SiteRole.Primary, 1, 9), Holding("beta", SiteRole.Replica, 1, 8, secondsBeforeNoon: 3),
            Holding("gamma", SiteRole.Replica, 1, 5, app: null, secondsBeforeNoon: 60));

        var status = StatusReport.Of(Config(Site()), "beta", snapshot, Noon);

        Assert.Equal(("home", "beta"), (status.Cluster, status.AnsweredBy));
        Assert.Equal(["up", "up", "up, unreachable"], status.Members.Select(member => member.State));
        var site = Assert.Single(status.Sites);
        Assert.Equal(("alpha", 1ul, "1.9", "alpha says so"), (site.Primary, site.Epoch, VersionText.Name(site.Newest), site.Sentence));
        Assert.Equal("1.8", VersionText.Name(site.Consistent));
        Assert.Equal([0, 3, 60], site.Holdings.Select(holding => holding.LagSeconds));
        Assert.Equal(["primary", "replica", "replica"], site.Holdings.Select(holding => holding.Role));
        Assert.Equal([true, true, false], site.Holdings.Select(holding => holding.Reachable));
        Assert.Equal("", site.Holdings[2].AppAddress);
    }

    [Fact]
    public void What_another_members_configuration_says_otherwise_stands_with_that_member()
    {
        var differing = new Dictionary<string, IReadOnlyList<ConfigDifference>> { ["gamma"] = [new("cluster.lease", "4s", "5s")], ["delta"] = [new("nodes.delta", null, "10.0.0.4, ports 7000 and 7001")] };

        var status = StatusReport.Of(Config(Site()), "beta", Of([]), Noon, differing);

        Assert.Equal(["beta says cluster.lease = 4s, gamma says 5s"], status.Members.Single(member => member.Name == "gamma").Differs);
        Assert.Equal("not in this configuration", status.Members.Single(member => member.Name == "delta").State);
        Assert.Empty(status.Members.Where(member => member.Name == "alpha").SelectMany(member => member.Differs));
        using var text = new StringWriter();
        StatusText.Write(status, text);
        Assert.Contains("Configurations differ: beta says cluster.lease = 4s, gamma says 5s", text.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_site_nobody_reported_on_is_shown_as_such_and_not_left_out()
    {
        var status = StatusReport.Of(Config(Site()), "alpha", Of([]), Noon);

        var site = Assert.Single(status.Sites);
        Assert.Equal(("", "-", "no node of this site has reported yet"), (site.Primary, VersionText.Name(site.Newest), site.Sentence));
    }

    [Fact]
    public void What_holds_automatic_failover_back_is_said_with_its_reason()
    {
        var paused = Holding("beta", SiteRole.Replica, 1, 9) with { HeldBack = new(new(2, true, 0, "anna", "new kernel"), null) };
        var resumed = Holding("gamma", SiteRole.Replica, 1, 9) with { HeldBack = new(new(3, false, 1, "anna", ""), null) };
        var blocked = Holding("alpha", SiteRole.Primary, 1, 9) with { HeldBack = new(new(3, false, 1, "anna", ""), Noon.AddSeconds(42)) };

        Assert.Equal(("on", "automatic failover is on"), Failover(Site(), Holding("alpha", SiteRole.Primary, 1, 9)));
        Assert.Equal(("paused", "automatic failover is paused by anna (new kernel); mirror resume ends that"), Failover(Site(), paused));
        Assert.Equal(("on", "automatic failover is on"), Failover(Site(), paused, resumed));
        Assert.Equal(("blocked", "no second automatic failover for another 42 s; mirror resume acknowledges the last"), Failover(Site(), paused, resumed, blocked));
        Assert.Equal(
            ("off", "no automatic failover: 2 voters cannot tell a dead primary from a cut line, 3 are needed; mirror promote works"),
            Failover(Site() with { Voters = ["alpha", "beta"], AutomaticFailover = false }, paused));

        static (string, string) Failover(Node.Configuration.SiteConfig site, params SiteHolding[] holdings)
        {
            var state = StatusReport.Of(Config(site), "alpha", Of([], holdings), Noon).Sites[0].Failover;
            return (state.State, state.Sentence);
        }
    }

    [Fact]
    public void As_json_versions_have_their_names_and_no_primary_is_left_out()
    {
        var snapshot = Of([], Holding("alpha", SiteRole.Fenced, 2, 9), Holding("beta", SiteRole.Replica, 2, 9));

        var json = JsonDocument.Parse(StatusText.ToJson(StatusReport.Of(Config(Site()), "alpha", snapshot, Noon)).ToString()).RootElement.GetProperty("sites")[0];

        Assert.False(json.TryGetProperty("primary", out _));
        Assert.Equal("1.9", json.GetProperty("consistent").GetString());
        Assert.Equal("fenced", json.GetProperty("holdings")[0].GetProperty("role").GetString());
    }
}
