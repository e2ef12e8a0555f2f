using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Tests.Voting;
using Mirror.Node.Consul;
using Mirror.Testing.Consul;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Consul;

/// <summary>What Consul answers about members and sites. The members a, b and c are 10.0.0.1 to 10.0.0.3.</summary>
public sealed class AnnouncerTests : IDisposable
{
    private readonly Locks locks = new(Rules);

    private VirtualTime Time => locks.Time;

    public void Dispose() => locks.Dispose();

    [Fact]
    public void Every_member_is_an_instance_of_mirror_tagged_with_its_name()
    {
        var members = Answers("mirror");
        Assert.Equal(["mirror-test-a", "mirror-test-b", "mirror-test-c"], members.Select(member => member.Id));
        Assert.Equal(["b", "node"], members[1].Tags);
        Assert.Equal(("10.0.0.2", 7400, "7401", "test"), (members[1].Address, members[1].Port, members[1].Meta["cluster-port"], members[1].Meta["cluster"]));
    }

    [Fact]
    public void The_primary_of_a_site_is_answered_for_while_it_serves_and_not_a_moment_longer()
    {
        Assert.Empty(Answers("wiki"));
        Say(("a", SiteRole.Primary, 1), ("b", SiteRole.Replica, 1));
        Assert.Equal(["10.0.0.1:20001"], Tagged("primary"));
        Assert.Equal(["10.0.0.2:20001"], Tagged("replica"));
        Assert.Equal("1", Answers("wiki").Single(static one => one.Tags.Contains("primary")).Meta["epoch"]);

        Say(("a", SiteRole.HandingOver, 1), ("b", SiteRole.Replica, 1));
        Assert.Empty(Tagged("primary"));
        Say(("a", SiteRole.Fenced, 1), ("b", SiteRole.Primary, 2));
        Assert.Equal(["10.0.0.2:20001"], Tagged("primary"));
        Assert.Empty(Tagged("replica"));
    }

    [Fact]
    public void Who_is_killed_or_cut_off_is_out_of_the_answers_within_a_lease()
    {
        Say(("a", SiteRole.Primary, 1), ("b", SiteRole.Replica, 1));
        Time.Pass(20);
        Assert.Equal(["10.0.0.1:20001"], Tagged("primary"));
        locks.Kill("a");
        var took = Time.Until(() => Tagged("primary").Length == 0);
        Assert.InRange(took, TimeSpan.Zero, Rules.Lease);
        Assert.Equal(["mirror-test-b", "mirror-test-c"], Answers("mirror").Select(static member => member.Id));
    }

    [Fact]
    public void An_agent_that_has_forgotten_everything_is_told_again()
    {
        Say(("a", SiteRole.Primary, 1));
        locks.Agents["a"].Forget();
        Assert.Empty(Tagged("primary"));
        var took = Time.Until(() => Tagged("primary").Length == 1 && Answers("mirror").Count == 3);
        Assert.InRange(took, TimeSpan.Zero, Rules.Lease);
    }

    [Fact]
    public void A_member_that_is_found_by_its_name_in_Consul_has_the_address_of_its_agent()
    {
        var member = locks.Config.Members["a"] with { Address = "a.mirror.service.consul" };
        var service = Assert.Single(Mirror.Leadership.Consul.ServiceBook.Of(locks.Config with { Sites = new Dictionary<string, Node.Configuration.SiteConfig>() }, member, ClusterSnapshot.Empty));
        Assert.Equal("", service.Ask.Address);
    }

    private void Say(params (string Node, SiteRole Role, ulong Epoch)[] holdings)
    {
        locks.Catalogue.Say(new(
            new Dictionary<string, ClusterMember>(),
            [.. holdings.Select(one => new SiteHolding(
                "wiki", one.Node, one.Role, one.Epoch, V(1, 1), V(1, 1), V(1, 1), $"http://{locks.Config.Members[one.Node].Address}:20001", null, "", []))]));

        // At once, and not with the next report.
        Time.Pass(0.01);
    }

    private string[] Tagged(string tag) => [.. Answers("wiki").Where(one => one.Tags.Contains(tag)).Select(static one => $"{one.Address}:{one.Port}")];

    // Those that Consul's DNS would answer with.
    private IReadOnlyList<ServiceInstance> Answers(string service)
    {
        var asked = Time.Begin(() => new StandInAgent(locks.Servers, "outside", Time.Clock).WatchServiceAsync(service, 0, TimeSpan.Zero, CancellationToken.None));
        Assert.True(asked.IsCompletedSuccessfully);
        return [.. asked.GetAwaiter().GetResult().Instances.Where(static one => one.Health != ServiceHealth.Critical)];
    }
}
