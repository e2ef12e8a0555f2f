using System.Text.Json;
using Mirror.Cli.Output;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Commands;

/// <summary>Which pattern, of which place, leaves a path out.</summary>
public sealed class IgnoreCommandTests : IDisposable
{
    private readonly TemporaryDirectory files = new();

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task Patterns_of_the_command_line_are_explained_by_their_number()
    {
        Directory.CreateDirectory(files["build"]);
        string[] patterns = ["--exclude", "build/", "--exclude", "*.log", "--exclude", "!keep.log", "--root", files.Path];

        var json = (await MirrorProgram.RunAsync(["ignore", "explain", "build", "build/a/b", "a/x.log", "keep.log", "index", files["build"], .. patterns, "--json"])).Json;

        Assert.Equal(
            ["build True build --exclude number 1", "build/a/b True build --exclude number 1", "a/x.log True a/x.log --exclude number 2", "keep.log False keep.log --exclude number 3", "index False index ", "build True build --exclude number 1"],
            json.GetProperty("paths").EnumerateArray().Select(Line));
        var text = await MirrorProgram.RunAsync(["ignore", "explain", "build/a/b", .. patterns, "--exclude", "[a"]);
        Assert.Equal(ExitCode.Ok, text.Code);
        Assert.Contains("build/a/b is left out because build is, with all below it, by \"build/\" (--exclude number 1)", text.Output, StringComparison.Ordinal);
        Assert.Contains("--exclude number 4 can match nothing", text.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await MirrorProgram.RunAsync(["ignore", "explain", "/elsewhere", .. patterns])).Code);
    }

    [Fact]
    public async Task Patterns_of_a_site_are_explained_by_their_key_and_databases_are_no_matter_of_patterns()
    {
        using var cluster = new InitialCluster();
        Assert.Equal(0, (await cluster.InitAsync("--root", files["site"])).Code);
        var text = await File.ReadAllTextAsync(cluster.Config);
        Assert.Contains("exclude: []", text, StringComparison.Ordinal);
        text = text.Replace("exclude: []", "exclude: [\"*.tmp\", \"!/data/**\", cache]", StringComparison.Ordinal);
        text = text.Insert(text.IndexOf("    hosts:", StringComparison.Ordinal), "    databases:\n      main:\n        sqlite: data/site.db\n");
        await File.WriteAllTextAsync(cluster.Config, text);

        var ended = await MirrorProgram.RunAsync("ignore", "explain", "a.tmp", "cache/x", "data/x.tmp", "data/site.db-wal", ".mirror/x", "--config", cluster.Config, "--json");

        Assert.Equal(ExitCode.Ok, ended.Code);
        Assert.Equal(
            ["pattern True exclude[0]", "pattern True exclude[2]", "pattern False exclude[1]", "database True databases", "reserved True "],
            ended.Json.GetProperty("paths").EnumerateArray().Select(answer =>
                $"{answer.GetProperty("reason").GetString()} {answer.GetProperty("excluded").GetBoolean()} {Place(answer).Split('.')[^1]}"));
        Assert.Contains($"{cluster.Config}: sites.", ended.Output, StringComparison.Ordinal);
    }

    private static string Line(JsonElement answer) =>
        $"{answer.GetProperty("path").GetString()} {answer.GetProperty("excluded").GetBoolean()} {answer.GetProperty("decided_at").GetString()} {Place(answer)}";

    private static string Place(JsonElement answer) => answer.TryGetProperty("place", out var place) ? place.GetString()! : "";
}
