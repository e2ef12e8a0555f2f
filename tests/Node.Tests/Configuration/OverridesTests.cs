using static Mirror.Node.Tests.Configuration.Sample;

namespace Mirror.Node.Tests.Configuration;

public sealed class OverridesTests
{
    [Fact]
    public void Variables_are_laid_over_the_file()
    {
        var config = Parse(
            Good, null,
            ("MIRROR_CLUSTER__LEASE", "2s"),
            ("MIRROR_NODES__ALPHA__ADDRESS", "192.0.2.7"),
            ("MIRROR_NODES__ALPHA__GRPC_PORT", "8400"),
            ("MIRROR_SITES__WIKI__FILES__EXCLUDE", "[\"a, b\", c]"),
            ("MIRROR_SITES__WIKI__HOSTS", "one.example.org, two.example.org"),
            ("MIRROR_SITES__WIKI__APPS__WEB__ENVIRONMENT__WIKI_DB", "x: {y}"),
            ("MIRROR_SITES__WIKI__AUTOMATIC_FAILOVER", "false"),
            ("MIRROR_CONFIG", "/etc/mirror.yaml"), ("MIRROR_NODE", "alpha"), ("MIRROR_PORT_80_TCP", "of an orchestrator"), ("HOME", "/root"));

        Assert.Equal(TimeSpan.FromSeconds(2), config.Cluster.Lease);
        Assert.Equal(("192.0.2.7", 8400), (config.Members["alpha"].Address, config.Members["alpha"].GrpcPort));
        var site = config.Sites["wiki"];
        Assert.Equal(["a, b", "c"], site.Files.Exclude);
        Assert.Equal(["one.example.org", "two.example.org"], site.Hosts);
        Assert.Equal("x: {y}", site.Apps[0].Environment["WIKI_DB"]);
        Assert.False(site.AutomaticFailover);
    }

    [Fact]
    public void A_variable_can_give_what_the_file_lacks()
    {
        var text = Good.Replace("  root: /srv/wiki", "  every: 1m", StringComparison.Ordinal);
        Assert.Equal("/srv/other", Parse(text, null, ("MIRROR_SITES__WIKI__FILES__ROOT", "/srv/other")).Sites["wiki"].Files.Root);
    }

    [Fact]
    public void A_bad_value_is_blamed_on_its_variable()
    {
        var fault = Assert.Single(FaultsOf(Good, ("MIRROR_CLUSTER__LEASE", "soon")));
        Assert.Equal(("environment variable MIRROR_CLUSTER__LEASE", "cluster.lease"), (fault.Where, fault.Key));
    }

    [Theory]
    [InlineData("MIRROR_CLUSTER__LEESE", "Did you mean MIRROR_CLUSTER__LEASE?")]
    [InlineData("MIRROR_CLUSTER_LEASE", "Did you mean MIRROR_CLUSTER__LEASE?")]
    [InlineData("MIRROR_NODES__ALFA__ADDRESS", "Did you mean MIRROR_NODES__ALPHA__ADDRESS?")]
    [InlineData("MIRROR_FOO__BAR__BAZ__QUX__QUUX", "Names of nodes, sites and so on must stand in the file.")]
    public void A_variable_that_names_no_key_is_refused(string name, string remedy)
    {
        var fault = Assert.Single(FaultsOf(Good, (name, "x")));
        Assert.Equal($"environment variable {name}", fault.Where);
        Assert.StartsWith(remedy, fault.Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void A_variable_that_could_mean_two_keys_is_refused()
    {
        var text = Good.Replace("WIKI_DB: \"{database:main}\"", "a-b: x, a_b: y", StringComparison.Ordinal);
        var fault = Assert.Single(FaultsOf(text, ("MIRROR_SITES__WIKI__APPS__WEB__ENVIRONMENT__A_B", "z")));
        Assert.Contains("a-b or sites.wiki.apps.web.environment.a_b", fault.What);
    }
}
