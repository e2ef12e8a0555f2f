using System.Globalization;
using CsCheck;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.History;

public sealed class RestoreFormsTests : IDisposable
{
    private readonly VersionedSite site = new();

    public void Dispose() => site.Dispose();

    /// <summary>Whole, linked, in place, and part by part.</summary>
    [Fact]
    public Task Any_version_of_a_random_life_comes_back_the_same_by_every_form() => Gen.Int.SampleAsync(
        async seed =>
        {
            var random = new Random(seed);
            using var life = new VersionedSite();
            await using var store = await life.OpenAsync(new FailingDisk(0, false));
            var tree = SampleTrees.First;
            for (var version = 0; version < 4; version++)
            {
                var files = tree.Nodes.Where(node => node.Value.Type == EntryType.File).ToList();
                var (path, inode) = files[random.Next(files.Count)];
                tree = random.Next(3) switch
                {
                    0 => tree.Replace(inode, inode.WithContent([.. inode.Content, .. SampleTrees.Text(random.Next(), 900)])),
                    1 => tree.Without(path),
                    _ => SampleTrees.Moved(tree, path.ToString(), $"moved/{random.Next(5).ToString(CultureInfo.InvariantCulture)}"),
                };
                life.Add(tree);
            }

            await life.StageAllAsync(store, flip: true);
            var (record, expected) = life.Versions[random.Next(life.Versions.Count)];
            var linked = life.Files["linked"];
            await store.RestoreAsync(record.Id, linked, new RestoreOptions { Link = true }, null, CancellationToken.None);
            TreeAssert.Holds(expected, linked);
            var place = life.Files["place"];
            SampleTrees.Third.WriteTo(place);
            await store.RestoreAsync(record.Id, place, new RestoreOptions { InPlace = true }, null, CancellationToken.None);
            TreeAssert.Holds(expected, place);
            foreach (var (path, inode) in expected.Nodes.Where(node => !node.Key.IsRoot && node.Key.Parent.IsRoot).ToList())
            {
                var part = Path.Combine(life.Files.Make($"part-{Convert.ToHexString(path.Bytes)}"), "x");
                await store.RestoreAsync(record.Id, part, new RestoreOptions { Path = path }, null, CancellationToken.None);
                Assert.Empty(PartDifferences(expected, path, inode, part));
            }
        },
        iter: 12, threads: 1);

    [Fact]
    public async Task A_hard_link_whose_first_name_lies_outside_the_part_is_a_file_there()
    {
        var tree = TreeLiteral.Empty.File("a/first", "linked").Hardlink("b/second", "a/first").Hardlink("b/third", "a/first");
        site.Add(tree);
        await using var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
        var part = site.Files["part"];
        await store.RestoreAsync(new VersionId(1, 1), part, new RestoreOptions { Path = EntryPath.Parse("b") }, null, CancellationToken.None);
        using var handle = new TreeHandle(part);
        Assert.Equal(2u, InodeFacts.Of(handle, EntryPath.Parse("second"))!.Value.Links);
        Assert.Equal("linked", await File.ReadAllTextAsync(Path.Combine(part, "third")));
    }

    [Fact]
    public async Task Linked_files_are_the_stores_own_inodes_and_what_differs_in_anything_is_not()
    {
        await using var store = await ThreeVersionsAsync();
        var linked = site.Files["linked"];
        var report = await store.RestoreAsync(new VersionId(1, 1), linked, new RestoreOptions { Link = true }, null, CancellationToken.None);
        TreeAssert.Holds(SampleTrees.First, linked);
        Assert.True(report.Linked > 0);
        using (var restored = new TreeHandle(linked))
        {
            Assert.True(InodeFacts.Of(restored, EntryPath.Parse("bin/tool"))!.Value.Links > 2);

            // Its mode and time are others now, though the content is not.
            Assert.Equal(1u, InodeFacts.Of(restored, EntryPath.Parse("pages/other"))!.Value.Links);
        }

        // And the store goes on as if nobody had linked.
        site.Add(SampleTrees.Third.Without("bin/tool").File("new", "file"));
        await site.StageAllAsync(store, flip: true);
        await VersionedSite.AssertCleanAsync(store);
    }

    [Fact]
    public async Task A_plan_says_what_would_be_read_and_changes_nothing()
    {
        await using var store = await ThreeVersionsAsync();
        var plan = await store.PlanRestoreAsync(new VersionId(1, 1), site.Files["dest"], RestoreOptions.Everything, CancellationToken.None);
        Assert.Equal(["1.3-1.2.pack", "1.2-1.1.pack"], plan.ManifestWay);
        Assert.Contains(plan.Sources, source => source.Name == "1.2-1.1.pack" && source.Contents > 0);
        Assert.Contains(plan.Sources, source => source.Name == store.HeadTree);
        Assert.Equal(SampleTrees.First.ToManifest().TotalBytes, plan.BytesToWrite);
        Assert.True(plan.Needed > 0);
        Assert.True(plan.Free > 0);
        Assert.False(plan.Replaces);
        Assert.False(Path.Exists(site.Files["dest"]));
        Assert.Empty(Directory.EnumerateFileSystemEntries(site.Files.Path, "*partial*"));
    }

    [Fact]
    public async Task A_detour_is_reported_with_what_was_used_instead()
    {
        await using var store = await ThreeVersionsAsync();

        // A file that the version has a second time, under another name.
        await File.WriteAllTextAsync(Path.Combine(store.HeadTree, "bin/tool"), "#!/bin/xx\n");
        var report = await store.RestoreAsync(new VersionId(1, 3), site.Files["dest"], null, CancellationToken.None);
        TreeAssert.Holds(SampleTrees.Third, site.Files["dest"]);
        var detour = Assert.Single(report.Detours);
        Assert.Contains("bin/tool is not what its manifest says", detour.Damaged, StringComparison.Ordinal);
        Assert.EndsWith("copy-of-tool", detour.Instead, StringComparison.Ordinal);

        // And one that is nowhere else.
        await File.WriteAllTextAsync(Path.Combine(store.HeadTree, "empty/now-a-directory"), "no!");
        var error = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(new VersionId(1, 3), site.Files["dest2"], null, CancellationToken.None));
        Assert.Contains("nowhere in this store, such as \"empty/now-a-directory\"", error.Message, StringComparison.Ordinal);
        Assert.False(Path.Exists(site.Files["dest2"]));
    }

    [Fact]
    public async Task Bad_destinations_are_refused_with_what_to_do()
    {
        await using var store = await ThreeVersionsAsync();
        var full = site.Files.Make("full");
        await File.WriteAllTextAsync(Path.Combine(full, "mine"), "mine");
        await File.WriteAllTextAsync(site.Files["file"], "mine");
        var deep = site.Files.Path + "/" + string.Join('/', Enumerable.Repeat(new string('d', 250), 16));
        Directory.CreateDirectory(deep);
        foreach (var (destination, why) in new[]
        {
            (full, "--in-place"), (site.Files["file"], "not a directory"), (site.Files["none/below"], "no parent directory"), ("/", "root of the file system"),
            (Path.Combine(deep, new string('x', 4070 - deep.Length)), "no program can use"), (Path.Combine(store.Directory, "new"), "inside the store"),
        })
        {
            var error = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(new VersionId(1, 1), destination, null, CancellationToken.None));
            Assert.Contains(why, error.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<StoreException>(() => store.PlanRestoreAsync(new VersionId(1, 1), destination, RestoreOptions.Everything, CancellationToken.None));
        }

        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(full, "mine")));
        Assert.Equal("mine", await File.ReadAllTextAsync(site.Files["file"]));
        var missing = await Assert.ThrowsAsync<StoreException>(() => store.RestoreAsync(
            new VersionId(1, 1), site.Files["dest"], new RestoreOptions { Path = EntryPath.Parse("no/such") }, null, CancellationToken.None));
        Assert.Contains("has no \"no/such\"", missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_little_room_is_said_in_bytes()
    {
        RestoreTarget.CheckRoom("/srv/x", 100, 100);
        var error = Assert.Throws<StoreException>(() => RestoreTarget.CheckRoom("/srv/x", 101, 100));
        Assert.Contains("needs 101 bytes, 100 are free", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Contents_are_written_out_whole_or_not_at_all()
    {
        await using var store = await ThreeVersionsAsync();
        foreach (var (record, tree) in site.Versions)
        {
            foreach (var entry in store.ManifestOf(record.Id).Entries.Where(entry => entry.Type == EntryType.File))
            {
                using var content = new MemoryStream();
                await store.CopyContentAsync(record.Id, entry.Path, content, CancellationToken.None);
                Assert.Equal(tree.Nodes[entry.Path].Content, content.ToArray());
            }
        }

        using var nothing = new MemoryStream();
        await Assert.ThrowsAsync<StoreException>(() => store.CopyContentAsync(new VersionId(1, 1), EntryPath.Parse("bin"), nothing, CancellationToken.None));
        await Assert.ThrowsAsync<StoreException>(() => store.CopyContentAsync(new VersionId(1, 1), EntryPath.Parse("gone"), nothing, CancellationToken.None));
        Assert.Equal(0, nothing.Length);
    }

    [Fact]
    public async Task What_differs_is_told_by_kind_and_moves_are_seen()
    {
        await using var store = await ThreeVersionsAsync();
        var changes = store.Diff(new VersionId(1, 2), new VersionId(1, 3)).ToDictionary(change => change.Path.ToString());
        Assert.Equal((PathChangeKind.Moved, "uploads/picture"), (changes["media/picture"].Kind, changes["media/picture"].Before!.Path.ToString()));
        Assert.False(changes.ContainsKey("uploads/picture"));
        Assert.Equal(PathChangeKind.Type, changes["disk.img"].Kind);
        Assert.Equal(PathChangeKind.Removed, changes["pages/start.link"].Kind);
        Assert.Equal(PathChangeKind.Added, changes["tool2"].Kind);
        Assert.Equal(PathChangeKind.Content, store.Diff(new VersionId(1, 1), new VersionId(1, 2)).Single(change => change.Path.ToString() == "index.html").Kind);
        Assert.Equal(PathChangeKind.Metadata, store.Diff(new VersionId(1, 1), new VersionId(1, 2)).Single(change => change.Path.ToString() == "pages/other").Kind);
        Assert.Empty(store.Diff(new VersionId(1, 2), new VersionId(1, 2)));
    }

    [Fact]
    public async Task A_paths_history_names_the_versions_that_changed_it()
    {
        await using var store = await ThreeVersionsAsync();
        var history = store.HistoryOf(path => path == EntryPath.Parse("broken") || path == EntryPath.Parse("index.html"));
        Assert.Empty(history.Unknown);
        Assert.Equal(
            ["1.1 Added broken", "1.1 Added index.html", "1.2 Removed broken", "1.2 Content index.html"],
            history.Changes.Select(found => $"{found.Version.Id} {found.Change.Kind} {found.Change.Path}"));
    }

    private async Task<VersionStore> ThreeVersionsAsync()
    {
        foreach (var tree in SampleTrees.All)
        {
            site.Add(tree);
        }

        var store = await site.OpenAsync();
        await site.StageAllAsync(store, flip: true);
        return store;
    }

    private static IEnumerable<string> PartDifferences(TreeLiteral expected, EntryPath path, TreeInode inode, string part)
    {
        if (inode.Type != EntryType.Directory)
        {
            var holder = TreeLiteral.ReadFrom(Path.GetDirectoryName(part)!);
            var found = holder.Nodes[EntryPath.Parse(Path.GetFileName(part))];
            return TreeAssert.Differences(TreeLiteral.Empty.Put(EntryPath.Parse("x"), inode.With(entry => entry)), TreeLiteral.Empty.Put(EntryPath.Parse("x"), found.With(entry => entry)));
        }

        var below = expected.Nodes.Where(node => node.Key.IsWithin(path))
            .Select(node => KeyValuePair.Create(node.Key == path ? EntryPath.Root : EntryPath.Parse(node.Key.Bytes[(path.Bytes.Length + 1)..]), node.Value));
        return TreeAssert.Differences(new TreeLiteral(below), TreeLiteral.ReadFrom(part));
    }
}
