using Mirror.Cli.Hosting;
using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;
using static Mirror.Cli.Tests.Hosting.Snapshots;

namespace Mirror.Cli.Tests.Hosting;

public sealed class PromotionPlanTests
{
    private static readonly SiteHolding alpha = Holding("alpha", SiteRole.Primary, 1, 9);

    [Fact]
    public void The_best_is_the_replica_that_is_warm_and_nearest_to_the_primary()
    {
        var plan = Plan("", [], alpha, Holding("beta", SiteRole.Replica, 1, 7), Holding("gamma", SiteRole.Replica, 1, 8));

        Assert.Equal(("gamma", true), (plan.Target, plan.Lawful));
        Assert.Equal(["beta", "gamma"], plan.Checks.Select(check => check.Node).Distinct());
    }

    [Fact]
    public void Among_equals_the_first_in_the_configuration_is_taken()
    {
        var plan = Plan("", [], alpha, Holding("gamma", SiteRole.Replica, 1, 8), Holding("beta", SiteRole.Replica, 1, 8));

        Assert.Equal("beta", plan.Target);
    }

    [Fact]
    public void A_node_whose_apps_do_not_run_is_passed_over_though_it_is_nearer()
    {
        var plan = Plan("", [], alpha, Holding("beta", SiteRole.Replica, 1, 7), Holding("gamma", SiteRole.Replica, 1, 9, app: null));

        Assert.Equal(("beta", true), (plan.Target, plan.Lawful));
    }

    [Theory]
    [InlineData("alpha", "is not the primary already")]
    [InlineData("beta", "is reachable")]
    [InlineData("gamma", "runs the apps, warm")]
    public void A_wanted_node_is_held_to_every_rule(string wanted, string broken)
    {
        var plan = Plan(wanted, ["beta"], alpha, Holding("beta", SiteRole.Replica, 1, 9), Holding("gamma", SiteRole.Replica, 1, 9, app: null));

        Assert.Equal((wanted, false), (plan.Target, plan.Lawful));
        Assert.Equal(broken, Assert.Single(plan.Checks, check => !check.Ok).Rule);
        Assert.All(plan.Checks, check => Assert.Equal(wanted, check.Node));
    }

    [Fact]
    public void A_node_that_never_reported_has_nothing_and_a_stranger_is_no_node()
    {
        var silent = Plan("gamma", [], alpha);
        var stranger = Plan("delta", [], alpha);

        Assert.Equal("nothing", Assert.Single(silent.Checks, check => check.Rule == "has the site's newest version").Value);
        Assert.False(silent.Lawful);
        var check = Assert.Single(stranger.Checks);
        Assert.Equal(("is a node of the site", "alpha, beta, gamma", false), (check.Rule, check.Limit, stranger.Lawful));
    }

    [Fact]
    public void Without_a_primary_only_a_holder_of_the_newest_version_will_do()
    {
        var (beta, gamma) = (Holding("beta", SiteRole.Replica, 1, 7), Holding("gamma", SiteRole.Replica, 1, 8));

        Assert.Equal("gamma", Plan("", ["alpha"], beta, gamma).Target);
        Assert.False(Plan("beta", ["alpha"], beta, gamma).Lawful);
        Assert.True(Plan("gamma", ["alpha"], beta, gamma).Lawful);
    }

    [Fact]
    public void A_site_without_apps_needs_none_to_be_warm()
    {
        var snapshot = Of([], alpha, Holding("beta", SiteRole.Replica, 1, 9, app: null));

        Assert.True(Plan(Site(withApp: false), "beta", snapshot).Lawful);
    }

    [Fact]
    public void Nobody_to_promote_is_not_lawful() => Assert.False(Plan("", ["beta", "gamma"], alpha).Lawful);

    [Fact]
    public void A_site_with_one_node_has_nobody_to_hand_over_to()
    {
        var plan = Plan(Site() with { Nodes = ["alpha"] }, "", Of([], alpha));

        Assert.Equal(("", false), (plan.Target, plan.Lawful));
    }

    private static PromotionPlan Plan(string to, string[] unreachable, params SiteHolding[] holdings) => Plan(Site(), to, Of(unreachable, holdings));

    private static PromotionPlan Plan(SiteConfig site, string to, ClusterSnapshot snapshot) =>
        PromotionPlan.Of(Config(site), site, snapshot, snapshot.PrimaryOf(site.Name), to);
}
