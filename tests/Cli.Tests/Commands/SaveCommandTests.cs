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
