using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.History;

/// <summary>Destinations that cannot be: each is refused before anything is changed, and the error says what to do.</summary>
public sealed class RestoreTargetTests : IAsyncLifetime, IDisposable
{
    private readonly VersionedSite site = new();
    private VersionStore store = null!;

    public async Task InitializeAsync()
    {
        site.Add(SampleTrees.First);
        store = await site.OpenAsync(new FailingDisk(0, false));
        await site.StageAllAsync(store, flip: true);
    }

    public async Task DisposeAsync() => await store.DisposeAsync();

    public void Dispose() => site.Dispose();

    [MountFact]
    public async Task A_file_system_mounted_read_only()
    {
        using var mounted = new MountedDirectory(1024);
        var there = Path.Combine(mounted.Path, "there");
        TreeLiteral.Empty.File("mine", "mine").WriteTo(there);
        mounted.MakeReadOnly();
        foreach (var (destination, inPlace) in new[] { (Path.Combine(mounted.Path, "new"), false), (there, true) })
        {
            var error = await RefusedAsync(destination, inPlace);
            Assert.Contains("mounted read-only", error, StringComparison.Ordinal);
        }

        Assert.Equal(["there"], Directory.EnumerateFileSystemEntries(mounted.Path).Select(Path.GetFileName));
        TreeAssert.Holds(TreeLiteral.Empty.File("mine", "mine"), there);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_last_name_longer_than_the_file_system_takes(bool inPlace)
    {
        // 256 bytes of 128 characters.
        var error = await RefusedAsync(site.Files[new string('ä', 128)], inPlace);
        Assert.Contains("has 256 bytes; the file system there takes 255", error, StringComparison.Ordinal);
        Assert.Empty(Beside());

        var longest = site.Files[new string('ä', 127) + "b"];
        if (inPlace)
        {
            TreeLiteral.Empty.File("mine", "mine").WriteTo(longest);
        }

        await store.RestoreAsync(new VersionId(1, 1), longest, new RestoreOptions { InPlace = inPlace }, null, CancellationToken.None);
        TreeAssert.Holds(SampleTrees.First, longest);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Paths_longer_than_a_program_can_use(bool inPlace)
    {
        // The destination itself can be, and what lies deep in the version could not be reached there.
        var deep = Nested(4096 - "/uploads/empty".Length - 48);
        Directory.CreateDirectory(Path.GetDirectoryName(deep)!);
        var error = await RefusedAsync(deep[..^1] + "xx" + new string('x', 40), inPlace);
        Assert.Contains("no program can use more than 4095", error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(deep)!));
        Assert.Empty(Beside());
    }

    private async Task<string> RefusedAsync(string destination, bool inPlace) =>
        (await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(new VersionId(1, 1), destination, new RestoreOptions { InPlace = inPlace }, null, CancellationToken.None))).Message;

    private IEnumerable<string> Beside() => Directory.EnumerateFileSystemEntries(site.Files.Path).Where(path => Path.GetFileName(path)!.StartsWith('.'));

    /// <summary>A path of so many bytes.</summary>
    private string Nested(int length)
    {
        var path = site.Files["deep"];
        while (path.Length + 2 < length)
        {
            path = Path.Combine(path, new string('d', Math.Min(100, length - path.Length - 1)));
        }

        return path;
    }
}
