using Mirror.Cli.Output;

namespace Mirror.Cli.Tests.Commands;

/// <summary>What commands say when there is nobody to ask, or the question makes no sense.</summary>
public sealed class AskingTests : IAsyncLifetime, IDisposable
{
    private readonly InitialCluster cluster = new();

    public Task InitializeAsync() => cluster.InitHereAsync(FreePort.Next(), FreePort.Next());

    public Task DisposeAsync() => Task.CompletedTask;

    public void Dispose() => cluster.Dispose();

    [Fact]
    public async Task Without_a_running_process_there_is_no_answer_and_a_remedy()
    {
        var local = await MirrorProgram.RunAsync("versions", "--config", cluster.Config);
        var named = await MirrorProgram.RunAsync("versions", "--config", cluster.Config, "--node", "beta", "--json");

        Assert.Equal((ExitCode.Unreachable, ExitCode.Unreachable), (local.Code, named.Code));
        Assert.Contains("Start one (`mirror node", local.Errors, StringComparison.Ordinal);
        Assert.False(named.Json.GetProperty("ok").GetBoolean());
        Assert.Contains("ask another member with --node", named.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_the_admins_certificate_it_says_where_to_run_or_what_to_start()
    {
        File.Delete(Path.Combine(cluster.Pki, "admin.crt"));

        var ended = await MirrorProgram.RunAsync("status", "--config", cluster.Config, "--node", "beta");

        Assert.Equal(ExitCode.Unreachable, ended.Code);
        Assert.Contains("`mirror node --node beta`", ended.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("node")]
    [InlineData("doctor")]
    public async Task A_member_that_is_not_configured_is_a_usage_error_that_names_those_that_are(string command)
    {
        var ended = await MirrorProgram.RunAsync(command, "--config", cluster.Config, "--node", "nobody");

        Assert.Equal(ExitCode.Usage, ended.Code);
        Assert.Contains("no member \"nobody\"; it has alpha, beta, gamma", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_member_of_another_kind_is_told_how_it_is_started()
    {
        var ended = await MirrorProgram.RunAsync("proxy", "--config", cluster.Config, "--node", "alpha");

        Assert.Equal(ExitCode.Usage, ended.Code);
        Assert.Contains("alpha is a node; start it with `mirror node`", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_site_that_is_not_configured_is_a_usage_error_that_names_those_that_are()
    {
        var ended = await MirrorProgram.RunAsync("capture", "--config", cluster.Config, "--node", "alpha", "--site", "shop");

        Assert.Equal(ExitCode.Usage, ended.Code);
        Assert.Contains("no site \"shop\"; it has site", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task All_faults_of_a_configuration_are_listed_at_once()
    {
        File.WriteAllText(cluster.Config, File.ReadAllText(cluster.Config)
            .Replace("lease: 4s", "lease: soon", StringComparison.Ordinal).Replace("primary: alpha", "primary: delta", StringComparison.Ordinal));

        var text = await MirrorProgram.RunAsync("status", "--config", cluster.Config);
        var json = await MirrorProgram.RunAsync("status", "--config", cluster.Config, "--json");

        Assert.Equal((ExitCode.Configuration, ExitCode.Configuration), (text.Code, json.Code));
        Assert.Contains("lease", text.Errors, StringComparison.Ordinal);
        Assert.Contains("delta", text.Errors, StringComparison.Ordinal);
        Assert.True(json.Json.GetProperty("details").GetArrayLength() >= 2);
    }

    [Fact]
    public async Task A_missing_configuration_says_how_to_make_one()
    {
        var ended = await MirrorProgram.RunAsync("status", "--config", cluster.Files["nowhere.yaml"]);

        Assert.Equal(ExitCode.Configuration, ended.Code);
        Assert.Contains("mirror init", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Doctor_lists_every_check_and_finds_a_broken_configuration()
    {
        var good = await MirrorProgram.RunAsync("doctor", "--config", cluster.Config, "--json");
        File.WriteAllText(cluster.Config, File.ReadAllText(cluster.Config).Replace("lease: 4s", "lease: soon", StringComparison.Ordinal));
        var broken = await MirrorProgram.RunAsync("doctor", "--config", cluster.Config, "--json");
        var asMember = await MirrorProgram.RunAsync("doctor", "--config", cluster.Config, "--node", "alpha");

        Assert.Equal(ExitCode.Ok, good.Code);
        Assert.True(good.Json.GetProperty("ok").GetBoolean());
        Assert.Equal(ExitCode.Findings, broken.Code);
        var check = Assert.Single(broken.Json.GetProperty("checks").EnumerateArray());
        Assert.Equal(("config", "failed"), (check.GetProperty("name").GetString(), check.GetProperty("result").GetString()));
        Assert.NotEmpty(check.GetProperty("remedy").GetString()!);
        Assert.Equal(ExitCode.Configuration, asMember.Code);
    }
}
