using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Rebuilding;

/// <summary>The rebuild is interrupted at every change of the disk it makes, and the index is lost after every change that staging and flipping make.</summary>
public sealed class RebuildCrashTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_rebuild_may_be_interrupted_anywhere(bool damaged)
    {
        var points = new List<string>();
        for (var failAt = 1; ; failAt++)
        {
            using var site = await NewSiteAsync(saved: 3);
            Lose(site, damaged);
            var disk = new FailingDisk(failAt, forGood: true) { Armed = true };
            var failed = await Crashing.FailsAsync(async () => await (await site.OpenAsync(disk)).DisposeAsync());
            await using (var store = await site.OpenAsync(new FailingDisk(0, false)))
            {
                Assert.Equal(site.Versions[2].Record, store.Current);
                await Crashing.AssertGoesOnAsync(site, store, $"rebuild failed at {failAt} ({disk.Failed})");
            }

            // Set aside is set aside: nobody's bytes are deleted.
            Assert.Equal(damaged, Directory.EnumerateFiles(site.StoreDirectory, "index.damaged-*.db").Any());
            if (!failed)
            {
                break;
            }

            points.Add(disk.Failed!);
        }

        output.WriteLine($"{points.Count} failures injected: {string.Join(", ", points.Distinct())}");
        Assert.Contains("rebuild: write index", points);
        Assert.Contains("rebuild: rename index", points);
        Assert.Equal(damaged, points.Contains("rebuild: set aside"));
    }

    [Fact]
    public async Task The_index_may_be_lost_together_with_the_machine_at_any_change_of_the_disk()
    {
        var points = new List<string>();
        for (var failAt = 1; ; failAt++)
        {
            using var site = await NewSiteAsync(saved: 1);
            var disk = new FailingDisk(failAt, forGood: true);
            bool failed;
            await using (var store = await site.OpenAsync(disk))
            {
                disk.Armed = true;
                failed = await Crashing.FailsAsync(() => Crashing.StageAndFlipAsync(site, store));
            }

            Lose(site, damaged: false);
            await using (var store = await site.OpenAsync(new FailingDisk(0, false)))
            {
                Assert.True(store.Current!.Id == site.Versions[0].Record.Id || store.Current.Id >= site.Versions[2].Record.Id, $"{store.Current.Id} was never flipped to");
                await Crashing.AssertGoesOnAsync(site, store, $"the index was lost at {failAt} ({disk.Failed})");
            }

            if (!failed)
            {
                break;
            }

            points.Add(disk.Failed!);
        }

        output.WriteLine($"{points.Count} failures injected: {string.Join(", ", points.Distinct())}");
        Assert.True(points.Count > 100, $"only {points.Count} changes were seen");
    }

    [Fact]
    public async Task The_index_may_be_lost_while_the_newest_version_is_taken_back()
    {
        var points = new List<string>();
        foreach (var idleLags in (bool[])[false, true])
        {
            for (var failAt = 1; ; failAt++)
            {
                using var site = await NewSiteAsync(saved: 3);
                var disk = new FailingDisk(failAt, forGood: true);
                bool failed;
                await using (var store = await site.OpenAsync(disk))
                {
                    if (idleLags)
                    {
                        site.TreeRemove(Path.Combine(site.StoreDirectory, "slots", store.CurrentSlot == "a" ? "b" : "a"));
                    }

                    disk.Armed = true;
                    failed = await Crashing.FailsAsync(() => store.ForgetNewestAsync(null, CancellationToken.None));
                }

                Lose(site, damaged: false);
                await using (var store = await site.OpenAsync(new FailingDisk(0, false)))
                {
                    Assert.True(store.Current == store.Head, $"at {failAt} ({disk.Failed}): {store.Current?.Id} is current and {store.Head?.Id} the newest");
                    Assert.Contains(store.Head!.Id, site.Versions.Skip(1).Take(failed ? 2 : 1).Select(version => version.Record.Id));
                    await Crashing.AssertGoesOnAsync(site, store, $"the index was lost at {failAt} ({disk.Failed})");
                }

                if (!failed)
                {
                    break;
                }

                points.Add(disk.Failed!);
            }
        }

        output.WriteLine($"{points.Count} failures injected: {string.Join(", ", points.Distinct())}");
        Assert.Contains("undo: commit", points);
        Assert.Contains("undo: slot: commit", points);
    }

    [Fact]
    public async Task The_index_may_be_lost_while_packs_are_exchanged_and_a_pack_that_cannot_be_read_then_is_not_deleted()
    {
        var points = new List<string>();
        for (var failAt = 1; ; failAt++)
        {
            using var site = await NewSiteAsync(saved: 4);
            var disk = new FailingDisk(failAt, forGood: true);
            bool failed;
            await using (var store = await site.OpenAsync(disk))
            {
                disk.Armed = true;
                failed = await Crashing.FailsAsync(() => store.ForgetAsync([site.Versions[1].Record.Id], dryRun: false, null, CancellationToken.None));
            }

            Lose(site, damaged: false);
            var unreadable = Path.Combine(site.StoreDirectory, "history", $"{site.Versions[1].Record.Id}-{site.Versions[0].Record.Id}.pack");
            var damaged = failAt % 2 == 0 && File.Exists(unreadable);
            if (damaged)
            {
                await File.WriteAllBytesAsync(unreadable, (await File.ReadAllBytesAsync(unreadable))[..^1]);
            }

            await using (var store = await site.OpenAsync(new FailingDisk(0, false)))
            {
                Assert.Equal(damaged, damaged && File.Exists(unreadable));
                Assert.All([3, 2], at => Assert.Contains(store.Versions, version => version.Record == site.Versions[at].Record && version.Restorable));
                foreach (var version in store.Versions.Where(version => version.Restorable))
                {
                    await site.AssertRestoresAsync(store, version.Record);
                }

                Assert.True(damaged || store.Versions.Any(version => version.Record == site.Versions[0].Record && version.Restorable), $"lost at {failAt} ({disk.Failed})");
            }

            if (!failed)
            {
                break;
            }

            points.Add(disk.Failed!);
        }

        output.WriteLine($"{points.Count} failures injected: {string.Join(", ", points.Distinct())}");
        Assert.Contains("thin: commit", points);
    }

    [Fact]
    public async Task The_index_may_be_lost_at_any_change_of_the_disk_that_a_primary_makes()
    {
        var points = new List<string>();
        for (var failAt = 1; ; failAt++)
        {
            using var site = await NewSiteAsync(saved: 2, known: 2);
            var disk = new FailingDisk(failAt, forGood: true);
            bool failed;
            await using (var store = await site.OpenAsync(disk))
            {
                disk.Armed = true;
                failed = await Crashing.FailsAsync(() => ReignAsync(site, store));
            }

            var written = Path.Combine(site.StoreDirectory, "current", "by-the-app");
            var wrote = File.Exists(written);
            Lose(site, damaged: false);
            await using (var store = await site.OpenAsync(new FailingDisk(0, false)))
            {
                // What the app wrote is where it was, whatever the store is now; and while it may have written, the slot is still its own.
                var where = $"at {failAt} ({disk.Failed}): head {store.Head!.Id}, live {store.Live}";
                Assert.True(wrote == File.Exists(written), where);
                Assert.True(store.Live is null ? !wrote || site.Versions.Count == 3 : store.Live.Tree == store.CurrentTree, where);
                Assert.True(failed || (store.Live is null && store.Head == site.Versions[2].Record), where);
                Assert.Equal(site.TreeOf(store.Head.Id).ToManifest().Entries, store.HeadManifest.Entries);
                await site.AssertRestoresAsync(store, site.Versions[0].Record);
            }

            if (!failed)
            {
                break;
            }

            points.Add(disk.Failed!);
        }

        output.WriteLine($"{points.Count} failures injected: {string.Join(", ", points.Distinct())}");
        Assert.Contains("record capture: commit", points);
        Assert.Contains("end capturing: commit", points);
    }

    /// <summary>The slot goes live, its app writes, that is captured, and the node becomes a replica again.</summary>
    private static async Task ReignAsync(VersionedSite site, VersionStore store)
    {
        await store.BeginCapturingAsync(CancellationToken.None);
        var written = Crashing.Trees[1].File("by-the-app", "written");
        site.TreeRemove(store.CurrentTree!);
        written.WriteTo(store.CurrentTree!);
        var captured = site.Add(written, site.Versions[1].Record.Id.Next, site.Versions[1].Record);
        await store.RecordCaptureAsync(
            captured, Manifest.Diff(store.HeadManifest, written.ToManifest()), new Dictionary<EntryPath, StatKey>(), new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);
        await store.EndCapturingAsync(site.Files["root"], captured.Id, written.ToManifest(), null, "no longer primary", CancellationToken.None);
    }

    private static void Lose(VersionedSite site, bool damaged)
    {
        var index = Path.Combine(site.StoreDirectory, "index.db");
        File.Delete(index + "-wal");
        if (damaged)
        {
            File.WriteAllBytes(index, SampleTrees.Text(7, 20_000));
        }
        else
        {
            File.Delete(index);
        }
    }

    private static async Task<VersionedSite> NewSiteAsync(int saved, int known = 4)
    {
        var site = new VersionedSite();
        await using var store = await site.OpenAsync(new FailingDisk(0, false));
        foreach (var tree in Crashing.Trees.Take(saved))
        {
            site.Add(tree);
            await site.StageAllAsync(store, flip: true);
        }

        foreach (var tree in Crashing.Trees.Take(known).Skip(saved))
        {
            site.Add(tree);
        }

        return site;
    }
}
