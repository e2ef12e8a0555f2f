using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;

namespace Mirror.Store.Tests.History;

public sealed class DamagedPackTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_damaged_pack_takes_only_what_needs_it_and_the_error_says_what_is_left()
    {
        await FourVersionsAsync();
        FlipByte(Path.Combine(site.StoreDirectory, "history", "1.3-1.2.pack"), fromEnd: 40);
        await using var store = await site.OpenAsync();

        await site.AssertRestoresAsync(store, site.Versions[3].Record);
        await site.AssertRestoresAsync(store, site.Versions[2].Record);
        var destination = site.Files["restored"];
        var error = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(new VersionId(1, 1), destination, null, CancellationToken.None));
        Assert.Contains("1.3-1.2.pack", error.Message, StringComparison.Ordinal);
        Assert.Contains("Restorable from here: 1.3, 1.4.", error.Message, StringComparison.Ordinal);
        Assert.Equal([false, false, true, true], store.Versions.Select(version => version.Restorable));
        Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files.Path, "restored*"));

        var finding = Assert.Single(await store.VerifyAsync(readData: true, null, CancellationToken.None));
        Assert.Contains("1.3-1.2.pack", finding.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_blob_leaves_the_versions_restorable_that_do_not_need_it()
    {
        await FourVersionsAsync();

        // Early in the file are the contents; the manifest's part is behind them.
        FlipByte(Path.Combine(site.StoreDirectory, "history", "1.2-1.1.pack"), fromStart: 150);
        await using var store = await site.OpenAsync();
        foreach (var (record, _) in site.Versions.Skip(1))
        {
            await site.AssertRestoresAsync(store, record);
        }

        var destination = site.Files["restored"];
        var error = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(new VersionId(1, 1), destination, null, CancellationToken.None));
        Assert.Contains("Restorable from here: 1.2, 1.3, 1.4.", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files.Path, "restored*"));
    }

    [Fact]
    public async Task A_damaged_file_in_a_slot_is_found_and_a_restore_does_not_pass_it_on()
    {
        await FourVersionsAsync();
        await using var store = await site.OpenAsync();
        var file = Path.Combine(store.CurrentLink, "media/picture");
        var times = File.GetLastWriteTimeUtc(file);
        FlipByte(file, fromStart: 10);
        File.SetLastWriteTimeUtc(file, times);

        var findings = await store.VerifyAsync(readData: true, null, CancellationToken.None);
        Assert.All(findings, finding => Assert.Contains("media/picture", finding.What, StringComparison.Ordinal));
        Assert.NotEmpty(findings);
        var error = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(new VersionId(1, 4), site.Files["restored"], null, CancellationToken.None));
        Assert.Contains("media/picture", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files.Path, "restored*"));
    }

    [Fact]
    public async Task A_destination_with_files_is_left_alone_and_an_empty_one_is_filled()
    {
        await FourVersionsAsync();
        await using var store = await site.OpenAsync();
        var full = site.Files.Make("full");
        await File.WriteAllTextAsync(Path.Combine(full, "mine"), "mine");
        await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(new VersionId(1, 1), full, null, CancellationToken.None));
        Assert.Equal(["mine"], Directory.EnumerateFileSystemEntries(full).Select(Path.GetFileName));

        var empty = site.Files.Make("empty");
        await store.RestoreAsync(new VersionId(1, 1), empty, null, CancellationToken.None);
        Mirror.Testing.Trees.TreeAssert.Holds(SampleTrees.First, empty);
    }

    [Fact]
    public async Task Nothing_is_left_of_a_cancelled_restore()
    {
        await FourVersionsAsync();
        await using var store = await site.OpenAsync();
        using var cancel = new CancellationTokenSource();
        var progress = new Cancelling(cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.RestoreAsync(new VersionId(1, 1), site.Files["restored"], progress, cancel.Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files.Path, "restored*"));
    }

    private async Task FourVersionsAsync()
    {
        foreach (var tree in SampleTrees.All.Append(SampleTrees.Third.File("index.html", "<h1>Fourth</h1>")))
        {
            site.Add(tree);
        }

        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
    }

    private static void FlipByte(string path, int fromStart = -1, int fromEnd = -1)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = fromStart >= 0 ? fromStart : file.Length - fromEnd;
        var value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(value ^ 0x40));
    }

    private sealed class Cancelling(CancellationTokenSource source) : IProgress<StoreProgress>
    {
        public void Report(StoreProgress value) => source.Cancel();
    }
}
