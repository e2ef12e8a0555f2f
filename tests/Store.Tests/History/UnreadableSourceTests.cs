using Mirror.Store.Manifests;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.History;

/// <summary>A disk that fails to read (EIO) a file of a slot, or a pack, is gone round like damage.</summary>
public sealed class UnreadableSourceTests : IDisposable
{
    private static readonly byte[] large = SampleTrees.Text(3, 1_500_000);
    private static readonly TreeLiteral first = SampleTrees.First.File("large", large);
    private static readonly TreeLiteral second = SampleTrees.Second.File("large", [.. large[..700_000], .. SampleTrees.Text(4, 100), .. large[700_000..]]);

    private readonly VersionedSite site = new();
    private readonly FailingDisk disk = new(0, false);

    public void Dispose() => site.Dispose();

    [Theory]
    [InlineData("index.html")]
    [InlineData("large")]
    public async Task A_file_of_the_newest_tree_that_cannot_be_read(string path)
    {
        await using var store = await NewStoreAsync(keyFrames: true);
        disk.IsUnreadable = read => read.StartsWith(store.CurrentTree!, StringComparison.Ordinal) && read.EndsWith("/" + path, StringComparison.Ordinal);

        // The newest version's own content, and an older one's that is made from it.
        foreach (var version in site.Versions)
        {
            var report = await RestoreAsync(store, version.Record.Id);
            Assert.All(report.Detours, detour => Assert.Contains($"/{path} cannot be read: Input/output error", detour.Damaged, StringComparison.Ordinal));
            Assert.True(version.Record.Id != store.Head!.Id || report.Detours.Count == 1);
        }
    }

    [Fact]
    public async Task An_older_content_whose_basis_in_the_tree_cannot_be_read()
    {
        await using var store = await NewStoreAsync(keyFrames: false);
        await store.MakeKeyFrameAsync(site.Versions[1].Record.Id, null, CancellationToken.None);
        disk.IsUnreadable = read => read.StartsWith(store.CurrentTree!, StringComparison.Ordinal) && read.EndsWith("/large", StringComparison.Ordinal);

        var report = await RestoreAsync(store, site.Versions[0].Record.Id);

        var detour = Assert.Single(report.Detours);
        Assert.Contains("/large cannot be read: Input/output error", detour.Damaged, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pack_that_cannot_be_read_is_left_out_and_another_used()
    {
        await using var store = await NewStoreAsync(keyFrames: true);
        foreach (var bad in Directory.GetFiles(Path.Combine(site.StoreDirectory, "history"), "*.pack"))
        {
            disk.IsUnreadable = read => read == bad;
            foreach (var version in site.Versions)
            {
                await RestoreAsync(store, version.Record.Id);
            }
        }
    }

    [Fact]
    public async Task Where_no_other_way_is_left_the_error_names_what_cannot_be_read_and_nothing_is_left_behind()
    {
        await using var store = await NewStoreAsync(keyFrames: false);
        disk.IsUnreadable = read => read.EndsWith(".pack", StringComparison.Ordinal);

        var error = await Assert.ThrowsAsync<StoreException>(() => RestoreAsync(store, site.Versions[0].Record.Id));

        Assert.Contains("1.2-1.1.pack cannot be read: Input/output error", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files.Path, "restored*"));
    }

    [Fact]
    public async Task A_destination_that_cannot_be_written_is_nobody_elses_fault()
    {
        await using var store = await NewStoreAsync(keyFrames: false);
        var parent = site.Files.Make("small");
        await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(site.Versions[0].Record.Id, Path.Combine(parent, "absent", "restored"), null, CancellationToken.None));
        Assert.All(store.Versions, version => Assert.True(version.Restorable));
    }

    private async Task<RestoreReport> RestoreAsync(VersionStore store, VersionId version)
    {
        var destination = site.Files[$"restored-{Guid.NewGuid():N}"];
        var report = await store.RestoreAsync(version, destination, null, CancellationToken.None);
        TreeAssert.Holds(site.TreeOf(version), destination);
        return report;
    }

    private async Task<VersionStore> NewStoreAsync(bool keyFrames)
    {
        site.Add(first);
        site.Add(second);
        var store = await site.OpenAsync(disk);
        await site.StageAllAsync(store, flip: true);
        if (keyFrames)
        {
            foreach (var version in site.Versions)
            {
                await store.MakeKeyFrameAsync(version.Record.Id, null, CancellationToken.None);
            }
        }

        return store;
    }
}
