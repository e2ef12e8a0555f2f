using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;

namespace Mirror.Cli.Tests.Commands;

public sealed class InitCommandTests : IDisposable
{
    private static readonly string[] everybody = ["alpha", "beta", "gamma", "admin"];
    private readonly InitialCluster cluster = new();

    public void Dispose() => cluster.Dispose();

    [Fact]
    public async Task A_configuration_that_loads_and_a_certificate_for_everybody_are_written()
    {
        var ended = await cluster.InitAsync("--json", "--site", "wiki", "--root", "/srv/wiki");

        Assert.Equal(ExitCode.Ok, ended.Code);
        Assert.Equal(6, ended.Json.GetProperty("written").GetArrayLength());
        var config = ConfigFile.Load(cluster.Config, "beta", new Dictionary<string, string>());
        Assert.Equal(["alpha", "beta", "gamma"], config.Members.Keys);
        Assert.Equal(("alpha", "/srv/wiki", true), (config.Sites["wiki"].Primary, config.Sites["wiki"].Files.Root, config.Sites["wiki"].AutomaticFailover));
        Assert.All(everybody, name => MemberIdentity.Load(cluster.Pki, name, TimeProvider.System).Dispose());
    }

    [Fact]
    public async Task Run_again_it_issues_what_is_missing_and_touches_nothing_else()
    {
        await cluster.InitAsync();
        File.Delete(Path.Combine(cluster.Pki, "beta.crt"));
        File.Delete(Path.Combine(cluster.Pki, "beta.key"));
        File.AppendAllText(cluster.Config, "# edited\n");
        var before = Contents();

        var would = await MirrorProgram.RunAsync("init", cluster.Directory, "--dry-run", "--json");
        Assert.Equal(before, Contents());
        var ended = await MirrorProgram.RunAsync("init", cluster.Directory, "--json");

        var issued = Path.Combine(cluster.Pki, "beta.crt");
        Assert.Equal(issued, Assert.Single(would.Json.GetProperty("missing").EnumerateArray()).GetString());
        Assert.Equal(issued, Assert.Single(ended.Json.GetProperty("written").EnumerateArray()).GetString());
        var after = Contents();
        Assert.All(before, file => Assert.Equal(file.Value, after[file.Key]));
        MemberIdentity.Load(cluster.Pki, "beta", TimeProvider.System).Dispose();
        Assert.Contains("everything is there already", (await MirrorProgram.RunAsync("init", cluster.Directory)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_shows_the_configuration_and_writes_nothing()
    {
        var text = await cluster.InitAsync("--dry-run");
        var json = await cluster.InitAsync("--dry-run", "--json");

        Assert.Equal((ExitCode.Ok, ExitCode.Ok), (text.Code, json.Code));
        Assert.Contains("cluster-port: 7401", text.Output, StringComparison.Ordinal);
        Assert.Equal(text.Output, json.Json.GetProperty("config").GetString());
        Assert.False(Directory.Exists(cluster.Directory));
    }

    [Theory]
    [InlineData("", "which servers?")]
    [InlineData("--member alpha", "\"alpha\" is not NAME=ADDRESS")]
    public async Task Without_members_it_asks_for_them(string members, string why)
    {
        var ended = await MirrorProgram.RunAsync(["init", cluster.Directory, .. members.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

        Assert.Equal(ExitCode.Usage, ended.Code);
        Assert.Contains(why, ended.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(cluster.Directory));
    }

    [Fact]
    public async Task What_the_rules_refuse_leaves_no_file_behind()
    {
        var ended = await MirrorProgram.RunAsync("init", cluster.Directory, "--member", "alpha=127.0.0.1", "--member", "beta=127.0.0.1");

        Assert.Equal(ExitCode.Configuration, ended.Code);
        Assert.Contains("would clash with alpha's grpc-port", ended.Errors, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(cluster.Directory, "*", SearchOption.AllDirectories));
    }

    private Dictionary<string, string> Contents() =>
        Directory.GetFiles(cluster.Directory, "*", SearchOption.AllDirectories).ToDictionary(file => file, File.ReadAllText);
}
