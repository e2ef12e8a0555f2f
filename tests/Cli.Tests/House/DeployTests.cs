using CliWrap;
using CliWrap.Buffered;
using Mirror.Node.Configuration;
using Mirror.Testing;

namespace Mirror.Cli.Tests.House;

/// <summary>What is shipped for deployment is at least well-formed, and its configuration loads.</summary>
public sealed class DeployTests
{
    [Fact]
    public async Task The_compose_file_is_valid()
    {
        var result = await CliWrap.Cli.Wrap("docker-compose")
            .WithArguments(["-f", Checkout.Path("deploy", "compose", "compose.yaml"), "config", "--quiet"])
            .WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync();

        Assert.True(result.ExitCode == 0, result.StandardError);
    }

    [Theory]
    [InlineData("alpha")]
    [InlineData("beta")]
    [InlineData("gamma")]
    [InlineData("front")]
    public void The_compose_configuration_loads_for_every_member(string member)
    {
        var config = ConfigFile.Load(Checkout.Path("deploy", "compose", "mirror.yaml"), member, new Dictionary<string, string>());

        Assert.True(config.Members.ContainsKey(member));
        Assert.Empty(config.Warnings);
    }

    [Fact]
    public void Every_member_of_the_compose_configuration_is_a_service()
    {
        var services = File.ReadAllText(Checkout.Path("deploy", "compose", "compose.yaml"));
        var config = ConfigFile.Load(Checkout.Path("deploy", "compose", "mirror.yaml"), "alpha", new Dictionary<string, string>());

        Assert.All(config.Members.Keys, member => Assert.Contains($"\n  {member}:\n", services, StringComparison.Ordinal));
    }
}
