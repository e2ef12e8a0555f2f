using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Store.Tests.Laws;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

public sealed class GeneratedHistoryTests
{
    [Fact]
    public Task Every_version_of_any_history_is_staged_exactly_and_restored_exactly() => Gen.Int.SampleAsync(
        async seed =>
        {
            var random = new Random(seed);
            using var site = new VersionedSite();
            await using var store = await site.OpenAsync(new FailingDisk(failAt: 0, forGood: false));
            var tree = TreeLiteral.Empty;
            for (var version = 0; version < 6; version++)
            {
                for (var changes = random.Next(6); changes >= 0; changes--)
                {
                    tree = Changed(tree, random);
                }

                site.Add(tree);
                await site.StageAllAsync(store, flip: random.Next(3) > 0);
                TreeAssert.Holds(tree, store.HeadTree);
            }

            await store.FlipAsync(CancellationToken.None);
            await VersionedSite.AssertCleanAsync(store);
            foreach (var (record, _) in site.Versions)
            {
                await site.AssertRestoresAsync(store, record);
            }
        },
        iter: 60, threads: 1);

    /// <summary>One thing an app or a person does to a tree. Few names and few contents, so that moves, copies and returns of old states are common.</summary>
    internal static TreeLiteral Changed(TreeLiteral tree, Random random)
    {
        var files = tree.Nodes.Where(node => node.Value.Type == EntryType.File).Select(node => node.Key).ToList();
        var any = tree.Nodes.Keys.Where(path => !path.IsRoot).ToList();
        var name = random.Next(3) == 0 ? $"d{random.Next(3)}/f{random.Next(3)}" : $"f{random.Next(5)}";
        var target = EntryPath.Parse(name);
        switch (random.Next(files.Count == 0 ? 1 : 11))
        {
            case 0 or 1:
                return tree.File(name, SampleTrees.Text(random.Next(4), random.Next(3) * 4_000));
            case 2:
                var edited = tree.Nodes[Pick(files)];
                return tree.Replace(edited, edited.WithContent([.. edited.Content, .. SampleTrees.Text(random.Next(3), 700)]));
            case 3:
                return tree.Without(Pick(any));
            case 4:
                var from = Pick(any);
                return target.IsWithin(from) || from.IsWithin(target) ? tree : SampleTrees.Moved(tree, from.ToString(), name);
            case 5:
                // A copy with all metadata: it must not become a link.
                var original = tree.Nodes[Pick(files)];
                return tree.Put(target, original.With(entry => entry));
            case 6:
                return tree.Put(target, tree.Nodes[Pick(files)]);
            case 7:
                var touched = tree.Nodes[Pick(any)];
                return touched.Type == EntryType.Directory ? tree : tree.Replace(touched, touched.With(entry => entry with { MtimeUnixNs = entry.MtimeUnixNs + random.Next(2) }));
            case 8:
                var changed = tree.Nodes[Pick(any)];
                return changed.Type == EntryType.Symlink ? tree : tree.Replace(changed, changed.With(entry => entry with { Mode = entry.Mode ^ 0x8 }));
            case 9:
                return MovedDirectories.Edited(
                    MovedDirectories.Moved(MovedDirectories.Planted(tree, 1), MovedDirectories.Ways[random.Next(MovedDirectories.Ways.Count)]), (uint)random.Next(1000));
            default:
                return tree.Symlink(name, $"f{random.Next(3)}");
        }

        EntryPath Pick(List<EntryPath> paths) => paths[random.Next(paths.Count)];
    }
}
