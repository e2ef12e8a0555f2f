using Mirror.Store.Manifests;
using Mirror.Store.Tests.Laws;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Slots;

/// <summary>A directory that moved is one rename in the idle slot, and only where that is exact.</summary>
public sealed class SlotMovesTests : IDisposable
{
    private readonly VersionedSite site = new();
    private readonly FailingDisk disk = new(failAt: 0, forGood: false);

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_renamed_directory_is_one_step_however_much_it_holds()
    {
        var done = await StagedAsync(tree => MovedDirectories.Moved(tree, ("d/a", "d/z")));
        Assert.Equal(1, done.Count("stage: move directory".Equals));
        Assert.DoesNotContain(done, op => op is "stage: hold moved file" or "stage: move new file" or "stage: write new file" or "stage: remove");
    }

    [Fact]
    public async Task What_changed_below_it_is_all_that_is_written_beside_the_rename()
    {
        var done = await StagedAsync(tree => MovedDirectories.Moved(tree, ("d/a", "e")).File("e/3.txt", "changed").Without("e/sub/2.txt").File("e/sub/new", "new"));
        Assert.Equal(1, done.Count("stage: move directory".Equals));
        Assert.Equal(2, done.Count("stage: write new file".Equals));
        Assert.Equal(1, done.Count("stage: remove".Equals));
    }

    [Fact]
    public async Task A_directory_whose_new_place_is_made_by_the_same_version_is_made_entry_by_entry()
    {
        var done = await StagedAsync(tree => MovedDirectories.Moved(tree, ("d/a", "not/there/yet")));
        Assert.Equal(0, done.Count("stage: move directory".Equals));

        // Empty files, which are not worth a search for their inodes.
        Assert.Equal(2, done.Count("stage: write new file".Equals));
    }

    [Fact]
    public async Task A_directory_moves_into_one_that_is_there_already()
    {
        var done = await StagedAsync(tree => MovedDirectories.Moved(tree, ("d/a", "d/b/inner")).File("d/b/inner/3.txt", "changed").Without("d/b/inner/sub/2.txt"));
        Assert.Equal(1, done.Count("stage: move directory".Equals));
        Assert.Equal(1, done.Count("stage: write new file".Equals));
        Assert.Equal(1, done.Count("stage: remove".Equals));
    }

    [Fact]
    public async Task A_file_that_only_looks_like_one_of_them_does_not_become_one_with_it()
    {
        var done = await StagedAsync(tree => MovedDirectories.Moved(tree, ("d/a", "d/z")).Put(EntryPath.Parse("copy"), tree["d/a/4.txt"].With(static entry => entry)));
        Assert.Equal(1, done.Count("stage: move directory".Equals));
    }

    [Fact]
    public async Task A_link_that_leads_out_of_the_directory_keeps_it_from_moving_as_a_whole()
    {
        var done = await StagedAsync(tree => MovedDirectories.Moved(tree, ("d/a", "d/z")), tree => tree.Hardlink("c-link", "d/a/4.txt"));
        Assert.Equal(0, done.Count("stage: move directory".Equals));
    }

    [Theory]
    [InlineData("d/a/sub/somebody-was-here")]
    [InlineData("d/z")]
    public async Task What_somebody_put_there_does_not_come_along_and_is_in_nobodys_way(string foreign)
    {
        var done = await StagedAsync(
            tree => MovedDirectories.Moved(tree, ("d/a", "d/z")), meddle: idle => File.WriteAllText(Path.Combine(idle, foreign), "not of this version"));
        Assert.Equal(0, done.Count("stage: move directory".Equals));
    }

    [Fact]
    public async Task A_directory_that_an_app_keeps_something_in_is_not_moved_as_a_whole()
    {
        var done = await StagedAsync(
            tree => MovedDirectories.Moved(tree, ("d/a", "d/z")), meddle: idle => File.WriteAllText(Path.Combine(idle, "d/a/live.db"), "the app's"), isPrivate: path => path == EntryPath.Parse("d/a/live.db"));
        Assert.Equal(0, done.Count("stage: move directory".Equals));
    }

    /// <summary>What was done in the idle slot, which lags a version behind, to bring it to a third. What comes out is that version exactly, and so is the one before it, still.</summary>
    private async Task<List<string>> StagedAsync(
        Func<TreeLiteral, TreeLiteral> change, Func<TreeLiteral, TreeLiteral>? first = null, Action<string>? meddle = null, Func<EntryPath, bool>? isPrivate = null)
    {
        var tree = MovedDirectories.Planted(TreeLiteral.Empty, 1);
        tree = first is null ? tree : first(tree);
        site.Add(tree);
        site.Add(tree.File("page", "two"));
        await using var store = await site.OpenAsync(disk, isPrivate);
        await site.StageAllAsync(store, flip: true);
        meddle?.Invoke(Path.Combine(site.StoreDirectory, "slots", Path.GetFileName(store.CurrentTree!) == "a" ? "b" : "a"));
        site.Add(change(site.Versions[1].Tree));
        disk.Operations.Clear();
        disk.Armed = true;
        await site.StageAllAsync(store, flip: false);
        var done = disk.Operations.ToList();
        TreeAssert.Holds(site.Versions[2].Tree, store.HeadTree);
        TreeAssert.Holds(site.Versions[1].Tree, store.CurrentTree!);
        await site.AssertAllRestoreAsync(store);
        await VersionedSite.AssertCleanAsync(store);

        // The other slot follows, and finds the moved inodes in their places.
        await store.FlipAsync(CancellationToken.None);
        site.Add(site.Versions[2].Tree.File("page", "four"));
        await site.StageAllAsync(store, flip: true);
        TreeAssert.Holds(site.Versions[3].Tree, store.CurrentLink);
        await VersionedSite.AssertCleanAsync(store);
        return done;
    }
}
