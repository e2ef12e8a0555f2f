using System.Globalization;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;
using Xunit.Abstractions;

namespace Mirror.Store.Tests.Faults;

/// <summary>
/// One byte of one file of a store turns into another. Reading everything must find it, every version that some way still leads to must come back bit by bit, and the
/// others must be refused. Which versions those are is worked out here from the packs as they were before the damage, without the store's own planner.
/// </summary>
public sealed class BitFlipTests(ITestOutputHelper output)
{
    private const int Flips = 100;
    private const int VersionCount = 10;
    private static readonly int seed = int.Parse(Environment.GetEnvironmentVariable("MIRROR_SEED") ?? "1", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData("packs")]
    [InlineData("trees")]
    public async Task A_byte_that_flips_is_found_and_costs_only_the_versions_that_no_way_leads_to(string where)
    {
        using var site = new FaultSite();
        var random = new Random(seed);
        await BuildAsync(site, random);
        var start = TreeLiteral.ReadFrom(site.Disk);
        var packs = Directory.EnumerateFiles(Path.Combine(site.StoreDirectory, "history"), "*.pack").Order(StringComparer.Ordinal).ToDictionary(path => Path.GetFileName(path), Edge.Read);
        var (restored, must, refused) = (0, 0, 0);
        for (var flip = 0; flip < Flips; flip++)
        {
            site.Clear(site.Disk);
            start.WriteTo(site.Disk);
            var path = where == "packs" ? Path.Combine(site.StoreDirectory, "history", Pick(packs.Keys, random)) : PickFile(site, random);
            var place = FlipByte(path, random);
            var what = $"flip {flip} (seed {seed}): byte {place} of {Path.GetRelativePath(site.StoreDirectory, path)}";

            await using var store = await site.OpenAsync();
            var findings = await store.VerifyAsync(readData: true, null, CancellationToken.None);
            Assert.True(findings.Any(finding => finding.What.Contains(Path.GetFileName(path), StringComparison.Ordinal)), $"{what} was not found");

            var expected = Reachable(site, store, packs.Where(pack => Path.GetFileName(path) != pack.Key).Select(pack => pack.Value).ToList());
            foreach (var version in store.Versions)
            {
                var error = await RestoreAsync(site, store, version.Record);
                Assert.True(error is null || !expected.Contains(version.Record.Id), $"{what}: {version.Record.Id} has a way left, but: {error?.Message}");
                Assert.True(error is null || error.Message.Contains("cannot be", StringComparison.Ordinal), $"{what}: {version.Record.Id} is refused without a reason: {error?.Message}");
                restored += error is null ? 1 : 0;
                refused += error is null ? 0 : 1;
            }

            must += expected.Count;
        }

        output.WriteLine($"{where}: {Flips} flips, {Flips} found; of {Flips * VersionCount} versions {restored} restored bit by bit ({must} had to be), {refused} refused; seed {seed}");
    }

    /// <summary>Files that are edited, moved, copied, given up and taken back, over some versions.</summary>
    private static async Task BuildAsync(FaultSite site, Random random)
    {
        Directory.CreateDirectory(site.Disk);
        var tree = Enumerable.Range(0, 8).Aggregate(TreeLiteral.Empty, (tree, file) => tree.File($"d{file % 3}/file-{file}", SampleTrees.Text(file, 200 + (file * 2_500))));
        await using var store = await site.OpenAsync();
        for (var version = 1; version <= VersionCount; version++)
        {
            site.Site.Add(tree);
            await store.StageAsync(await site.PackAsync(store.Head, site.Version((ulong)version)), null, CancellationToken.None);
            await store.FlipAsync(CancellationToken.None);
            tree = Changed(tree, random, version);
        }
    }

    private static TreeLiteral Changed(TreeLiteral tree, Random random, int version)
    {
        var files = tree.Nodes.Where(node => node.Value.Type == EntryType.File).Select(node => node.Key).ToArray();
        var edited = files[random.Next(files.Length)];
        var content = (byte[])tree.Nodes[edited].Content.Clone();
        random.NextBytes(content.AsSpan(0, Math.Min(content.Length, 100)));
        tree = tree.Put(edited, TreeLiteral.NewFile(content)).File($"new-{version}", SampleTrees.Text(version + 100, random.Next(100, 6_000)));
        var moved = files[random.Next(files.Length)];
        return random.Next(3) switch
        {
            0 => tree.Without(moved),
            1 => tree.Put(EntryPath.Parse($"moved-{version}"), tree.Nodes[moved]).Without(moved),
            _ => tree.File($"copy-{version}", tree.Nodes[moved].Content),
        };
    }

    /// <summary>Versions whose manifest some whole packs lead to and whose every content is in the head's tree as it is now, or in whole packs.</summary>
    private static HashSet<VersionId> Reachable(FaultSite site, VersionStore store, List<Edge> edges)
    {
        var contents = TreeLiteral.ReadFrom(store.HeadTree).Contents().Keys.ToHashSet();
        var versions = new HashSet<VersionId> { store.Head!.Id, default };
        for (var grew = true; grew;)
        {
            var before = contents.Count + versions.Count;
            foreach (var edge in edges)
            {
                contents.UnionWith(edge.Blobs.Where(blob => blob.Basis.IsNone || contents.Contains(blob.Basis)).Select(blob => blob.Hash));
                if (versions.Contains(edge.From))
                {
                    versions.Add(edge.To);
                }
            }

            grew = contents.Count + versions.Count > before;
        }

        return [.. versions.Where(version => !version.IsNone && site.Site.TreeOf(version).Contents().All(content => content.Value.Length == 0 || contents.Contains(content.Key)))];
    }

    private static async Task<StoreException?> RestoreAsync(FaultSite site, VersionStore store, VersionRecord version)
    {
        var destination = Path.Combine(site.Disk, "restored");
        try
        {
            await store.RestoreAsync(version.Id, destination, null, CancellationToken.None);
            TreeAssert.Holds(site.Site.TreeOf(version.Id), destination);
            site.Clear(destination);
            Directory.Delete(destination);
            return null;
        }
        catch (StoreException refused)
        {
            Assert.False(Directory.Exists(destination));
            return refused;
        }
    }

    private static string PickFile(FaultSite site, Random random)
    {
        var slot = Path.Combine(site.StoreDirectory, "slots", random.Next(2) == 0 ? "a" : "b");
        return Pick(Directory.EnumerateFiles(slot, "*", SearchOption.AllDirectories), random);
    }

    private static string Pick(IEnumerable<string> among, Random random)
    {
        var sorted = among.Order(StringComparer.Ordinal).ToArray();
        return sorted[random.Next(sorted.Length)];
    }

    /// <summary>As a disk forgets: nothing else of the file changes.</summary>
    private static long FlipByte(string path, Random random)
    {
        var time = File.GetLastWriteTimeUtc(path);
        long place;
        using (var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite))
        {
            place = random.NextInt64(file.Length);
            file.Position = place;
            var value = file.ReadByte();
            file.Position = place;
            file.WriteByte((byte)(value ^ (1 << random.Next(8))));
        }

        File.SetLastWriteTimeUtc(path, time);
        return place;
    }

    /// <summary>What a pack leads from and to, and what it brings.</summary>
    private sealed record Edge(VersionId From, VersionId To, IReadOnlyList<BlobInfo> Blobs)
    {
        public static Edge Read(string path)
        {
            using var pack = PackReader.Open(path);
            return new Edge(pack.Header.From, pack.Header.To, [.. pack.Blobs]);
        }
    }
}
