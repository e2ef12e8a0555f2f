using Mirror.Cli.Output;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Commands;

/// <summary>Logs over versions, on a store made by <c>mirror save --logs</c>.</summary>
public sealed class LogsCommandTests : IDisposable
{
    private readonly TemporaryDirectory files = new();

    private string Log => files["source/logs/app.log"];

    private string Store => files["store"];

    public LogsCommandTests() => files.Make("source/logs");

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task A_log_is_shown_over_versions_and_rotations_whole_and_by_range()
    {
        await File.WriteAllTextAsync(Log, "one\ntwo\nthr");
        Assert.Equal("1.1", await SaveAsync());
        await File.AppendAllTextAsync(Log, "ee\n");
        Shell.Run("mv \"$1\" \"$1.1\"; echo four > \"$1\"", Log);
        Assert.Equal("1.2", await SaveAsync());
        await File.AppendAllTextAsync(Log, "five\n");
        Shell.Run("rm \"$1.1\"", Log);
        Assert.Equal("1.3", await SaveAsync());

        Assert.Equal("one\ntwo\nthree\nfour\nfive\n", (await RunAsync("cat", "logs/app.log")).Output);
        Assert.Equal("three\nfour\nfive\n", (await RunAsync("cat", "logs/app.log", "--from", "1.2")).Output);
        Assert.Equal("one\ntwo\n", (await RunAsync("cat", "logs/app.log", "--to", "1.1")).Output);
        Assert.Equal("three\nfour\n", (await RunAsync("cat", "logs/app.log", "--from", "1.2", "--to", "1.2")).Output);
        Assert.Equal("five\n", (await RunAsync("cat", "logs/app.log", "--from", "1.3")).Output);
        Assert.Equal("one\ntwo\nthree\nfour\nfive\n", (await RunAsync("cat", "logs/app.log", "--since", "1h")).Output);
        Assert.Equal("", (await RunAsync("cat", "logs/app.log", "--since", "2999-01-01")).Output);

        var listed = (await RunAsync("ls", "--json")).Json.GetProperty("logs").EnumerateArray().Single();
        Assert.Equal("logs/app.log", listed.GetProperty("path").GetString());
        Assert.Equal(24, listed.GetProperty("bytes").GetInt64());
        Assert.Equal(["1.1", "1.2"], listed.GetProperty("streams").EnumerateArray().Select(stream => stream.GetProperty("id").GetString()));
        Assert.Contains("logs/app.log", (await RunAsync("ls")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_save_with_nothing_new_makes_no_version_and_one_new_line_does()
    {
        await File.WriteAllTextAsync(Log, "one\n");
        await SaveAsync();
        Assert.False((await MirrorProgram.RunAsync("save", files["source"], "--store", Store, "--logs", "logs/*.log*", "--json")).Json.GetProperty("changed").GetBoolean());
        await File.AppendAllTextAsync(Log, "two\n");
        Assert.Equal("1.2", await SaveAsync());
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("restore", "1.1", files["restored"], "--store", Store)).Code);
        Assert.Equal("one\n", await File.ReadAllTextAsync(files["restored/logs/app.log"]));
    }

    [Fact]
    public async Task What_cannot_be_shown_is_said()
    {
        await File.WriteAllTextAsync(files["source/page"], "one\n");
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("save", files["source"], "--store", Store)).Code);
        var none = await RunAsync("cat", "logs/app.log");
        Assert.Equal(ExitCode.Failed, none.Code);
        Assert.Contains("files.logs.patterns", none.Errors, StringComparison.Ordinal);
        await File.WriteAllTextAsync(Log, "one\n");
        await SaveAsync();
        var other = await RunAsync("cat", "logs/ap.log");
        Assert.Equal(ExitCode.Failed, other.Code);
        Assert.Contains("logs/app.log", other.Errors, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await RunAsync("cat", "logs/app.log", "--json")).Code);
        Assert.Equal(ExitCode.Usage, (await RunAsync("cat", "logs/app.log", "--since", "soon")).Code);
        Assert.Equal(ExitCode.Usage, (await RunAsync("cat", "logs/app.log", "--since", "1h", "--from", "1.1")).Code);
    }

    private async Task<string> SaveAsync()
    {
        var saved = await MirrorProgram.RunAsync("save", files["source"], "--store", Store, "--logs", "logs/*.log*", "--json");
        Assert.True(saved.Code == ExitCode.Ok, saved.Errors);
        return saved.Json.GetProperty("version").GetProperty("id").GetString()!;
    }

    private Task<Ended> RunAsync(params string[] arguments) => MirrorProgram.RunAsync(["logs", .. arguments, "--store", Store]);
}
