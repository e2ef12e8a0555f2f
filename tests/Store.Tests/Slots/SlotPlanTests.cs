using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Slots;

public sealed class SlotPlanTests
{
    private static readonly TreeLiteral before = TreeLiteral.Empty.File("a/one", "one").File("a/two", "two").File("three", "three").Symlink("link", "three");

    [Fact]
    public void Only_paths_that_differ_are_in_the_plan()
    {
        var plan = Plan(before, before, before.File("a/two", "changed"));
        Assert.Equal(["a/two"], plan.Put.Select(entry => entry.Path.ToString()));
        Assert.Equal(FileSource.Fresh, plan.Files.Single().Value.Source);
        Assert.Equal(["a"], plan.Directories.Select(entry => entry.Path.ToString()));
    }

    [Fact]
    public void A_slot_that_lags_takes_what_the_base_has_as_links()
    {
        var after = before.File("a/two", "changed").File("new", "new");
        var plan = Plan(before, after, after.Without("three"));
        Assert.Equal(
            [("a/two", FileSource.Shared), ("new", FileSource.Shared)],
            plan.Files.Values.Select(file => (file.Entry.Path.ToString(), file.Source)).Order());
        Assert.Equal(["three"], plan.Removed.Select(path => path.ToString()));
    }

    [Fact]
    public void A_rename_takes_the_inode_along_and_a_copy_does_not()
    {
        var moved = Plan(before, before, before.Without("three").Put(EntryPath.Parse("four"), before["three"]));
        Assert.Equal((FileSource.Moved, "three"), Of(moved, "four"));

        // Both names, and not as hard links of each other: the second is a file of its own.
        var copied = Plan(before, before, before.Put(EntryPath.Parse("four"), before["three"].With(entry => entry)));
        Assert.Equal(FileSource.Fresh, Of(copied, "four").Source);

        // Two new names for one old: one takes the inode.
        var twice = Plan(before, before, before.Without("three").Put(EntryPath.Parse("four"), before["three"]).Put(EntryPath.Parse("five"), before["three"].With(entry => entry)));
        Assert.Equal([FileSource.Fresh, FileSource.Moved], twice.Files.Values.Select(file => file.Source).Order());

        static (FileSource Source, string From) Of(SlotPlan plan, string path)
        {
            var file = plan.Files[EntryPath.Parse(path)];
            return (file.Source, file.From.ToString());
        }
    }

    [Fact]
    public void A_file_whose_time_alone_changed_is_written_anew_since_the_inode_is_shared()
    {
        var plan = Plan(before, before, before.With("three", entry => entry with { MtimeUnixNs = 1 }));
        Assert.Equal(FileSource.Fresh, plan.Files.Single().Value.Source);
    }

    [Fact]
    public void Below_a_directory_that_goes_nothing_is_removed_by_itself()
    {
        var plan = Plan(before, before, before.Without("a"));
        Assert.Equal(["a"], plan.Removed.Select(path => path.ToString()));
    }

    private static SlotPlan Plan(TreeLiteral slot, TreeLiteral baseline, TreeLiteral target) =>
        SlotPlan.Make(slot.ToManifest(), baseline.ToManifest(), target.ToManifest());
}
