using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture;

/// <summary>What is unknown is never taken for deleted, and a refused capture leaves nothing behind.</summary>
public sealed class RefusedCaptureTests
{
    [Fact]
    public async Task A_root_that_is_gone_is_no_empty_site()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("index", "1"));
        await site.CaptureAsync();
        Directory.Move(site.Root, site.Files["elsewhere"]);

        await AssertRefusedAsync(site, "is not there", allowMassDelete: true);
    }

    [Fact]
    public async Task A_mass_delete_is_refused_until_it_is_allowed()
    {
        var tree = Enumerable.Range(0, 200).Aggregate(TreeLiteral.Empty, (so, number) => so.File($"pages/{number:000}", $"{number}"));
        await using var site = await LiveSite.MakeAsync(tree);
        await site.CaptureAsync();
        Shell.Run("rm \"$1\"/pages/0* \"$1\"/pages/10*", site.Root);

        await AssertRefusedAsync(site, "--allow-mass-delete");
        var allowed = await site.CaptureAsync(allowMassDelete: true);

        Assert.Equal(110, allowed.Delta.Removed.Count);
    }

    [Theory]
    [InlineData("mv \"$1/pages\" \"$1/articles\"")]
    [InlineData("cp -r \"$1/pages\" \"$1/articles\" && rm -r \"$1/pages\"")]
    public async Task What_is_there_under_another_name_is_no_mass_delete(string move)
    {
        await using var site = await LiveSite.MakeAsync(Pages(200).Directory("pages/deep/deeper").Symlink("pages/link", "deep"));
        await site.CaptureAsync();
        Shell.Run(move, site.Root);

        var moved = await site.CaptureAsync();

        Assert.Equal(204, moved.Delta.Removed.Count);
        Assert.Empty(LiveSite.BlobsOf(moved));
        Assert.NotNull(site.Store.HeadManifest.Find(EntryPath.Parse("articles/199")));
    }

    [Theory]
    [InlineData("mv \"$1/pages\" \"$1/articles\" && rm \"$1\"/articles/0* \"$1\"/articles/1[01]*")]
    [InlineData("mv \"$1/pages\" \"$1/articles\" && for file in \"$1\"/articles/*; do echo replaced >\"$file\"; done")]
    [InlineData("rm -r \"$1/pages\" && mkdir \"$1/new\" && for number in $(seq 250); do echo other >\"$1/new/$number\"; done")]
    [InlineData("cp \"$1/pages/007\" \"$1/kept\" && rm -r \"$1/pages\"")]
    public async Task What_is_moved_and_mostly_lost_is_one_all_the_same(string loss)
    {
        await using var site = await LiveSite.MakeAsync(Pages(200));
        await site.CaptureAsync();
        Shell.Run(loss, site.Root);

        await AssertRefusedAsync(site, "--allow-mass-delete");
        Assert.NotNull((await site.CaptureAsync(allowMassDelete: true)).Version);
    }

    private static TreeLiteral Pages(int count) => Enumerable.Range(0, count).Aggregate(TreeLiteral.Empty, (so, number) => so.File($"pages/{number:000}", $"{number}"));

    [Fact]
    public async Task The_share_that_may_go_is_the_sites_and_the_refusal_names_what_is_gone_and_the_way_out()
    {
        var tree = Enumerable.Range(0, 200).Aggregate(TreeLiteral.Empty, (so, number) => so.File($"pages/{number:000}", $"{number}"));
        await using var site = await LiveSite.MakeAsync(tree, files: so => so with { MassDelete = 0.2 });
        await site.CaptureAsync();
        Shell.Run("rm \"$1\"/pages/00* \"$1\"/pages/01* \"$1\"/pages/02* \"$1\"/pages/03*", site.Root);
        Assert.Equal(40, (await site.CaptureAsync()).Delta.Removed.Count);
        Shell.Run("rm \"$1\"/pages/04* \"$1\"/pages/05* \"$1\"/pages/06* \"$1\"/pages/07*", site.Root);

        var failure = await AssertRefusedAsync(site, "40 of 162 entries");
        Assert.Contains("pages/040, pages/041, pages/042, …; more than 20%", failure, StringComparison.Ordinal);
        Assert.Contains("files.mass-delete", failure, StringComparison.Ordinal);
        Assert.Equal(40, (await site.CaptureAsync(allowMassDelete: true)).Delta.Removed.Count);
    }

    [Fact]
    public async Task Without_its_marker_a_root_is_an_empty_mount_point_even_when_a_mass_delete_is_allowed()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("index", "1").File("on/disk", ""), files: static so => so with { Marker = "on/disk" });
        await site.CaptureAsync();
        site.Write("new", "written below the mount point");
        Shell.Run("rm \"$1/on/disk\"", site.Root);

        var failure = await AssertRefusedAsync(site, "looks like a mount point without its disk", allowMassDelete: true);
        Assert.Contains($"touch {site.Root}/on/disk", failure, StringComparison.Ordinal);
        Shell.Run("touch \"$1/on/disk\"", site.Root);
        Assert.Contains("new", LiveSite.Put(await site.CaptureAsync()));
        Directory.Move(site.Root, site.Files["elsewhere"]);
        await AssertRefusedAsync(site, "is not there", allowMassDelete: true);
    }

    [Fact]
    public async Task A_marker_that_no_version_would_hold_is_refused_before_a_promoted_node_finds_out()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("index", "1").File(".mounted", ""), [".*"], files: static so => so with { Marker = ".mounted" });

        var failure = await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync());

        Assert.Contains("mirror ignore explain .mounted", failure.Message, StringComparison.Ordinal);
    }

    [MountFact]
    public async Task Other_file_systems_below_the_root_are_left_out_and_reported()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("index", "1").Directory("a/mounted").Directory("left-out"), ["/left-out"]);
        Shell.Run("mount -t tmpfs -o size=64k none \"$1/a/mounted\" && mount -t tmpfs -o size=64k none \"$1/left-out\" && touch \"$1/a/mounted/other\"", site.Root);
        try
        {
            var captured = await site.CaptureAsync();

            Assert.Equal(["a/mounted"], captured.MountPoints.Select(path => path.ToString()));
            Assert.Equal(["", "a", "index"], site.Store.HeadManifest.Entries.Select(entry => entry.Path.ToString()));
        }
        finally
        {
            Shell.Run("umount \"$1/a/mounted\" \"$1/left-out\"", site.Root);
        }
    }

    [Fact]
    public async Task An_emptied_root_is_an_unmounted_disk_however_small_the_site()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("index", "1"));
        await site.CaptureAsync();
        Shell.Run("rm \"$1\"/index", site.Root);

        await AssertRefusedAsync(site, "unmounted disk");
        var allowed = await site.CaptureAsync(allowMassDelete: true);

        Assert.Single(allowed.Delta.Removed);
    }

    [Fact]
    public async Task Deleting_less_than_half_needs_no_leave()
    {
        var tree = Enumerable.Range(0, 200).Aggregate(TreeLiteral.Empty, (so, number) => so.File($"pages/{number:000}", $"{number}"));
        await using var site = await LiveSite.MakeAsync(tree);
        await site.CaptureAsync();
        Shell.Run("rm \"$1\"/pages/0*", site.Root);

        Assert.Equal(100, (await site.CaptureAsync()).Delta.Removed.Count);
    }

    [RootFact]
    public async Task What_may_not_be_read_fails_the_capture_by_name()
    {
        var tree = TreeLiteral.Empty.File("open/index", "1").File("shut/secret", "2");
        await using var site = await LiveSite.MakeAsync(tree);
        Shell.Run("chmod 755 \"$1\" \"$1/root\"; chmod 700 \"$1/root/shut\"", site.Files.Path);

        UnprivilegedThread.Run(() =>
        {
            var source = new CaptureSource(site.Root, null, PathFilter.Nothing);
            var failure = Assert.Throws<CaptureException>(() => source.Scan(CancellationToken.None));
            Assert.Contains("shut", failure.Message, StringComparison.Ordinal);
            Assert.Equal(
                ["", "open", "open/index"],
                new CaptureSource(site.Root, null, new PathFilter([], ["shut"])).Scan(CancellationToken.None).Entries.Select(found => found.Entry.Path.ToString()));
        });
    }

    [Fact]
    public async Task A_file_that_never_holds_still_is_stored_as_read_and_looked_at_again()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("log", LiveSite.Noise(1, 100_000)));
        using var stop = new CancellationTokenSource();
        var path = Path.Combine(site.Root, "log");
        var writer = Task.Run(
            async () =>
            {
                await using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
                for (var line = new byte[100]; !stop.IsCancellationRequested; await file.WriteAsync(line), await file.FlushAsync())
                {
                    if (file.Length > 64 << 20)
                    {
                        file.SetLength(100);
                        file.Position = 100;
                    }
                }
            });
        CaptureResult busy;
        try
        {
            busy = await site.CaptureAsync();
        }
        finally
        {
            await stop.CancelAsync();
            await writer;
        }

        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, busy.Pack!);
        var quiet = await site.CaptureAsync();

        Assert.Empty(quiet.Unstable);
        Assert.NotNull(quiet.Version);
        await LiveSite.StageAsync(replica, quiet.Pack!);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    private static async Task<string> AssertRefusedAsync(LiveSite site, string says, bool allowMassDelete = false)
    {
        var (head, outbox) = (site.Store.Head, site.Outbox());
        var failure = await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync(allowMassDelete));
        Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        Assert.Equal(head, site.Store.Head);
        Assert.Equal(outbox, site.Outbox());
        return failure.Message;
    }
}
