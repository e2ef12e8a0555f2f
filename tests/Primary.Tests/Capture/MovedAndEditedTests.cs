using Mirror.Primary.Capture;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture;

/// <summary>A file that is somewhere else and has changed as well: what its delta is made from.</summary>
public sealed class MovedAndEditedTests
{
    private const int length = 600_000;

    [Theory]
    [InlineData("mv \"$1/one/data\" \"$1/elsewhere\"; printf more >> \"$1/elsewhere\"")]
    [InlineData("printf more >> \"$1/one/data\"; mv \"$1/one\" \"$1/two\"")]
    [InlineData("mv \"$1/one/data\" \"$1/one/other\"; printf x | dd of=\"$1/one/other\" bs=1 seek=1000 conv=notrunc status=none")]
    public async Task A_file_renamed_and_edited_is_a_delta_from_its_old_content(string script)
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("one/data", LiveSite.Noise(1, length)));

        var moved = await ChangeAsync(site, script);

        await AssertSmallAsync(site, moved);
    }

    [Fact]
    public async Task Rotated_logs_are_deltas_from_what_they_were_although_their_paths_held_something_else()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty
            .File("log", LiveSite.Noise(1, length)).File("log.1", LiveSite.Noise(2, length)).File("log.2", LiveSite.Noise(3, length)));

        var rotated = await ChangeAsync(
            site, "printf last >> \"$1/log\"; mv \"$1/log.2\" \"$1/log.3\"; mv \"$1/log.1\" \"$1/log.2\"; mv \"$1/log\" \"$1/log.1\"; printf x | dd of=\"$1/log.2\" bs=1 seek=1000 conv=notrunc status=none; printf new > \"$1/log\"");

        await AssertSmallAsync(site, rotated);
        Assert.Equal(2, LiveSite.BlobsOf(rotated).Count(blob => !blob.Basis.IsNone && blob.Size >= length));
    }

    [Fact]
    public async Task Files_written_anew_beside_and_renamed_over_are_deltas_from_their_paths_even_when_inodes_are_used_again()
    {
        // As `sed -i` does: the second file most likely gets the inode that the first one's old content gave up.
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a", LiveSite.Noise(1, length)).File("b", LiveSite.Noise(2, length)).File("c", LiveSite.Noise(3, length)));

        var rewritten = await ChangeAsync(site, "for f in a b c; do cp \"$1/$f\" \"$1/tmp\"; printf more >> \"$1/tmp\"; mv \"$1/tmp\" \"$1/$f\"; done");

        Assert.Equal(3, LiveSite.BlobsOf(rewritten).Count(blob => !blob.Basis.IsNone));
        await AssertSmallAsync(site, rewritten);
    }

    [Fact]
    public async Task A_file_replaced_by_a_moved_and_edited_one_is_a_delta_from_the_moved_one()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("old", LiveSite.Noise(1, length)).File("next", LiveSite.Noise(2, length)));

        var replaced = await ChangeAsync(site, "mv \"$1/next\" \"$1/old\"; printf more >> \"$1/old\"");

        await AssertSmallAsync(site, replaced);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1_999_999)]
    public async Task A_large_file_renamed_that_was_edited_and_given_its_old_time_again_is_not_taken_for_what_it_was(int at)
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("data", LiveSite.Noise(1, 2_000_000)));

        var moved = await ChangeAsync(
            site, $"t=$(stat -c %y \"$1/data\"); printf '\\0\\1' | dd of=\"$1/data\" bs=1 seek={at - (at > 0 ? 1 : 0)} conv=notrunc status=none; touch -d \"$t\" \"$1/data\"; mv \"$1/data\" \"$1/elsewhere\"");

        await AssertSmallAsync(site, moved);
        Assert.Single(LiveSite.BlobsOf(moved));
    }

    [Fact]
    public async Task A_large_file_renamed_brings_nothing()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("data", LiveSite.Noise(1, 2_000_000)));

        var moved = await ChangeAsync(site, "mv \"$1/data\" \"$1/elsewhere\"");

        Assert.Empty(LiveSite.BlobsOf(moved));
        await StageBothAsync(site, moved);
    }

    [Fact]
    public async Task Of_a_directory_renamed_only_what_was_touched_is_read()
    {
        var tree = TreeLiteral.Empty.File("one/replaced", "before").File("one/edited", "before").File("one/moved", "before").Symlink("one/link", "data");
        for (var i = 0; i < 50; i++)
        {
            tree = tree.File($"one/inner/{i}", LiveSite.Noise(i, 500));
        }

        await using var site = await LiveSite.MakeAsync(tree);

        var renamed = await ChangeAsync(
            site, "printf 'now and longer' > \"$1/new\"; mv \"$1/new\" \"$1/one/replaced\"; printf after > \"$1/one/edited\"; mv \"$1/one/moved\" \"$1/one/other\"; mv \"$1/one\" \"$1/two\"");

        Assert.Equal(3, renamed.FilesRead);
        Assert.Equal(2, LiveSite.BlobsOf(renamed).Count);
        await StageBothAsync(site, renamed);
    }

    [Fact]
    public async Task A_copy_that_was_edited_comes_whole_and_is_right()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("data", LiveSite.Noise(1, length)));

        var copied = await ChangeAsync(site, "cp \"$1/data\" \"$1/copy\"; printf more >> \"$1/copy\"");

        Assert.True(Assert.Single(LiveSite.BlobsOf(copied)).Basis.IsNone);
        await StageBothAsync(site, copied);
    }

    [Fact]
    public async Task A_file_too_small_to_be_signed_comes_whole_wherever_it_moves()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("note", "a line\n"));

        var moved = await ChangeAsync(site, "mv \"$1/note\" \"$1/memo\"; printf more >> \"$1/memo\"");

        Assert.True(Assert.Single(LiveSite.BlobsOf(moved)).Basis.IsNone);
        await StageBothAsync(site, moved);
    }

    private static async Task<CaptureResult> ChangeAsync(LiveSite site, string script)
    {
        await site.CaptureAsync();
        Shell.Run(script, site.Root);
        return await site.CaptureAsync();
    }

    private static async Task AssertSmallAsync(LiveSite site, CaptureResult captured)
    {
        Assert.True(new FileInfo(captured.Pack!).Length < 32 << 10, $"{new FileInfo(captured.Pack!).Length} bytes");
        await StageBothAsync(site, captured);
    }

    private static async Task StageBothAsync(LiveSite site, CaptureResult captured)
    {
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, Path.Combine(Path.GetDirectoryName(captured.Pack!)!, SiteCapture.PackName(default, new(1, 1))));
        await LiveSite.StageAsync(replica, captured.Pack!);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }
}
