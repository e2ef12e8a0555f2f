using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

public sealed class CapturingTests : IDisposable
{
    private readonly VersionedSite site = new();
    private string Root => site.Files["root"];

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_root_is_captured_where_it_is_and_becomes_a_slot_when_the_node_becomes_a_replica()
    {
        SampleTrees.First.WriteTo(Root);
        var first = site.Add(SampleTrees.First);
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(new LiveTree(Root, "live", default), await store.BeginCapturingAsync(Root, CancellationToken.None));
            await RecordAsync(store, first);
            Assert.Null(store.Current);
        }

        // The live tree moves on; its old contents are gone from here.
        Rewrite(SampleTrees.Second);
        var second = site.Add(SampleTrees.Second);
        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(new LiveTree(Root, "live", first.Id), store.Live);
            await RecordAsync(store, second);
            Assert.Equal(SampleTrees.First.ToManifest().Entries, store.ManifestOf(first.Id).Entries);
            Assert.Equal([false, true], store.Versions.Select(version => version.Restorable));
            Assert.Equal(Root, store.HeadTree);
            await site.AssertRestoresAsync(store, second);
        }

        // Meanwhile another node, that has 1.1, became primary; here there are 1.2 and one more change.
        var unseen = SampleTrees.Second.File("written-last", "just before the crash");
        Rewrite(unseen);
        var branch = site.Add(unseen);
        var fromNew = site.Add(SampleTrees.Third, new VersionId(2, 1), first);
        await using (var store = await site.OpenAsync())
        {
            await store.EndCapturingAsync(Root, first.Id, unseen.ToManifest(), await site.PackAsync(first, branch), "node-2 took over", CancellationToken.None);
            Assert.Null(store.Live);
            Assert.Equal(store.CurrentLink, new FileInfo(Root).LinkTarget);
            TreeAssert.Holds(unseen, Root);
            Assert.Equal(branch, store.Head);
            Assert.Equal(["", "diverged: node-2 took over", "diverged: node-2 took over"], store.Versions.Select(version => version.Note));
            await VersionedSite.AssertCleanAsync(store);
        }

        await using (var store = await site.OpenAsync())
        {
            await store.StageAsync(await site.PackAsync(null, fromNew, unseen.Contents().ContainsKey), null, CancellationToken.None);
            await store.FlipAsync(CancellationToken.None);
            TreeAssert.Holds(SampleTrees.Third, Root);
            await VersionedSite.AssertCleanAsync(store);

            // The divergence can be brought back whole, and everybody's manifest is known.
            await site.AssertRestoresAsync(store, branch);
            Assert.Equal(SampleTrees.First.ToManifest().Entries, store.ManifestOf(first.Id).Entries);
            Assert.Equal(SampleTrees.Second.ToManifest().Entries, store.ManifestOf(second.Id).Entries);
            Assert.NotNull(store.FindPack(first.Id, branch.Id));
        }
    }

    [Fact]
    public async Task Nothing_differs_and_the_node_rejoins_without_a_branch()
    {
        SampleTrees.First.WriteTo(Root);
        var first = site.Add(SampleTrees.First);
        var next = site.Add(SampleTrees.Second, new VersionId(2, 1), first);
        await using var store = await site.OpenAsync();
        await store.BeginCapturingAsync(Root, CancellationToken.None);
        await RecordAsync(store, first);
        await store.EndCapturingAsync(Root, first.Id, SampleTrees.First.ToManifest(), null, "", CancellationToken.None);

        // The new primary's pack from the shared version fits at once.
        await store.StageAsync(await site.PackAsync(first, next), null, CancellationToken.None);
        await store.FlipAsync(CancellationToken.None);
        TreeAssert.Holds(SampleTrees.Second, Root);
        await site.AssertRestoresAsync(store, first);
    }

    [Fact]
    public async Task A_promoted_slot_shares_nothing_with_the_other_and_its_stat_keys_are_known()
    {
        site.Add(SampleTrees.First);
        site.Add(SampleTrees.Second);
        var third = SampleTrees.Second.File("index.html", "<h1>As primary</h1>");
        await using (var store = await site.OpenAsync())
        {
            await site.StageAllAsync(store, flip: true);
            await store.AdoptRootLinkAsync(Root, CancellationToken.None);
            var live = await store.BeginCapturingAsync(Root, CancellationToken.None);
            Assert.Equal(site.Versions[1].Record.Id, live.Version);
            Assert.Single(Directory.EnumerateDirectories(Path.Combine(site.StoreDirectory, "slots")));
            var scan = TreeScanner.Scan(live.Tree, (_, _) => false, CancellationToken.None);
            Assert.All(
                scan.Entries.Where(scanned => scanned.Entry.Type == EntryType.File),
                scanned => Assert.Equal(scanned.Stat, store.StatKeys[scanned.Entry.Path]));

            // Written in place, as apps do.
            await File.WriteAllTextAsync(Path.Combine(live.Tree, "index.html"), "<h1>As primary</h1>");
            await RecordAsync(store, site.Add(third));
            await Assert.ThrowsAsync<StoreException>(() => store.FlipAsync(CancellationToken.None));
        }

        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(store.Head!.Id, store.Live!.Version);
            await store.EndCapturingAsync(Root, store.Head.Id, store.HeadManifest, null, "", CancellationToken.None);
            var next = site.Add(SampleTrees.Third, new VersionId(2, 1));
            await store.StageAsync(await site.PackAsync(store.Head, next), null, CancellationToken.None);
            await store.FlipAsync(CancellationToken.None);
            TreeAssert.Holds(SampleTrees.Third, Root);
            await site.AssertRestoresAsync(store, site.Versions[2].Record);
        }
    }

    [Fact]
    public async Task Promotion_refuses_to_lose_a_staged_version()
    {
        site.Add(SampleTrees.First);
        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
        site.Add(SampleTrees.Second);
        await site.StageAllAsync(store, flip: false);
        var error = await Assert.ThrowsAsync<StoreException>(() => store.BeginCapturingAsync(CancellationToken.None));
        Assert.Contains("Flip first", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_root_that_holds_files_is_never_replaced_by_the_link()
    {
        site.Add(SampleTrees.First);
        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
        SampleTrees.Second.WriteTo(Root);
        var error = await Assert.ThrowsAsync<StoreException>(() => store.AdoptRootLinkAsync(Root, CancellationToken.None));
        Assert.Contains("Move it away", error.Message, StringComparison.Ordinal);
        TreeAssert.Holds(SampleTrees.Second, Root);

        var empty = site.Files.Make("empty");
        await store.AdoptRootLinkAsync(empty, CancellationToken.None);
        await store.AdoptRootLinkAsync(empty, CancellationToken.None);
        TreeAssert.Holds(SampleTrees.First, empty);
    }

    [Fact]
    public async Task A_root_on_another_file_system_stays_where_it_is_with_the_reason()
    {
        // The kernel's in-memory file system stands in for a second disk.
        var root = Directory.CreateDirectory($"/dev/shm/mirror-test-{Guid.NewGuid():N}").FullName;
        try
        {
            await File.WriteAllTextAsync(Path.Combine(root, "page"), "one");
            var tree = TreeLiteral.ReadFrom(root);
            var first = site.Add(tree);
            await using var store = await site.OpenAsync();
            await store.BeginCapturingAsync(root, CancellationToken.None);
            await RecordAsync(store, first);
            var error = await Assert.ThrowsAsync<StoreException>(() => store.EndCapturingAsync(root, first.Id, store.HeadManifest, null, "", CancellationToken.None));
            Assert.Contains("different file systems", error.Message, StringComparison.Ordinal);
            TreeAssert.Holds(tree, root);
            Assert.Equal(root, store.Live!.Tree);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public async Task An_adoption_that_fails_anywhere_leaves_the_root_live_and_works_the_next_time()
    {
        for (var failAt = 1; ; failAt++)
        {
            using var trial = new VersionedSite();
            var root = trial.Files["root"];
            SampleTrees.First.WriteTo(root);
            var first = trial.Add(SampleTrees.First);
            var branch = trial.Add(SampleTrees.Second);
            var disk = new FailingDisk(failAt, forGood: true);
            bool failed;
            await using (var store = await trial.OpenAsync(disk))
            {
                await store.BeginCapturingAsync(root, CancellationToken.None);
                await RecordAsync(trial, store, first);
                trial.TreeRemove(root);
                SampleTrees.Second.WriteTo(root);
                disk.Armed = true;
                failed = await Record.ExceptionAsync(() => EndAsync(store)) is not null;
            }

            await using (var store = await trial.OpenAsync(new FailingDisk(0, forGood: false)))
            {
                TreeAssert.Holds(SampleTrees.Second, root);
                if (store.Live is not null)
                {
                    Assert.Null(new FileInfo(root).LinkTarget);
                    await EndAsync(store);
                }

                TreeAssert.Holds(SampleTrees.Second, root);
                Assert.Equal(branch.Id, store.Current!.Id);
                await VersionedSite.AssertCleanAsync(store);
            }

            if (!failed)
            {
                Assert.True(failAt > 10);
                return;
            }

            async Task EndAsync(VersionStore store) =>
                await store.EndCapturingAsync(root, first.Id, SampleTrees.Second.ToManifest(), await trial.PackAsync(first, branch), "test", CancellationToken.None);
        }
    }

    [Fact]
    public async Task Signatures_and_stat_keys_follow_the_head()
    {
        var content = SampleTrees.Text(3, 10_000);
        var first = site.Add(TreeLiteral.Empty.File("a", content).File("b", "b"));
        var second = site.Add(TreeLiteral.Empty.File("b", "b"));
        var digest = await BlockSignature.SignAsync(new MemoryStream(content), content.Length, new BlockKey(1), CancellationToken.None);
        var hash = ContentHash.From(digest.Hash);
        Directory.CreateDirectory(Root);
        StatKey known;
        await using (var store = await site.OpenAsync())
        {
            await store.BeginCapturingAsync(Root, CancellationToken.None);
            var changes = Changes(store, first);
            var (a, b) = (changes.Put.Single(entry => entry.Path == EntryPath.Parse("a")), changes.Put.Single(entry => entry.Path == EntryPath.Parse("b")));
            var keys = new Dictionary<EntryPath, StatKey> { [a.Path] = new(1, ulong.MaxValue, a.Size, a.MtimeUnixNs, -5), [b.Path] = new(1, 2, b.Size, b.MtimeUnixNs, 5) };
            await store.RecordCaptureAsync(
                first, changes, keys, new Dictionary<ContentHash, BlockSignature> { [hash] = digest.Signature }, CancellationToken.None);
            Assert.Equal(keys[a.Path], store.StatKeys[a.Path]);
            known = keys[a.Path];
        }

        await using (var store = await site.OpenAsync())
        {
            Assert.Equal(known, store.StatKeys[EntryPath.Parse("a")]);
            Assert.Equal(EntryPath.Parse("a"), store.StatKeys.PathOf(1, ulong.MaxValue));
            Assert.Null(store.StatKeys.PathOf(2, ulong.MaxValue));
            Assert.NotNull(store.FindSignature(hash));
            await RecordAsync(store, second);
            Assert.Equal([EntryPath.Parse("b")], store.StatKeys.Paths);
            Assert.Null(store.FindSignature(hash));
        }
    }

    [Fact]
    public async Task A_stat_of_another_size_than_its_entry_or_of_none_is_not_remembered()
    {
        var first = site.Add(TreeLiteral.Empty.File("a", "1").File("b", "2"));
        Directory.CreateDirectory(Root);
        await using var store = await site.OpenAsync();
        await store.BeginCapturingAsync(Root, CancellationToken.None);
        var changes = Changes(store, first);
        var (a, b) = (changes.Put.Single(entry => entry.Path == EntryPath.Parse("a")), changes.Put.Single(entry => entry.Path == EntryPath.Parse("b")));
        var keys = new Dictionary<EntryPath, StatKey>
        {
            [a.Path] = new(1, 2, a.Size + 1, a.MtimeUnixNs, 5), [b.Path] = new(1, 3, b.Size, b.MtimeUnixNs + 1, 5), [EntryPath.Parse("c")] = new(1, 4, 1, 1, 1),
        };

        await store.RecordCaptureAsync(first, changes, keys, new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);

        Assert.Equal([b.Path], store.StatKeys.Paths);
        Assert.False(store.StatKeys.TryGetValue(a.Path, out _));
    }

    [Fact]
    public async Task Every_file_is_found_by_its_inode_however_many_are_asked_for()
    {
        var first = site.Add(Enumerable.Range(0, 3_000).Aggregate(TreeLiteral.Empty, static (tree, file) => tree.File($"d{file % 30}/f{file}", $"{file}")));
        Directory.CreateDirectory(Root);
        await using var store = await site.OpenAsync();
        await store.BeginCapturingAsync(Root, CancellationToken.None);
        var changes = Changes(store, first);
        var keys = changes.Put.Where(static entry => entry.Type == EntryType.File).Select(static (entry, at) => (entry, at))
            .ToDictionary(static pair => pair.entry.Path, static pair => new StatKey((ulong)(pair.at % 2), (ulong)(10 + (pair.at / 2)), pair.entry.Size, pair.entry.MtimeUnixNs, pair.at));
        await store.RecordCaptureAsync(first, changes, keys, new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);

        var stats = store.StatKeys;

        Assert.All(keys, pair => Assert.Equal(pair.Key, stats.PathOf(pair.Value.Device, pair.Value.Inode)));
        Assert.All(keys, pair => Assert.Equal(pair.Value, stats[pair.Key]));
        Assert.Null(stats.PathOf(7, 10));
    }

    private ManifestDelta Changes(VersionStore store, VersionRecord version) => Manifest.Diff(store.HeadManifest, site.TreeOf(version.Id).ToManifest());

    private Task RecordAsync(VersionStore store, VersionRecord version) => RecordAsync(site, store, version);

    private static Task RecordAsync(VersionedSite of, VersionStore store, VersionRecord version) => store.RecordCaptureAsync(
        version, Manifest.Diff(store.HeadManifest, of.TreeOf(version.Id).ToManifest()),
        new Dictionary<EntryPath, StatKey>(), new Dictionary<ContentHash, BlockSignature>(), CancellationToken.None);

    private void Rewrite(TreeLiteral tree)
    {
        site.TreeRemove(Root);
        tree.WriteTo(Root);
    }
}
