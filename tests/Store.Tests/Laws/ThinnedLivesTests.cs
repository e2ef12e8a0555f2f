using CsCheck;
using Mirror.Store.Packs;
using Mirror.Store.Tests.Retention;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Laws;

/// <summary>The law of thinning, over lives of whole stores: whatever is dropped, in whatever order, what is kept is exactly what it was.</summary>
public sealed class ThinnedLivesTests
{
    private static readonly int Longer = Environment.GetEnvironmentVariable("MIRROR_LONG") == "1" ? 100 : 1;

    /// <summary>Of a directory that moved, and of which little is left by a later change, the joined pack has to say more than that it moved.</summary>
    private const int WordsOfMoves = 1024;

    [Fact]
    public Task Whatever_is_dropped_in_whatever_order_every_kept_version_is_restored_exactly_and_the_dropped_ones_are_gone() => Gen.Int.SampleAsync(
        async seed =>
        {
            var random = new Random(seed);
            using var site = new ThinnedSite();
            var store = await site.OpenAsync();
            try
            {
                var tree = TreeLiteral.Empty;
                var expected = new List<VersionId>();
                var hasKeyFrames = false;
                for (var round = 0; round < 4; round++)
                {
                    for (var more = 2 + random.Next(4); more > 0; more--)
                    {
                        for (var changes = random.Next(5); changes >= 0; changes--)
                        {
                            tree = GeneratedHistoryTests.Changed(tree, random);
                        }

                        await site.AddAsync(store, tree);
                        expected.Add(store.Head!.Id);
                    }

                    if (random.Next(3) == 0)
                    {
                        await store.MakeKeyFrameAsync(expected[random.Next(expected.Count)], null, CancellationToken.None);
                        hasKeyFrames = true;
                    }

                    var before = site.HistoryBytes();
                    var drop = expected.Where(_ => random.Next(2) == 0).ToList();
                    foreach (var chunk in drop.OrderBy(_ => random.Next()).Chunk(1 + random.Next(5)))
                    {
                        await DropAsync(store, [.. chunk], expected);
                    }

                    Assert.True(hasKeyFrames || site.HistoryBytes() <= before + WordsOfMoves, $"{before} bytes became {site.HistoryBytes()}");
                    AssertIs(site, store, expected);
                    if (random.Next(3) == 0)
                    {
                        await store.DisposeAsync();
                        store = await site.OpenAsync();
                        AssertIs(site, store, expected);
                    }
                }

                Assert.All(store.Versions, version => Assert.True(version.Restorable));
                await VersionedSite.AssertCleanAsync(store);
                foreach (var id in expected)
                {
                    await site.Site.AssertRestoresAsync(store, site.Site.Versions.Single(version => version.Record.Id == id).Record);
                }

                // And from the newest one back, as long as there is one before.
                while (expected.Count > 1)
                {
                    expected.RemoveAt(expected.Count - 1);
                    Assert.Equal(expected[^1], await store.ForgetNewestAsync(null, CancellationToken.None));
                    TreeAssert.Holds(site.Site.TreeOf(expected[^1]), store.CurrentLink);
                    AssertIs(site, store, expected);
                }
            }
            finally
            {
                await store.DisposeAsync();
            }
        },
        iter: 12 * Longer, threads: 1);

    /// <summary>All that may go do; what is refused is named and all of it stays.</summary>
    private static async Task DropAsync(VersionStore store, List<VersionId> wanted, List<VersionId> expected)
    {
        while (wanted.Count > 0)
        {
            try
            {
                var report = await store.ForgetAsync(wanted, dryRun: false, null, CancellationToken.None);
                Assert.Empty(report.Notices);
                expected.RemoveAll(wanted.Contains);
                break;
            }
            catch (StoreException refused)
            {
                var named = wanted.Where(id => refused.Message.StartsWith($"Version {id} cannot be dropped", StringComparison.Ordinal)).ToList();
                Assert.Single(named);
                wanted.Remove(named[0]);
            }
        }
    }

    private static void AssertIs(ThinnedSite site, VersionStore store, List<VersionId> expected)
    {
        Assert.Equal(expected, store.Versions.Select(version => version.Record.Id));
        foreach (var id in expected)
        {
            Assert.Equal(site.Site.TreeOf(id).ToManifest().Root, store.ManifestOf(id).Root);
        }

        // The packs are those the index knows, and none leads from or to a version that is gone.
        Assert.Equal(store.PackFiles.Order(StringComparer.Ordinal), site.HistoryFiles());
        foreach (var file in site.HistoryFiles())
        {
            using var pack = PackReader.Open(Path.Combine(site.HistoryDirectory, file));
            Assert.Contains(pack.Header.To, expected);
            Assert.True(pack.Header.From.IsNone || expected.Contains(pack.Header.From));
            Assert.False(pack.Header.Partial);
        }
    }
}
