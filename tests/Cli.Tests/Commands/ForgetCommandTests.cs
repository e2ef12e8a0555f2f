using System.Text.Json;
using Mirror.Cli.Output;

namespace Mirror.Cli.Tests.Commands;

/// <summary>What takes away or keeps versions of a store, as it is typed.</summary>
public sealed class ForgetCommandTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("mirror-forget-").FullName;

    private string Source => Path.Combine(directory, "source");

    private string Store => Path.Combine(directory, "store");

    private async Task SaveAsync(int count)
    {
        Directory.CreateDirectory(Source);
        for (var version = 1; version <= count; version++)
        {
            await File.WriteAllTextAsync(Path.Combine(Source, "page"), $"this is version {version}");
            Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Code);
        }
    }

    public void Dispose() => Directory.Delete(directory, recursive: true);

    [Fact]
    public async Task A_policy_is_shown_first_done_with_yes_and_what_is_kept_is_restored()
    {
        await SaveAsync(5);
        var told = await MirrorProgram.RunAsync("forget", "--store", Store, "--keep-last", "2", "--dry-run", "--json");
        Assert.Equal(ExitCode.Ok, told.Code);
        Assert.Equal(["1.1", "1.2", "1.3"], told.Json.GetProperty("versions").EnumerateArray().Where(line => !line.GetProperty("kept").GetBoolean()).Select(line => line.GetProperty("id").GetString()));
        Assert.Equal(5, await CountAsync());

        var asked = await MirrorProgram.RunAsync("forget", "--store", Store, "--keep-last", "2");
        Assert.Equal(ExitCode.Usage, asked.Code);
        Assert.Contains("--yes", asked.Errors, StringComparison.Ordinal);
        Assert.Equal(5, await CountAsync());

        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("protect", "1.2", "--reason", "mine", "--store", Store)).Code);
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("keyframe", "1.4", "--store", Store)).Code);
        var done = await MirrorProgram.RunAsync("forget", "--store", Store, "--keep-last", "1", "--yes");
        Assert.Equal(ExitCode.Ok, done.Code);
        Assert.Contains("2 version(s) dropped, 3 kept", done.Output, StringComparison.Ordinal);
        Assert.Contains("protected: mine", done.Output, StringComparison.Ordinal);

        var restored = Path.Combine(directory, "restored");
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("restore", "1.2", restored, "--store", Store)).Code);
        Assert.Equal("this is version 2", await File.ReadAllTextAsync(Path.Combine(restored, "page")));

        var refused = await MirrorProgram.RunAsync("forget", "1.2", "--store", Store, "--yes");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("mirror protect --lift", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("protect", "1.2", "--lift", "--store", Store)).Code);
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("forget", "1.2", "--store", Store, "--yes")).Code);
        Assert.Equal(2, await CountAsync());
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("verify", "--read-data", "--store", Store)).Code);
    }

    [Fact]
    public async Task Undo_takes_the_last_save_back_and_the_next_one_sees_what_has_changed_since()
    {
        await SaveAsync(5);
        var told = await MirrorProgram.RunAsync("forget", "--newest", "--store", Store, "--dry-run");
        Assert.Contains("1.5 would go", told.Output, StringComparison.Ordinal);
        Assert.Equal("this is version 5", await File.ReadAllTextAsync(Path.Combine(Store, "current", "page")));
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("forget", "--newest", "--store", Store, "--yes")).Code);
        Assert.Equal("this is version 4", await File.ReadAllTextAsync(Path.Combine(Store, "current", "page")));

        // The source was not touched since the save that was taken back: it differs from what is the newest now all the same.
        var saved = await MirrorProgram.RunAsync("save", Source, "--store", Store, "--json");
        Assert.True(saved.Json.GetProperty("changed").GetBoolean());
        Assert.Equal("this is version 5", await File.ReadAllTextAsync(Path.Combine(Store, "current", "page")));
        Assert.Equal(5, await CountAsync());
    }

    [Theory]
    [InlineData("forget", "--store", "STORE")]
    [InlineData("forget", "--store", "STORE", "--keep-last", "0")]
    [InlineData("forget", "--store", "STORE", "--keep-within", "long")]
    [InlineData("forget", "--store", "STORE", "--budget", "much")]
    [InlineData("forget", "1.1", "--newest", "--store", "STORE")]
    [InlineData("forget", "1.1", "--keep-last", "3", "--store", "STORE")]
    [InlineData("forget", "--newest")]
    [InlineData("forget", "--keep-last", "3")]
    [InlineData("protect", "1.1", "--store", "STORE")]
    [InlineData("protect", "1.1", "--lift", "--reason", "why", "--store", "STORE")]
    public async Task What_is_not_clear_is_refused_and_changes_nothing(params string[] line)
    {
        await SaveAsync(1);
        var ended = await MirrorProgram.RunAsync([.. line.Select(word => word == "STORE" ? Store : word), "--json"]);
        Assert.Equal(ExitCode.Usage, ended.Code);
        Assert.False(ended.Json.GetProperty("ok").GetBoolean());
        Assert.Equal(1, await CountAsync());
    }

    private async Task<int> CountAsync()
    {
        var ended = await MirrorProgram.RunAsync("versions", "--store", Store, "--json");
        return JsonDocument.Parse(ended.Output).RootElement.GetProperty("versions").GetArrayLength();
    }
}
