using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Primary.Tests.Torture;

/// <summary>What other tools for keeping files in two places fell into, each as a test of its own. Those that have one elsewhere are not repeated.</summary>
public sealed class TrapsTests
{
    /// <summary>Nothing is deleted anywhere because a disk is not mounted, and work goes on when it is back.</summary>
    [MountFact]
    public async Task A_site_whose_disk_is_unmounted_is_not_an_empty_site()
    {
        await using var site = await LiveSite.MakeAsync();
        var disk = site.Files.Make("disk");
        Shell.Run("mount --bind \"$2\" \"$1\" && cd \"$1\" && mkdir pages && echo one > pages/one && echo two > pages/two", site.Root, disk);
        var replica = await site.ReplicaAsync();
        try
        {
            await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
            var head = site.Store.Head;
            Shell.Run("umount -l \"$1\"", site.Root);
            var failure = await Assert.ThrowsAsync<CaptureException>(() => site.CaptureAsync());
            Assert.Contains("unmounted disk", failure.Message, StringComparison.Ordinal);
            Assert.Equal(head, site.Store.Head);
            TreeAssert.SameDirectories(disk, replica.HeadTree);
            Shell.Run("mount --bind \"$2\" \"$1\"", site.Root, disk);

            site.Write("pages/three", "three");
            var captured = await site.CaptureAsync();
            Assert.Empty(captured.Delta.Removed);
            await LiveSite.StageAsync(replica, captured.Pack!);
            TreeAssert.SameDirectories(site.Root, replica.HeadTree);
        }
        finally
        {
            Shell.Run("umount -l \"$1\" || true", site.Root);
        }
    }

    /// <summary>What somebody changes by hand on a replica is found by its check, is in no later version, and is gone when the next version that touches it is there.</summary>
    [Fact]
    public async Task An_edit_by_hand_on_a_replica_is_found_and_undone()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("pages/one", "as it should be").File("pages/two", "and this"));
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        Shell.Run("cd \"$1\" && printf 'as I like it   ' > pages/one && touch -r pages/two pages/one && echo mine > pages/mine", replica.HeadTree);

        var findings = await replica.VerifyAsync(readData: true, null, CancellationToken.None);

        Assert.Contains(findings, finding => finding.What.Contains("pages/one", StringComparison.Ordinal));
        Assert.Contains(findings, finding => finding.What.Contains("pages/mine", StringComparison.Ordinal));
        Assert.All(findings, finding => Assert.NotEmpty(finding.Remedy));

        // The fill that such a replica asks for, which brings the contents that it was not believed to have.
        await using var role = await site.EnterAsync();
        var fill = await role.WriteFillAsync(new HashSet<ContentHash>(), CancellationToken.None);
        await LiveSite.StageAsync(replica, fill);
        TreeAssert.SameDirectories(site.Root, replica.HeadTree);
    }

    [Fact]
    public async Task A_change_of_a_time_or_a_mode_alone_arrives_and_brings_no_content()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("a", LiveSite.Noise(1, 50_000)).File("b", LiveSite.Noise(2, 50_000)).Directory("d").Symlink("l", "a"));
        var replica = await site.ReplicaAsync();
        await LiveSite.StageAsync(replica, (await site.CaptureAsync()).Pack!);
        Shell.Run("cd \"$1\" && touch -d '2001-01-01 01:01:01.010101011' a && chmod 0600 b && chmod 0700 d && touch -h -d '2002-02-02 02:02:02.020202020' l", site.Root);

        var captured = await site.CaptureAsync();

        Assert.Equal(["a", "b", "d", "l"], LiveSite.Put(captured));
        Assert.Empty(LiveSite.BlobsOf(captured));
        await LiveSite.StageAsync(replica, captured.Pack!);
        Identical.Assert(site.Root, replica.HeadTree);
    }

    /// <summary>A primary whose disk is full makes no version, says so, and goes on where it was when there is room.</summary>
    [MountFact]
    public async Task A_full_disk_makes_no_version_and_the_next_capture_has_everything()
    {
        await using var site = await LiveSite.MakeAsync(TreeLiteral.Empty.File("page", "one"));
        using var small = new MountedDirectory(4096);
        await using var store = await VersionStore.OpenAsync(Path.Combine(small.Path, "store"), LiveSite.Name, TimeProvider.System, CancellationToken.None);
        await store.BeginCapturingAsync(site.Root, CancellationToken.None);
        var request = new CaptureRequest(site.Root, null, PathFilter.For(site.Config), "a", 1, [], false);
        var first = await SiteCapture.CaptureAsync(store, request, store.OutboxDirectory, LiveSite.Later, CancellationToken.None);
        await store.RecordCaptureAsync(first.Version!, first.Delta, first.StatKeys, first.Signatures, CancellationToken.None);
        await File.WriteAllBytesAsync(Path.Combine(site.Root, "big"), LiveSite.Noise(5, 8 << 20));

        var failure = await Assert.ThrowsAsync<CaptureException>(() => SiteCapture.CaptureAsync(store, request, store.OutboxDirectory, LiveSite.Later, CancellationToken.None));

        Assert.Contains("disk", failure.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(first.Version, store.Head);
        Assert.DoesNotContain(Directory.GetFiles(store.OutboxDirectory), static name => name.EndsWith(".tmp", StringComparison.Ordinal));
        Shell.Run("mount -o remount,size=64m none \"$1\"", small.Path);
        var second = await SiteCapture.CaptureAsync(store, request, store.OutboxDirectory, LiveSite.Later, CancellationToken.None);
        Assert.Equal(["", "big"], LiveSite.Put(second));
    }
}
