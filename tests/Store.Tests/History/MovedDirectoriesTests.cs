using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tests.Laws;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.History;

/// <summary>Directories that move, through the life of a store: applied, gone back over, thinned, asked about, and found again without the index.</summary>
public sealed class MovedDirectoriesTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task Every_version_of_a_site_whose_directories_move_about_is_restored_exactly_also_without_the_index_and_after_thinning()
    {
        Live();
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
            Assert.InRange(PacksOf("history").Count(pack => pack.Moves > 0), MovedDirectories.Ways.Count, int.MaxValue);
            Assert.InRange(PacksOf("manifests").Count(pack => pack.Moves > 0), 1, int.MaxValue);
        }

        File.Delete(Path.Combine(site.StoreDirectory, "index.db"));
        await using (var store = await site.OpenAsync())
        {
            await site.AssertAllRestoreAsync(store);
            var gone = site.Versions.SkipLast(2).Where((_, at) => at % 3 != 0).Select(version => version.Record.Id).ToList();
            await store.ForgetAsync(gone, dryRun: false, null, CancellationToken.None);
            foreach (var (record, _) in site.Versions.Where(version => !gone.Contains(version.Record.Id)))
            {
                await site.AssertRestoresAsync(store, record);
            }

            await VersionedSite.AssertCleanAsync(store);
        }
    }

    [Fact]
    public async Task What_happened_to_a_path_is_told_though_packs_only_say_that_a_directory_above_it_moved()
    {
        site.Add(MovedDirectories.Planted(TreeLiteral.Empty, 1));
        site.Add(MovedDirectories.Moved(site.Versions[0].Tree, ("d/a", "d/z")));
        site.Add(MovedDirectories.Moved(site.Versions[1].Tree, ("d/b", "d/c"), ("d/c", "d/b")));
        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);

        Assert.Equal(["1.1 d/a/3.txt", "1.2 d/a/3.txt"], Told("d/a/3.txt"));
        Assert.Equal(["1.2 d/z/3.txt"], Told("d/z/3.txt"));
        Assert.Equal(["1.1 d/b/3.txt", "1.3 d/b/3.txt"], Told("d/b/3.txt"));
        Assert.All(store.Versions, version => Assert.True(version.Restorable));

        IEnumerable<string> Told(string path) => store.HistoryOf(asked => asked == EntryPath.Parse(path)).Changes.Select(change => $"{change.Version.Id} {change.Change.Path}");
    }

    [Fact]
    public async Task A_renamed_directory_takes_the_same_few_bytes_whatever_it_holds()
    {
        var (few, many) = (await BytesOfRenamingAsync(20), await BytesOfRenamingAsync(700));
        Assert.InRange(few, 1, 1_500);
        Assert.InRange(many, few - 16, few + 16);
    }

    [Fact]
    public async Task A_small_file_that_was_edited_in_a_directory_that_moved_is_a_delta_from_where_it_is_now()
    {
        var tree = MovedDirectories.Planted(TreeLiteral.Empty, 1).File("d/a/page", SampleTrees.Text(1, 5_000));
        site.Add(tree);
        site.Add(MovedDirectories.Moved(tree, ("d/a", "elsewhere")).File("elsewhere/page", [.. SampleTrees.Text(1, 5_000), 1, 2, 3]));
        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);

        using var reverse = PackReader.Open(Path.Combine(site.StoreDirectory, "history", "1.2-1.1.pack"));
        var blob = Assert.Single(reverse.Blobs);
        Assert.False(blob.Basis.IsNone);
        Assert.InRange(blob.StoredBytes, 1, 30);
    }

    private void Live()
    {
        var tree = MovedDirectories.Planted(TreeLiteral.Empty, 1);
        site.Add(tree);
        for (var way = 0; way < MovedDirectories.Ways.Count; way++)
        {
            tree = MovedDirectories.Planted(tree, 1);
            site.Add(tree);
            tree = MovedDirectories.Edited(MovedDirectories.Moved(tree, MovedDirectories.Ways[way]), (uint)way);
            site.Add(tree);
        }
    }

    private async Task<long> BytesOfRenamingAsync(int files)
    {
        using var one = new VersionedSite();
        one.Add(Enumerable.Range(0, files).Aggregate(TreeLiteral.Empty, (tree, at) => tree.File($"folder/{at % 7}/{at}", $"content {at}")));
        one.Add(MovedDirectories.Moved(one.Versions[0].Tree, ("folder", "renamed")));
        await using var store = await one.OpenAsync();
        await one.StageAllAsync(store, flip: true);
        await one.AssertAllRestoreAsync(store);
        return new FileInfo(Path.Combine(one.StoreDirectory, "history", "1.2-1.1.pack")).Length;
    }

    private IEnumerable<(VersionId From, VersionId To, int Moves)> PacksOf(string directory)
    {
        foreach (var path in Directory.GetFiles(Path.Combine(site.StoreDirectory, directory), "*.pack"))
        {
            using var pack = PackReader.Open(path);
            yield return (pack.Header.From, pack.Header.To, pack.ReadChanges().Moves.Count);
        }
    }
}
