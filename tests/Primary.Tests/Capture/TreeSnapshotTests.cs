using System.Text;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Capture;

/// <summary>Hooks that make a snapshot, and captures that read it: a copy made by the hook, and real file systems in files, of which a copy is a snapshot that keeps the inodes.</summary>
public sealed class TreeSnapshotTests
{
    private const string Copy = "cp -a --reflink=never \"$MIRROR_ROOT\" \"$MIRROR_READ_FROM\"";
    private const string Remove = "rm -rf \"$MIRROR_READ_FROM\"";

    private static readonly TimeSpan patience = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task What_is_captured_is_the_snapshot_and_what_changes_after_it_is_in_the_next_version()
    {
        // Changed while `before` still runs, and only the first time.
        await using var site = await MakeAsync($"{Copy}; [ -e \"$1\" ] || {{ echo later >\"$MIRROR_ROOT/page\"; echo new >\"$MIRROR_ROOT/more\"; }}; touch \"$1\"", Remove);
        await using var role = await site.EnterAsync();

        var first = site.Store.Versions[0].Record.Id;
        Assert.Equal(Hash("1"), site.Store.ManifestOf(first).Find(EntryPath.Parse("page"))!.Hash);
        await UntilAsync(() => site.Store.HeadManifest.Find(EntryPath.Parse("page"))!.Hash == Hash("later\n") && site.Store.HeadManifest.Find(EntryPath.Parse("more")) is not null);
        Assert.False(Directory.Exists(Place(site)));

        // The watcher's paths are those of the live tree.
        site.Write("page", "at last");
        var outcome = await role.BarrierAsync(false, CancellationToken.None);
        Assert.Equal(Hash("at last"), site.Store.ManifestOf(outcome.Newest.Id).Find(EntryPath.Parse("page"))!.Hash);
        Assert.Null(await role.CaptureAsync(false, CancellationToken.None));
    }

    [Theory]
    [InlineData("true", "there is no directory")]
    [InlineData("mkdir \"$MIRROR_READ_FROM\"", "is empty, while")]
    public async Task A_snapshot_that_was_not_made_is_refused_and_nothing_is_taken_for_deleted(string before, string says)
    {
        await using var site = await MakeAsync(Copy, Remove);
        await using (await EnterIdleAsync(site))
        {
        }

        site.Config = site.Config with { Hooks = site.Config.Hooks! with { Before = ["/bin/sh", "-c", before] } };
        await using var role = await EnterIdleAsync(site, epoch: 2);
        foreach (var allowed in new[] { false, true })
        {
            var failure = await Assert.ThrowsAsync<CaptureException>(() => role.CaptureAsync(allowed, CancellationToken.None));
            Assert.Contains(says, failure.Message, StringComparison.Ordinal);
        }

        Assert.Equal(new VersionId(1, 1), site.Store.Head!.Id);
    }

    [Fact]
    public async Task An_old_snapshot_is_never_taken_for_the_present()
    {
        await using var site = await MakeAsync($"[ -e \"$MIRROR_READ_FROM\" ] || {Copy}", "true");
        await using var role = await EnterIdleAsync(site);
        site.Write("page", "2");

        var failure = await Assert.ThrowsAsync<CaptureException>(() => role.CaptureAsync(false, CancellationToken.None));

        Assert.Contains("an old snapshot would be captured as the present state", failure.Message, StringComparison.Ordinal);
        Shell.Run("rm -r \"$1\"", Place(site));
        Assert.NotNull(await role.CaptureAsync(false, CancellationToken.None));
    }

    [Fact]
    public async Task A_missing_marker_stops_it_too()
    {
        await using var site = await MakeAsync($"{Copy}; rm \"$MIRROR_READ_FROM/page\"", Remove, static files => files with { Marker = "page" });
        await using var role = await EnterIdleAsync(site);

        var failure = await Assert.ThrowsAsync<CaptureException>(() => role.CaptureAsync(false, CancellationToken.None));

        Assert.Contains("looks like a mount point without its disk", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_was_written_just_before_the_snapshot_is_not_trusted_by_its_stat()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("page", "1"));
        Shell.Run("cp -a \"$1\" \"$2\"", site.Root, Place(site));
        var now = TimeProvider.System.GetUtcNow();

        // The capture itself comes much later than the snapshot.
        Assert.Equal([EntryPath.Parse("page")], (await CaptureAsync(site, now)).Unsettled);
        Assert.Empty((await CaptureAsync(site, LiveSite.Later.GetUtcNow())).Unsettled);
    }

    [MountFact]
    public async Task A_snapshot_that_keeps_inodes_costs_no_reading_and_neither_does_going_back_to_the_live_tree()
    {
        // A file system in a file; a copy of that file is a snapshot, on a device of its own, as LVM would make one.
        using var disks = new TemporaryDirectory();
        var (disk, mount) = (disks["disk"], disks.Make("mounted"));
        Shell.Run("truncate -s 16M \"$1\" && mkfs.ext4 -q \"$1\" && mount -o loop \"$1\" \"$2\"", disk, mount);
        try
        {
            await using var site = await LiveSite.MakeAsync();
            var live = Path.Combine(mount, "site");
            Tree().WriteTo(live);
            await AssertCheapAsync(site, live, place => Shell.Run(
                "fsfreeze -f \"$1\" && { cp \"$2\" \"$2.snapshot\"; fsfreeze -u \"$1\"; } && mkdir \"$3\" && mount -o ro,noload,loop \"$2.snapshot\" \"$3\"", mount, disk, place),
                place => Shell.Run("umount \"$1\" && rmdir \"$1\" && rm \"$2.snapshot\"", place, disk), "site");
        }
        finally
        {
            Shell.Run("umount -l \"$1\"", mount);
        }
    }

    [MountFact]
    public async Task A_snapshot_of_btrfs_is_read_as_cheaply()
    {
        if (Shell.Run("command -v mkfs.btrfs >/dev/null && grep -q btrfs /proc/filesystems && echo yes || echo no").Trim() != "yes")
        {
            return;
        }

        using var disks = new TemporaryDirectory();
        var (disk, mount) = (disks["disk"], disks.Make("mounted"));
        Shell.Run("truncate -s 128M \"$1\" && mkfs.btrfs -q \"$1\" && mount -o loop \"$1\" \"$2\" && btrfs subvolume create \"$2/site\" >&2", disk, mount);
        try
        {
            await using var site = await LiveSite.MakeAsync();
            var live = Path.Combine(mount, "site");
            Tree().WriteTo(live);
            await AssertCheapAsync(site, live, place => Shell.Run("btrfs subvolume snapshot -r \"$1\" \"$2/snapshot\" >&2 && ln -s \"$2/snapshot\" \"$3\"", live, mount, place),
                place => Shell.Run("rm \"$1\" && btrfs subvolume delete \"$2/snapshot\" >&2", place, mount), "");
        }
        finally
        {
            Shell.Run("umount -l \"$1\"", mount);
        }
    }

    private static async Task AssertCheapAsync(LiveSite site, string live, Action<string> make, Action<string> remove, string within)
    {
        var later = LiveSite.Later.GetUtcNow();
        Assert.NotNull((await CaptureAsync(site, null, live: live)).Version);
        for (var round = 0; round < 2; round++)
        {
            make(Place(site));
            var place = Path.Combine(Place(site), within);
            var same = await CaptureAsync(site, later, live: live, place: place);
            Assert.Null(same.Version);
            Assert.Equal(0, same.FilesRead);

            File.WriteAllText(Path.Combine(live, "a/one"), $"after the snapshot {round}");
            Assert.Null((await CaptureAsync(site, later, live: live, place: place)).Version);
            remove(Place(site));

            make(Place(site));
            var changed = await CaptureAsync(site, later, live: live, place: place, touched: new TouchedPaths(false, new HashSet<EntryPath> { EntryPath.Parse("a/one") }, new HashSet<EntryPath>()));
            Assert.Equal(1, changed.FilesRead);
            Assert.Equal(["a/one"], LiveSite.Put(changed));
            remove(Place(site));

            // The whole tree again, and a move, which is known by the inode.
            Directory.Move(Path.Combine(live, round == 0 ? "b" : "c"), Path.Combine(live, round == 0 ? "c" : "b"));
            make(Place(site));
            var moved = await CaptureAsync(site, later, live: live, place: place);
            Assert.NotNull(moved.Version);
            Assert.Equal(0, moved.FilesRead);
            remove(Place(site));
        }

        var back = await CaptureAsync(site, null, live: live);
        Assert.Null(back.Version);
        Assert.Equal(0, back.FilesRead);
    }

    private static TreeLiteral Tree() => Enumerable.Range(0, 20).Aggregate(
        TreeLiteral.Empty.File("a/one", "1").File("b/big", LiveSite.Noise(1, 300_000)).Hardlink("b/second", "b/big"), (so, number) => so.File($"b/{number}", $"{number}"));

    private static async Task<CaptureResult> CaptureAsync(LiveSite site, DateTimeOffset? since, string? live = null, string? place = null, TouchedPaths? touched = null)
    {
        var root = live ?? site.Root;
        var request = new CaptureRequest(root, null, PathFilter.Nothing, "a", 1, [], AllowMassDelete: false)
        {
            Touched = touched ?? TouchedPaths.All,
            Snapshot = since is { } at ? TreeSnapshot.Open(place ?? Place(site), root, at) : null,
        };
        var captured = await SiteCapture.CaptureAsync(site.Store, request, site.Store.OutboxDirectory, LiveSite.Later, CancellationToken.None);
        if (captured.Version is { } version)
        {
            await site.Store.RecordCaptureAsync(version, captured.Delta, captured.StatKeys, captured.Signatures, CancellationToken.None);
        }
        else
        {
            await site.Store.RememberSourceAsync(captured.StatKeys, captured.Signatures, CancellationToken.None);
        }

        return captured;
    }

    private static string Place(LiveSite site) => site.Files["snapshot"];

    private static ContentHash Hash(string content) => ContentHash.From(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(content)));

    private static Task<PrimaryRole> EnterIdleAsync(LiveSite site, ulong epoch = 1) => site.EnterAsync(epoch, CaptureConfig.Default with { OnChange = false });

    private static async Task UntilAsync(Func<bool> reached)
    {
        using var limit = new CancellationTokenSource(patience);
        while (!reached())
        {
            await Task.Delay(10, limit.Token);
        }
    }

    private static async Task<LiveSite> MakeAsync(string before, string after, Func<FilesConfig, FilesConfig>? files = null)
    {
        var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("page", "1").File("other", "2"), files: files);
        site.Config = site.Config with
        {
            Files = site.Config.Files with { ReadFrom = Place(site) },
            Hooks = new HooksConfig(["/bin/sh", "-c", before, "sh", site.Files["once"]], ["/bin/sh", "-c", after], TimeSpan.FromMinutes(1)),
        };
        return site;
    }
}
