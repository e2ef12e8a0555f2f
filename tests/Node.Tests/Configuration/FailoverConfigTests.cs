using Mirror.Node.Configuration;
using static Mirror.Node.Tests.Configuration.Sample;

namespace Mirror.Node.Tests.Configuration;

public sealed class FailoverConfigTests
{
    private const string Prefix = "sites.wiki.failover.";

    [Fact]
    public void Without_the_section_a_minute_is_between_two_failovers_and_nobody_is_excluded()
    {
        var failover = Parse(Good).Sites["wiki"].Failover;

        Assert.Equal(FailoverConfig.Default with { Never = failover.Never }, failover);
        Assert.Equal((TimeSpan.FromMinutes(1), 0, 0, TimeSpan.Zero), (failover.Block, failover.Never.Count, failover.LagVersions, failover.Lag));
    }

    [Fact]
    public void What_is_written_is_read_and_survives_being_written_and_read_again()
    {
        var config = Parse(Good + "\n    failover: { block: 1h, never: [gamma], lag-versions: 10, lag: 30s }");

        var failover = config.Sites["wiki"].Failover;
        Assert.Equal((TimeSpan.FromHours(1), "gamma", 10, TimeSpan.FromSeconds(30)), (failover.Block, Assert.Single(failover.Never), failover.LagVersions, failover.Lag));
        Assert.Equal(Fingerprint(config), Fingerprint(Parse(ConfigWriter.Write(config))));
    }

    [Fact]
    public void All_faults_are_listed_at_once()
    {
        var faults = FaultsOf(Good + "\n    failover: { block: 8d, never: [gamma, delta, gamma], lag-versions: -1, lag: soon, ever: true }");

        Assert.Equal(
            [Prefix + "block", Prefix + "ever", Prefix + "lag", Prefix + "lag-versions", Prefix + "never[1]", Prefix + "never[2]"],
            faults.Select(fault => fault.Key).Order(StringComparer.Ordinal));
        Assert.All(faults, fault => Assert.NotEmpty(fault.Remedy));
    }

    [Fact]
    public void To_exclude_every_node_is_refused_unless_nothing_moves_by_itself_anyway()
    {
        const string All = "\n    failover: { never: [alpha, beta, gamma] }";

        Assert.Equal(Prefix + "never", Assert.Single(FaultsOf(Good + All)).Key);
        Assert.Equal(3, Parse(Good + All + "\n    automatic-failover: false").Sites["wiki"].Failover.Never.Count);
    }
}
