using Mirror.Node.Configuration;
using static Mirror.Node.Tests.Configuration.Sample;

namespace Mirror.Node.Tests.Configuration;

public sealed class DurabilityConfigTests
{
    private const string Prefix = "sites.wiki.durability.";

    [Fact]
    public void Without_the_section_answers_wait_for_nothing()
    {
        Assert.Equal(DurabilityConfig.Default, Parse(Good).Sites["wiki"].Durability);
        Assert.False(DurabilityConfig.Default.Quorum);
    }

    [Fact]
    public void What_is_written_is_read_and_survives_being_written_and_read_again()
    {
        var config = Parse(Good + "\n    durability: { mode: quorum, within: 3s, paths: [/api/, /checkout] }");

        var durability = config.Sites["wiki"].Durability;
        Assert.Equal((true, TimeSpan.FromSeconds(3), "/api/ /checkout"), (durability.Quorum, durability.Within, string.Join(' ', durability.Paths)));
        Assert.Equal(Fingerprint(config), Fingerprint(Parse(ConfigWriter.Write(config))));
    }

    [Fact]
    public void All_faults_are_listed_at_once()
    {
        var faults = FaultsOf(Good + "\n    durability: { mode: safe, within: 1h, paths: [api], copies: 2 }");

        Assert.Equal([Prefix + "copies", Prefix + "mode", Prefix + "paths", Prefix + "within"], faults.Select(fault => fault.Key).Order(StringComparer.Ordinal));
        Assert.All(faults, fault => Assert.NotEmpty(fault.Remedy));
    }
}
