using Mirror.Leadership.Membership;
using Mirror.Node.Configuration;

namespace Mirror.Leadership.Tests.Membership;

/// <summary>What the profile of the network makes of the actor system's settings.</summary>
public sealed class PaceTests : IDisposable
{
    private readonly LocalCluster cluster = new();

    public void Dispose() => cluster.Dispose();

    [Theory]
    [InlineData(NetworkProfile.Lan, 250, 1500, 1000, 300, 200, 2000)]
    [InlineData(NetworkProfile.Wan, 1000, 5000, 3000, 1000, 667, 5000)]
    public void The_profile_says_how_long_silence_means_nothing(NetworkProfile profile, int heartbeat, int pause, int firstAnswer, int gossip, int news, int seeds)
    {
        var config = cluster.Config with { Cluster = cluster.Config.Cluster with { Profile = profile } };
        var settings = new ClusterPlan(config, config.Members["a"]).Settings(["b"]).GetConfig("akka.cluster");

        int Milliseconds(string path) => (int)settings.GetTimeSpan(path).TotalMilliseconds;
        Assert.Equal(
            (heartbeat, pause, firstAnswer),
            (Milliseconds("failure-detector.heartbeat-interval"), Milliseconds("failure-detector.acceptable-heartbeat-pause"), Milliseconds("failure-detector.expected-response-after")));
        Assert.Equal((gossip, news, seeds), (Milliseconds("gossip-interval"), Milliseconds("distributed-data.gossip-interval"), Milliseconds("seed-node-timeout")));

        // Whatever the profile, nobody is ever declared down.
        Assert.Equal("", settings.GetString("downing-provider-class"));
        Assert.Equal("off", settings.GetString("auto-down-unreachable-after"));
    }

    [Fact]
    public void Who_begins_a_cluster_when_nobody_answers_is_one_after_the_other_and_later_over_long_lines()
    {
        TimeSpan Patience(string member, NetworkProfile profile)
        {
            var config = cluster.Config with { Cluster = cluster.Config.Cluster with { Profile = profile } };
            return new ClusterPlan(config, config.Members[member]).Patience;
        }

        Assert.Equal([3.5, 4.5, 5.5], new[] { "a", "b", "c" }.Select(member => Patience(member, NetworkProfile.Lan).TotalSeconds));
        Assert.Equal([6.5, 7.5, 8.5], new[] { "a", "b", "c" }.Select(member => Patience(member, NetworkProfile.Wan).TotalSeconds));
    }
}
