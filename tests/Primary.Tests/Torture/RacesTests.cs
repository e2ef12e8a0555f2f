using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Torture;

/// <summary>
/// What changes between the walk over a tree and the reading of its files: the version holds, of each path, something that was there. The walk is over when the change is made, so nothing here is left to chance.
/// </summary>
public sealed class RacesTests
{
    private const int small = 3000;
    private const int large = 3 << 20;

    [Theory]
    [InlineData(small)]
    [InlineData(large)]
    public async Task A_file_that_is_replaced_has_the_metadata_of_the_content_that_was_read(int length)
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("page", LiveSite.Noise(1, length), "0644").Xattr("page", "user.state", "public"));
        var walk = await site.WalkAsync();
        await File.WriteAllBytesAsync(Path.Combine(site.Root, "pending"), LiveSite.Noise(2, length));
        Shell.Run("cd \"$1\" && chmod 0600 pending && setfattr -n user.state -v private pending && touch -d '2020-02-02 02:02:02.123456789' pending && mv pending page", site.Root);

        var captured = await site.CaptureAsync(begun: walk);

        // Readable for all, under a content that never was, is what must not come out.
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, captured.Pack!);
        Assert.Equal(TreeLiteral.ReadFrom(site.Root)["page"].Metadata, TreeLiteral.ReadFrom(replica.HeadTree)["page"].Metadata);
        Assert.Equal(LiveSite.Noise(2, length), await File.ReadAllBytesAsync(Path.Combine(replica.HeadTree, "page")));
    }

    [Theory]
    [InlineData("ln -s elsewhere pending; mv -T pending page", small)]
    [InlineData("ln -s elsewhere pending; mv -T pending page", large)]
    [InlineData("rm page; mkdir page; echo inner > page/inner", small)]
    [InlineData("rm page; mkdir page; echo inner > page/inner", large)]
    [InlineData("rm page; mkfifo page", small)]
    [InlineData("rm page; mkfifo page", large)]
    [InlineData("rm -r dir; ln -s /etc dir", small)]
    [InlineData("rm -r dir; ln -s /etc dir", large)]
    [InlineData("rm -r dir; echo file > dir", small)]
    public async Task A_path_that_becomes_something_else_does_not_stop_the_capture(string change, int length)
    {
        var tree = TreeLiteral.Empty.File("page", LiveSite.Noise(1, length)).File("dir/inner", LiveSite.Noise(2, length)).File("dir/passwd", "mine").File("other", "stays");
        await using var site = await LiveSite.MakeAsync(tree);
        var walk = await site.WalkAsync();
        Shell.Run("cd \"$1\"; eval \"$2\"", site.Root, change);

        var during = await site.CaptureAsync(begun: walk);
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, during.Pack!);
        Assert.Equal("stays", await File.ReadAllTextAsync(Path.Combine(replica.HeadTree, "other")));

        if ((await site.CaptureAsync()).Pack is { } after)
        {
            await LiveSite.StageAsync(replica, after);
        }

        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    [Theory]
    [InlineData(small)]
    [InlineData(large)]
    public async Task A_second_name_keeps_its_content_when_the_first_gets_another_file(int length)
    {
        var old = LiveSite.Noise(1, length);
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("first", old).Hardlink("second", "first"));
        var walk = await site.WalkAsync();
        await File.WriteAllBytesAsync(Path.Combine(site.Root, "pending"), LiveSite.Noise(2, length));
        Shell.Run("cd \"$1\" && mv pending first", site.Root);

        var captured = await site.CaptureAsync(begun: walk);

        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, captured.Pack!);
        Assert.Equal(old, await File.ReadAllBytesAsync(Path.Combine(replica.HeadTree, "second")));
    }

    [Theory]
    [InlineData("mv dir/page dir/renamed", small)]
    [InlineData("mv dir/page dir/renamed", large)]
    [InlineData("mv dir renamed", small)]
    [InlineData("mv dir/page other/page", small)]
    public async Task A_file_that_is_renamed_is_in_the_version_under_one_of_its_names(string change, int length)
    {
        var content = LiveSite.Noise(1, length);
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("dir/page", content).File("other/file", "x"));
        var walk = await site.WalkAsync();
        Shell.Run("cd \"$1\" && eval \"$2\"", site.Root, change);

        var captured = await site.CaptureAsync(begun: walk);

        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, captured.Pack!);
        Assert.NotNull(replica.HeadManifest.FindContent(ContentHash.From(System.Security.Cryptography.SHA256.HashData(content))));
    }

    [Fact]
    public async Task A_directory_that_is_met_at_two_places_because_it_moved_is_no_link_of_itself()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a/dir/in/file", "x").Directory("z"));
        var inner = EntryPath.Parse("a/dir/in/file");

        await site.CaptureAsync();
        var look = new TouchedScan(site.Store.HeadManifest, static (_, _) => null).Look(site.Root, [], [EntryPath.Parse("a"), EntryPath.Parse("z")], (path, _) =>
        {
            if (path == inner)
            {
                RawCalls.Rename(Path.Combine(site.Root, "a/dir"), Path.Combine(site.Root, "z/dir"));
            }

            return false;
        }, CancellationToken.None);

        Assert.Contains(look.Scan.Entries, static found => found.Entry.Path.ToString() == "a/dir");
        Assert.Contains(look.Scan.Entries, static found => found.Entry.Path.ToString() == "z/dir");
        Assert.All(look.Scan.Entries, static found => Assert.Null(found.Entry.HardlinkOf));
    }
}
