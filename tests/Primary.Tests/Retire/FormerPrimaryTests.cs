using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Retire;

public sealed class FormerPrimaryTests
{
    private static readonly TreeLiteral tree = TreeLiteral.Empty.File("index.html", "<h1>Welcome</h1>").File("big", LiveSite.Noise(1, 200_000));

    [Fact]
    public async Task A_primary_that_diverged_keeps_a_branch_and_takes_the_new_history()
    {
        await using var site = await LiveSite.MakeAsync(tree, database: "site.db");
        Shell.Run("sqlite3 \"$1/site.db\" 'create table page(a)'", site.Root);
        var common = (await site.CaptureAsync()).Version!;

        // Captured and never sent, then written and never captured.
        site.Write("index.html", "<h1>Nobody saw this</h1>");
        await site.CaptureAsync();
        site.Write("last", "words");
        File.Delete(Path.Combine(site.Root, "big"));
        Shell.Run("sqlite3 \"$1/site.db\" 'insert into page values (1)'", site.Root);

        var retirement = await site.RetireAsync(new Dictionary<VersionId, ContentHash> { [common.Id] = common.Root });

        Assert.Equal(common.Id, retirement.Common);
        Assert.Equal(new VersionId(1, 3), retirement.Branch);
        Assert.True(site.Store.IsDiverged);
        Assert.Null(site.Store.Live);
        Assert.Contains(site.Store.Versions, kept => kept.Record.Id == retirement.Branch && kept.Note.StartsWith("diverged", StringComparison.Ordinal));
        await LiveSite.AssertCleanAsync(site.Store);
        var pack = site.Store.FindPack(common.Id, retirement.Branch);
        Assert.NotNull(pack);
        Assert.True(new FileInfo(pack).Length < 50_000, "only what differs is in the branch");

        // The new primary's version, filled in.
        await using var successor = await LiveSite.MakeAsync(tree.File("index.html", "<h1>The new reign</h1>"));
        var fill = await successor.CaptureAsync(epoch: 2);
        await LiveSite.StageAsync(site.Store, fill.Pack!);
        Assert.False(site.Store.IsDiverged);
        Assert.Equal("<h1>The new reign</h1>", await File.ReadAllTextAsync(Path.Combine(site.Root, "index.html")));

        var restored = site.Files["restored"];
        await site.Store.RestoreAsync(retirement.Branch, restored, null, CancellationToken.None);
        Assert.Equal("<h1>Nobody saw this</h1>", await File.ReadAllTextAsync(Path.Combine(restored, "index.html")));
        Assert.Equal("words", await File.ReadAllTextAsync(Path.Combine(restored, "last")));
        Assert.False(File.Exists(Path.Combine(restored, "big")));
        Assert.Equal("1", Shell.Run("sqlite3 \"$1/.mirror/dumps/pages.sqlite\" 'select a from page'", restored).Trim());
    }

    [Fact]
    public async Task A_primary_whose_last_version_was_seen_keeps_no_branch_and_follows_at_once()
    {
        await using var site = await LiveSite.MakeAsync(tree, database: "site.db");
        Shell.Run("sqlite3 \"$1/site.db\" 'create table page(a)'", site.Root);
        var common = (await site.CaptureAsync()).Version!;

        var retirement = await site.RetireAsync(new Dictionary<VersionId, ContentHash> { [common.Id] = common.Root });

        Assert.Equal((common.Id, default, 0), (retirement.Common, retirement.Branch, retirement.Differing));
        Assert.DoesNotContain(site.Outbox(), name => name.StartsWith("diverged", StringComparison.Ordinal));
        Assert.Null(site.Store.Live);
        await LiveSite.AssertCleanAsync(site.Store);
        await using var successor = await LiveSite.MakeAsync(tree.File("index.html", "<h1>The new reign</h1>"));
        await LiveSite.StageAsync(site.Store, (await successor.CaptureAsync(epoch: 2)).Pack!);
        Assert.Equal("<h1>The new reign</h1>", await File.ReadAllTextAsync(Path.Combine(site.Root, "index.html")));
    }

    [Fact]
    public async Task The_same_name_with_another_root_is_not_shared()
    {
        await using var site = await LiveSite.MakeAsync(tree);
        var first = (await site.CaptureAsync()).Version!;
        site.Write("index.html", "here");
        var second = (await site.CaptureAsync()).Version!;

        var retirement = await site.RetireAsync(new Dictionary<VersionId, ContentHash> { [first.Id] = first.Root, [second.Id] = first.Root });

        Assert.Equal((first.Id, second.Id), (retirement.Common, retirement.Branch));
    }

    [Fact]
    public async Task With_nothing_in_common_all_of_it_is_the_branch()
    {
        await using var site = await LiveSite.MakeAsync(tree);
        await site.CaptureAsync();
        var before = TreeLiteral.ReadFrom(site.Root);

        var retirement = await site.RetireAsync(new Dictionary<VersionId, ContentHash>());

        Assert.True(retirement.Common.IsNone);
        Assert.Equal(new VersionId(1, 1), retirement.Branch);
        var restored = site.Files["restored"];
        await site.Store.RestoreAsync(retirement.Branch, restored, null, CancellationToken.None);
        TreeAssert.Holds(before, restored);
    }
}
