using Mirror.Cli.Output;
using Mirror.Primary.Capture;
using Mirror.Store.Versions;
using Xunit;

namespace Mirror.Cli.Tests.Commands;

/// <summary>What <c>mirror save</c> refuses, and what it finishes.</summary>
public sealed class SaveCommandTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("mirror-save-").FullName;

    private string Source => Path.Combine(directory, "source");

    private string Store => Path.Combine(directory, "store");

    public SaveCommandTests()
    {
        Directory.CreateDirectory(Source);
        File.WriteAllText(Path.Combine(Source, "page"), "first");
    }

    [Fact]
    public async Task A_save_killed_before_its_version_became_current_is_finished_by_the_next_one()
    {
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Code);
        await File.WriteAllTextAsync(Path.Combine(Source, "page"), "second, and longer");
        await using (var store = await VersionStore.OpenAsync(Store, "saved", TimeProvider.System, CancellationToken.None))
        {
            var captured = await SiteCapture.CaptureAsync(
                store, new CaptureRequest(Source, null, new PathFilter([], []), "here", 1, [], false), store.InboxDirectory, TimeProvider.System, CancellationToken.None);
            await store.StageAsync(captured.Pack!, null, CancellationToken.None);
            Assert.False(store.IsHeadCurrent);
        }

        var ended = await MirrorProgram.RunAsync("save", Source, "--store", Store);

        Assert.Equal(ExitCode.Ok, ended.Code);
        Assert.Contains("nothing changed since 1.2", ended.Output, StringComparison.Ordinal);
        Assert.Equal("second, and longer", await File.ReadAllTextAsync(Path.Combine(Store, "current", "page")));
    }

    [Fact]
    public async Task What_a_save_remembers_of_the_tree_lets_the_next_one_answer_without_the_index_and_never_hides_a_change()
    {
        await File.WriteAllTextAsync(Path.Combine(Source, "cache"), "");
        await SettleAsync();
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Code);
        Assert.True(File.Exists(VersionStore.SeenTreeIn(Store)));

        // An index that cannot be read is not looked at; whatever needs it would make it anew.
        var index = await File.ReadAllBytesAsync(Path.Combine(Store, "index.db"));
        await File.WriteAllTextAsync(Path.Combine(Store, "index.db"), "no index");
        var still = await MirrorProgram.RunAsync("save", Source, "--store", Store);
        Assert.Equal((ExitCode.Ok, "nothing changed since 1.1\n"), (still.Code, still.Output));
        await File.WriteAllBytesAsync(Path.Combine(Store, "index.db"), index);

        await File.WriteAllTextAsync(Path.Combine(Source, "page"), "other");
        await SettleAsync();
        Assert.Contains("saved 1.2", (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Output, StringComparison.Ordinal);
        Assert.Contains("nothing changed since 1.2", (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Output, StringComparison.Ordinal);

        // The same tree with something left out, or after the version was taken back, is another matter.
        Assert.Contains("saved 1.3", (await MirrorProgram.RunAsync("save", Source, "--store", Store, "--exclude", "cache")).Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, (await MirrorProgram.RunAsync("forget", "--newest", "--store", Store, "--yes")).Code);
        Assert.Contains("nothing changed since 1.2", (await MirrorProgram.RunAsync("save", Source, "--store", Store)).Output, StringComparison.Ordinal);
    }

    /// <summary>What was touched less than a moment before a capture is read again by the next one.</summary>
    private static Task SettleAsync() => Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System);

    [Theory]
    [InlineData("source/store")]
    [InlineData("link/store")]
    public async Task A_store_inside_its_own_source_is_refused_and_not_made(string store)
    {
        Directory.CreateSymbolicLink(Path.Combine(directory, "link"), Source);

        var ended = await MirrorProgram.RunAsync("save", Source + "/", "--store", Path.Combine(directory, store));

        Assert.Equal(ExitCode.Failed, ended.Code);
        Assert.Contains("inside the source", ended.Errors, StringComparison.Ordinal);
        Assert.Equal(["page"], Directory.EnumerateFileSystemEntries(Source).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_directory_that_is_no_store_is_left_as_it_was()
    {
        var ended = await MirrorProgram.RunAsync("verify", "--store", Source);

        Assert.Equal(ExitCode.Failed, ended.Code);
        Assert.Equal(["page"], Directory.EnumerateFileSystemEntries(Source).Select(Path.GetFileName));
    }

    [Fact]
    public async Task An_empty_value_is_a_line_that_makes_no_sense() =>
        Assert.Equal(ExitCode.Usage, (await MirrorProgram.RunAsync("save", Source, "--store", "")).Code);

    public void Dispose() => Directory.Delete(directory, recursive: true);
}
