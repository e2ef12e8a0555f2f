using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture;

public sealed class SiteCaptureTests
{
    private static readonly TreeLiteral small = TreeLiteral.Empty
        .File("index.html", "<h1>Welcome</h1>")
        .File("pages/start", LiveSite.Noise(1, 40_000))
        .File("empty", "");

    [Fact]
    public async Task The_first_version_holds_every_kind_of_entry_and_a_replica_gets_the_same_tree()
    {
        var tree = small
            .Directory("uploads", "2770")
            .Symlink("latest", "pages/start")
            .Symlink("broken", "/nowhere/at/all")
            .Fifo("queue")
            .Hardlink("pages/start.link", "pages/start")
            .SparseFile("disk.img", new byte[300_000], "0640")
            .Xattr("index.html", "user.author", "somebody")
            .Put(EntryPath.Parse([.. "bytes-"u8, 0xff, 0xfe, (byte)'\n']), TreeLiteral.NewFile([1, 2, 3], "0444"));
        await using var site = await LiveSite.MakeAsync(tree);

        var captured = await site.CaptureAsync();

        Assert.Equal(new VersionId(1, 1), captured.Version!.Id);
        Assert.True(captured.Version.Parent.IsNone);
        Assert.Equal(tree.ToManifest().Root, captured.Version.Root);
        Assert.Equal(["1.1"], site.Store.Versions.Select(kept => kept.Record.Id.ToString()));
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, captured.Pack!);
        TreeAssert.Holds(tree, replica.HeadTree);
    }

    [Fact]
    public async Task Nothing_changed_makes_no_version_and_reads_no_file()
    {
        await using var site = await LiveSite.MakeAsync(small);
        await site.CaptureAsync();
        var outbox = site.Outbox();

        var again = await site.CaptureAsync();

        Assert.Null(again.Version);
        Assert.Null(again.Pack);
        Assert.Equal(0, again.FilesRead);
        Assert.Equal(outbox, site.Outbox());
    }

    [Fact]
    public async Task A_touched_file_with_equal_content_costs_its_metadata_only()
    {
        await using var site = await LiveSite.MakeAsync(small);
        await site.CaptureAsync();
        Shell.Run("touch -d 2020-02-02 \"$1/pages/start\"", site.Root);

        var touched = await site.CaptureAsync();

        Assert.Equal(["pages/start"], LiveSite.Put(touched));
        Assert.Empty(LiveSite.BlobsOf(touched));
    }

    [Fact]
    public async Task One_changed_byte_in_four_megabytes_makes_a_small_pack()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("big", LiveSite.Noise(2, 4 << 20)));
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        await using (var file = File.OpenWrite(Path.Combine(site.Root, "big")))
        {
            file.Position = 2_000_003;
            file.WriteByte(0x55);
        }

        var changed = await site.CaptureAsync();

        Assert.True(new FileInfo(changed.Pack!).Length < 64 << 10, $"{new FileInfo(changed.Pack!).Length} bytes");
        await LiveSite.StageAsync(replica, changed.Pack!);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    [Theory]
    [InlineData(40_000)]
    [InlineData(3 << 20)]
    public async Task A_rename_and_a_copy_bring_no_content(int length)
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("one/old", LiveSite.Noise(3, length)));
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        Shell.Run("mv \"$1/one\" \"$1/two\"; cp \"$1/two/old\" \"$1/copy\"", site.Root);

        var moved = await site.CaptureAsync();

        Assert.Empty(LiveSite.BlobsOf(moved));
        Assert.Equal(["", "copy", "two", "two/old"], LiveSite.Put(moved));
        Assert.Equal(["one", "one/old"], moved.Delta.Removed.Select(path => path.ToString()));
        await LiveSite.StageAsync(replica, moved.Pack!);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    [Fact]
    public async Task Hard_links_stay_one_file_when_it_changes_and_when_its_first_name_goes()
    {
        await using var site = await LiveSite.MakeAsync(small.Hardlink("pages/also", "pages/start"));
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        Shell.Run("printf more >> \"$1/pages/start\"; ln \"$1/pages/also\" \"$1/third\"", site.Root);
        var changed = await site.CaptureAsync();
        Assert.Single(LiveSite.BlobsOf(changed));
        await LiveSite.StageAsync(replica, changed.Pack!);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);

        Shell.Run("rm \"$1/pages/also\"", site.Root);
        var parted = await site.CaptureAsync();

        Assert.Empty(LiveSite.BlobsOf(parted));
        await LiveSite.StageAsync(replica, parted.Pack!);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    [Fact]
    public async Task A_change_that_hides_behind_its_old_time_is_found()
    {
        await using var site = await LiveSite.MakeAsync(small);
        await site.CaptureAsync();
        Shell.Run("touch -r \"$1/index.html\" \"$1/../stamp\"; printf '<h1>weLcome</h1>' > \"$1/index.html\"; touch -r \"$1/../stamp\" \"$1/index.html\"", site.Root);

        var forged = await site.CaptureAsync();

        Assert.Equal(["index.html"], LiveSite.Put(forged));
        Assert.Single(LiveSite.BlobsOf(forged));
    }

    [Fact]
    public async Task A_file_just_written_is_looked_at_again_because_its_stamp_may_hide_a_second_write()
    {
        await using var site = await LiveSite.MakeAsync(small);
        site.Write("index.html", "one");
        var first = await site.CaptureAsync(time: TimeProvider.System);
        Assert.DoesNotContain(EntryPath.Parse("index.html"), first.StatKeys.Keys);

        var second = await site.CaptureAsync();

        Assert.Null(second.Version);
        Assert.True(second.FilesRead > 0);
        Assert.Contains(EntryPath.Parse("index.html"), second.StatKeys.Keys);
    }

    [Fact]
    public async Task What_is_removed_or_became_something_else_is_so_on_the_replica()
    {
        await using var site = await LiveSite.MakeAsync(small);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        Shell.Run("rm \"$1/empty\" \"$1/index.html\"; mkdir \"$1/index.html\"; printf x > \"$1/index.html/inner\"; rm -r \"$1/pages\"; ln -s /tmp \"$1/pages\"", site.Root);

        var captured = await site.CaptureAsync();

        Assert.Equal(["empty", "pages/start"], captured.Delta.Removed.Select(path => path.ToString()));
        await LiveSite.StageAsync(replica, captured.Pack!);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    [Fact]
    public async Task Excluded_and_private_paths_are_in_no_version_whatever_their_names()
    {
        var kept = TreeLiteral.Empty.Directory("cache").File("index", "1").File("data/other.db", "kept");
        var odd = EntryPath.Parse([.. "cache/"u8, 0xff, (byte)'\n']);
        var tree = kept
            .Put(odd, TreeLiteral.NewFile([1]))
            .File("cache/deep/er", "2")
            .Put(EntryPath.Parse([0xfe, .. ".tmp"u8]), TreeLiteral.NewFile([2]))
            .File("data/x", "3")
            .File("x/below", "4")
            .File(".mirror/mine", "5");
        await using var site = await LiveSite.MakeAsync(tree, ["cache/**", "*.tmp", "**/x"], database: "data/site.db");
        Shell.Run("sqlite3 \"$1/data/site.db\" 'create table t(a)'; touch \"$1/data/site.db-wal\" \"$1/data/site.db-journal\"", site.Root);

        await site.CaptureAsync();

        Assert.Equal(
            ["", ".mirror", ".mirror/dumps", ".mirror/dumps/pages.sqlite", "cache", "data", "data/other.db", "index"],
            site.Store.HeadManifest.Entries.Select(entry => entry.Path.ToString()));
    }

    [Fact]
    public async Task A_new_epoch_begins_at_one_and_follows_what_is_there()
    {
        await using var site = await LiveSite.MakeAsync(small);
        await site.CaptureAsync();
        site.Write("index.html", "in the next reign");

        var captured = await site.CaptureAsync(epoch: 4);

        Assert.Equal((new VersionId(4, 1), new VersionId(1, 1)), (captured.Version!.Id, captured.Version.Parent));
    }

    [Fact]
    public async Task A_store_that_holds_a_later_epoch_refuses_an_earlier_one()
    {
        await using var site = await LiveSite.MakeAsync(small);
        await site.CaptureAsync(epoch: 4);
        var outbox = site.Outbox();
        site.Write("index.html", "from the past");

        var failure = await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync(epoch: 3));

        Assert.Contains("4.1", failure.Message, StringComparison.Ordinal);
        Assert.Equal(new VersionId(4, 1), site.Store.Head!.Id);
        Assert.Equal(outbox, site.Outbox());
    }
}
