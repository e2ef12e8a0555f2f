using Mirror.Node.Configuration;

namespace Mirror.Node.Tests.Configuration;

public sealed class ConsulSectionTests
{
    private static string With(string consul, string lease = "4s") => Sample.Good.Replace("lease: 4s,", $"lease: {lease}, consul: {{ {consul} }},", StringComparison.Ordinal);

    [Fact]
    public void Without_the_section_nothing_is_asked_of_Consul() => Assert.Null(Sample.Parse(Sample.Good).Cluster.Consul);

    [Fact]
    public void An_empty_section_means_the_agent_of_the_machine_and_its_locks()
    {
        var config = Sample.Parse(With(""));
        Assert.Equal(new ConsulConfig(new(new Uri("http://127.0.0.1:8500")), true, "mirror"), config.Cluster.Consul);
        Assert.Equal("mirror/example/wiki", config.Cluster.Consul!.LockKey("example", "wiki"));
    }

    [Fact]
    public void Every_key_is_read_and_written_back()
    {
        var config = Sample.Parse(
            With("address: \"https://consul.example.org:8501\", token-file: \"/etc/{node}/token\", ca: /etc/consul/ca.pem, certificate: /etc/consul/a.pem, key: /etc/consul/a.key, arbiter: false, prefix: apps/mirror"),
            "alpha");
        var consul = config.Cluster.Consul!;
        Assert.Equal("/etc/alpha/token", consul.Agent.TokenFile);
        Assert.False(consul.Arbiter);
        Assert.Equal(Sample.Fingerprint(config), Sample.Fingerprint(Sample.Parse(ConfigWriter.Write(config), "alpha")));
    }

    [Fact]
    public void The_address_may_come_from_the_environment() => Assert.Equal(
        new Uri("http://10.1.1.1:8500"), Sample.Parse(With(""), null, ("MIRROR_CLUSTER__CONSUL__ADDRESS", "http://10.1.1.1:8500")).Cluster.Consul!.Agent.Address);

    [Fact]
    public void With_the_lock_as_third_opinion_two_nodes_fail_over_by_themselves()
    {
        var two = With("").Replace("nodes: [alpha, beta, gamma]", "nodes: [alpha, beta]", StringComparison.Ordinal);
        Assert.True(Sample.Parse(two).Sites["wiki"].AutomaticFailover);
        Assert.Empty(Sample.Parse(two).Warnings);
        Assert.False(Sample.Parse(two.Replace("{  }", "{ arbiter: false }", StringComparison.Ordinal)).Sites["wiki"].AutomaticFailover);
    }

    [Theory]
    [InlineData("address: consul", "cluster.consul.address")]
    [InlineData("address: \"ftp://127.0.0.1\"", "cluster.consul.address")]
    [InlineData("address: \"http://127.0.0.1:8500/v1\"", "cluster.consul.address")]
    [InlineData("address: \"http://me:secret@127.0.0.1:8500\"", "cluster.consul.address")]
    [InlineData("ca: /etc/consul/ca.pem", "cluster.consul.address")]
    [InlineData("address: \"https://127.0.0.1:8501\", certificate: /a.pem", "cluster.consul.certificate")]
    [InlineData("address: \"https://127.0.0.1:8501\", key: /a.key", "cluster.consul.key")]
    [InlineData("token-file: token", "cluster.consul.token-file")]
    [InlineData("prefix: \"/mirror\"", "cluster.consul.prefix")]
    [InlineData("prefix: \"a b\"", "cluster.consul.prefix")]
    [InlineData("token: b1gs33cret", "cluster.consul.token")]
    public void What_cannot_be_meant_is_a_fault_at_its_key(string consul, string key) => Assert.Equal(key, Assert.Single(Sample.FaultsOf(With(consul))).Key);

    [Fact]
    public void A_lease_that_outlasts_the_longest_delay_of_a_lock_is_refused()
    {
        Assert.Equal("cluster.lease", Assert.Single(Sample.FaultsOf(With("", "61s"))).Key);
        Assert.Equal(TimeSpan.FromSeconds(61), Sample.Parse(With("arbiter: false", "61s")).Cluster.Lease);
    }
}
