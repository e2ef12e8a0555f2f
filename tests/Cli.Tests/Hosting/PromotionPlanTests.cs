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

    [Theory]
    // The primary is out of reach and had 1.9; beta has 1.8, gamma 1.7.
    [InlineData("beta", "", "has the site's newest version", "1.8", "1.9", "--allow-data-loss")]
    [InlineData("gamma", "", "has the site's newest version", "1.7", "1.9; beta holds 1.8", "")]
    [InlineData("gamma", "beta", "has the site's newest version", "1.7", "1.9", "--allow-data-loss")]
    [InlineData("beta", "beta", "is reachable", "no", "yes", "")]
    public void What_a_node_lacks_that_is_to_be_appointed_without_a_primary(string node, string unreachable, string rule, string value, string limit, string overruledBy)
    {
        var plan = Plan(node, ["alpha", unreachable], alpha, Holding("beta", SiteRole.Replica, 1, 8), Holding("gamma", SiteRole.Replica, 1, 7));

        var check = plan.Checks.First(check => !check.Ok);
        Assert.Equal((node, rule, value, limit, overruledBy), (check.Node, check.Rule, check.Value, check.Limit, check.OverruledBy));
        Assert.False(plan.IsLawful(new() { Force = true }));
        Assert.Equal(overruledBy.Length > 0, plan.IsLawful(new() { AllowDataLoss = true }));
    }

    [Fact]
    public void What_would_be_given_up_is_said_in_versions_and_seconds_and_who_has_it()
    {
        var plan = Plan("", ["alpha"], alpha, Holding("beta", SiteRole.Replica, 1, 6, secondsBeforeNoon: 30), Holding("gamma", SiteRole.Replica, 1, 7, secondsBeforeNoon: 20));

        Assert.Equal(("gamma", false), (plan.Target, plan.Lawful));
        Assert.Equal((2ul, 20.0), (plan.Stake!.Versions, plan.Stake.Seconds));
        Assert.Equal(["alpha"], plan.Stake.OnlyOn);
        Assert.Equal("; --allow-data-loss would overrule that", plan.Remedy(new()));
        Assert.Null(Plan("gamma", [], alpha, Holding("gamma", SiteRole.Replica, 1, 7)).Stake);
    }

    [Fact]
    public void An_excluded_node_and_one_whose_apps_do_not_run_take_force()
    {
        var site = Site() with { Failover = FailoverConfig.Default with { Never = ["beta"] } };
        var snapshot = Of([], alpha, Holding("beta", SiteRole.Replica, 1, 9), Holding("gamma", SiteRole.Replica, 1, 8, app: null));

        foreach (var (node, rule) in new[] { ("beta", "is not excluded (failover.never)"), ("gamma", "runs the apps, warm") })
        {
            var plan = Plan(site, node, snapshot);
            Assert.Equal((rule, "--force"), (Assert.Single(plan.Checks, check => !check.Ok).Rule, plan.Checks.First(check => !check.Ok).OverruledBy));
            Assert.False(plan.IsLawful(new() { AllowDataLoss = true }));
            Assert.True(plan.IsLawful(new() { Force = true }));
        }

        Assert.Equal("gamma", Plan(site, "", Of([], alpha, Holding("beta", SiteRole.Replica, 1, 9), Holding("gamma", SiteRole.Replica, 1, 8))).Target);
    }

    [Fact]
    public void An_epoch_that_is_past_is_refused_and_nothing_overrules_that()
    {
        var snapshot = Of([], alpha with { Epoch = 4 }, Holding("beta", SiteRole.Replica, 4, 9));
        var stale = PromotionPlan.Of(Config(Site()), Site(), snapshot, snapshot.PrimaryOf("wiki"), "beta", 3);

        var check = Assert.Single(stale.Checks, check => !check.Ok);
        Assert.Equal(("the epoch is the one you named", "4", "3"), (check.Rule, check.Value, check.Limit));
        Assert.False(stale.IsLawful(new() { Force = true, AllowDataLoss = true }));
        Assert.True(PromotionPlan.Of(Config(Site()), Site(), snapshot, snapshot.PrimaryOf("wiki"), "beta", 4).Lawful);
    }

    private static PromotionPlan Plan(string to, string[] unreachable, params SiteHolding[] holdings) => Plan(Site(), to, Of(unreachable, holdings));

    private static PromotionPlan Plan(SiteConfig site, string to, ClusterSnapshot snapshot) =>
        PromotionPlan.Of(Config(site), site, snapshot, snapshot.PrimaryOf(site.Name), to);
}
