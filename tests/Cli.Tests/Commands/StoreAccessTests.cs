using Mirror.Cli.Output;
using Mirror.Store.Versions;
using Mirror.Testing;
using Xunit;

namespace Mirror.Cli.Tests.Commands;

/// <summary>Stores that are in use, damaged, or lie where nothing can be written: what a person at the command line sees.</summary>
public sealed class StoreAccessTests : IDisposable
{
    private readonly TemporaryDirectory files = new();

    private string Source => files["source"];

    private string Store => files["store"];

    public StoreAccessTests()
    {
        files.Make("source");
        File.WriteAllText(Path.Combine(Source, "page"), "first");
    }

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task A_store_in_use_is_named_with_its_process_and_can_be_waited_for()
    {
        await SaveAsync();
        var holder = await VersionStore.OpenAsync(Store, "saved", TimeProvider.System, CancellationToken.None);
        var refused = await MirrorProgram.RunAsync("save", Source, "--store", Store);
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains($"pid {Environment.ProcessId}", refused.Errors, StringComparison.Ordinal);
        Assert.Contains((await File.ReadAllTextAsync("/proc/self/comm")).Trim(), refused.Errors, StringComparison.Ordinal);

        var waiting = MirrorProgram.RunAsync("versions", "--store", Store, "--wait", "60");
        await File.WriteAllTextAsync(Path.Combine(Source, "page"), "meanwhile");
        Assert.False(waiting.IsCompleted);
        await holder.DisposeAsync();
        var ended = await waiting;
        Assert.Equal(ExitCode.Ok, ended.Code);
        Assert.Contains("1.1", ended.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lost_index_is_rebuilt_on_the_way_and_that_is_said()
    {
        await SaveAsync();
        await File.WriteAllTextAsync(Path.Combine(Source, "page"), "second, and longer");
        File.Delete(Path.Combine(Store, "index.db"));
        var saved = await MirrorProgram.RunAsync("save", Source, "--store", Store);
        Assert.Equal(ExitCode.Ok, saved.Code);
        Assert.Contains("rebuilt from packs and trees", saved.Errors, StringComparison.Ordinal);
        Assert.Contains("saved 1.2", saved.Output, StringComparison.Ordinal);

        await File.WriteAllTextAsync(Path.Combine(Store, "index.db"), "not a database at all, and long enough to be looked at");
        var listed = await MirrorProgram.RunAsync("versions", "--store", Store, "--json");
        Assert.Equal(ExitCode.Ok, listed.Code);
        Assert.Contains("index.damaged-1.db", listed.Errors, StringComparison.Ordinal);
        Assert.Contains("\"current\":\"1.2\"", listed.Output, StringComparison.Ordinal);
        var verified = await MirrorProgram.RunAsync("verify", "--store", Store, "--read-data");
        Assert.Equal("everything checked is in order", verified.Output.Trim());
        Assert.Equal("", verified.Errors);
    }

    [MountFact]
    public async Task On_a_read_only_file_system_looking_works_and_saving_is_refused()
    {
        await SaveAsync();
        using var disk = new MountedDirectory(4 * 1024);
        var store = Path.Combine(disk.Path, "store");
        Shell.Run("cp -a \"$1\" \"$2\"", Store, store);
        disk.MakeReadOnly();
        var listed = await MirrorProgram.RunAsync("versions", "--store", store);
        Assert.Equal((ExitCode.Ok, ""), (listed.Code, listed.Errors));
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("verify", "--store", store, "--read-data")).Code);
        Assert.Equal("first", (await MirrorProgram.RunAsync("cat", "1.1", "page", "--store", store)).Output);
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("restore", "1.1", files["restored"], "--store", store)).Code);
        Assert.Equal("first", await File.ReadAllTextAsync(Path.Combine(files["restored"], "page")));
        var saved = await MirrorProgram.RunAsync("save", Source, "--store", store);
        Assert.Equal(ExitCode.Failed, saved.Code);
        Assert.Contains("cannot be written", saved.Errors, StringComparison.Ordinal);
    }

    private async Task SaveAsync() => Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Code);
}
