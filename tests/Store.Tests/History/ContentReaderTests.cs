using System.Security.Cryptography;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Tests.Versions;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.History;

/// <summary>Packs beside each other, as retention and branches leave them: several ways lead to one content.</summary>
public sealed class ContentReaderTests : IDisposable
{
    private readonly VersionedSite site = new();
    private readonly List<PackRow> rows = [];

    private string History => site.Files["history"];

    public ContentReaderTests() => site.Files.Make("history");

    public void Dispose() => site.Dispose();

    [Fact]
    public async Task A_content_a_thousand_deltas_away_is_made()
    {
        const int Versions = 1000;
        var content = SampleTrees.Text(1, 40_000);
        var versions = new List<(VersionRecord Record, TreeLiteral Tree)>();
        for (var i = 0; i < Versions; i++)
        {
            content = [.. content.AsSpan(0, i * 30), (byte)i, (byte)(i >> 8), .. content.AsSpan((i * 30) + 1)];
            var tree = TreeLiteral.Empty.File("log", content);
            versions.Add((VersionedSite.Describe(tree.ToManifest(), new VersionId(1, (ulong)i + 1), null), tree));
        }

        for (var i = Versions - 1; i > 0; i--)
        {
            await PackAsync(versions[i], versions[i - 1]);
        }

        var head = versions[^1];
        head.Tree.WriteTo(site.Files["head"]);
        var plan = PlanFor(head, site.Files["head"]);
        var first = versions[0].Tree.ToManifest().Find(EntryPath.Parse("log"))!;
        Assert.Equal(Versions - 1, plan.Find(first.Hash)!.Steps.Count);
        Assert.Equal(versions[0].Tree.Contents()[first.Hash], await ReadAsync(plan, first));
        Assert.Empty(plan.Detours);
    }

    [Theory]
    [InlineData(100, 3)]
    [InlineData(90_000, 1)]
    public async Task The_way_with_the_fewest_bytes_of_packs_is_taken(int changed, int steps)
    {
        // Two ways to the oldest: from the tree over three deltas, or from a key frame with all of it.
        var trees = Enumerable.Range(0, 4).Select(i => Describe(TreeLiteral.Empty.File("f", [.. SampleTrees.Text(1, 100_000), .. SampleTrees.Text(10 + i, changed)]), i + 1)).ToList();
        await PackAsync(trees[3], trees[2]);
        await PackAsync(trees[2], trees[1]);
        await PackAsync(trees[1], trees[0]);
        await PackAsync(null, trees[0]);
        var head = site.Files["head"];
        trees[3].Tree.WriteTo(head);
        var oldest = trees[0].Tree.ToManifest().Find(EntryPath.Parse("f"))!;
        Assert.Equal(steps, PlanFor(trees[3], head).Find(oldest.Hash)!.Steps.Count);
        rows.RemoveAt(3);
        Assert.Equal(3, PlanFor(trees[3], head).Find(oldest.Hash)!.Steps.Count);
    }

    [Theory]
    [InlineData("1.4-1.3.pack")]
    [InlineData("1.3-1.2.pack")]
    [InlineData("1.2-1.1.pack")]
    [InlineData("0.0-1.1.pack")]
    public async Task A_damaged_blob_on_one_of_two_ways_is_gone_round_and_reported(string damaged)
    {
        var trees = Enumerable.Range(0, 4).Select(i => Describe(TreeLiteral.Empty.File("f", [.. SampleTrees.Text(1, 20_000), .. SampleTrees.Text(10 + i, 30_000)]), i + 1)).ToList();
        await PackAsync(trees[3], trees[2]);
        await PackAsync(trees[2], trees[1]);
        await PackAsync(trees[1], trees[0]);
        await PackAsync(null, trees[0]);
        trees[3].Tree.WriteTo(site.Files["head"]);

        // In the middle of the bytes that are in no other version.
        using (var file = new FileStream(Path.Combine(History, damaged), FileMode.Open, FileAccess.ReadWrite))
        {
            file.Position = file.Length / 2;
            var value = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)(value ^ 1));
        }

        var oldest = trees[0].Tree.ToManifest().Find(EntryPath.Parse("f"))!;
        var plan = PlanFor(trees[3], site.Files["head"]);
        Assert.Equal(trees[0].Tree.Contents()[oldest.Hash], await ReadAsync(plan, oldest));
        if (damaged.StartsWith("0.0", StringComparison.Ordinal))
        {
            var detour = Assert.Single(plan.Detours);
            Assert.Contains(damaged, detour.Damaged, StringComparison.Ordinal);
            Assert.Contains("1.2-1.1.pack", detour.Instead, StringComparison.Ordinal);
        }
        else
        {
            // The key frame is nearer anyway; without it there is no way, and the pack is named.
            rows.RemoveAt(3);
            var without = PlanFor(trees[3], site.Files["head"]);
            Assert.Null(await ReadAsync(without, oldest));
            Assert.Contains(damaged, without.Catalogue.DescribeDamage(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_damaged_file_of_the_tree_is_gone_round_and_no_pack_is_blamed_for_it()
    {
        var trees = Enumerable.Range(0, 3).Select(i => Describe(TreeLiteral.Empty.File("f", [.. SampleTrees.Text(1, 50_000), .. SampleTrees.Text(10 + i, 100)]), i + 1)).ToList();
        await PackAsync(trees[2], trees[1]);
        await PackAsync(trees[1], trees[0]);
        await PackAsync(null, trees[1]);
        var head = site.Files["head"];
        trees[2].Tree.WriteTo(head);
        using (var file = new FileStream(Path.Combine(head, "f"), FileMode.Open, FileAccess.ReadWrite))
        {
            file.Position = 25_000;
            file.WriteByte((byte)(file.ReadByte() ^ 1));
        }

        var oldest = trees[0].Tree.ToManifest().Find(EntryPath.Parse("f"))!;

        // From the tree: two deltas. They come out wrong together, and the tree is found to be the one to blame; then the key frame of the middle one is used.
        var chainOnly = rows.Take(2).ToList();
        var plan = PlanFor(trees[2], head);
        Assert.Equal(trees[0].Tree.Contents()[oldest.Hash], await ReadAsync(plan, oldest));
        Assert.Empty(plan.Catalogue.DamageLines());
        rows.Clear();
        rows.AddRange(chainOnly);
        var without = PlanFor(trees[2], head);
        Assert.Null(await ReadAsync(without, oldest));
        Assert.Empty(without.Catalogue.DamageLines());
    }

    [Fact]
    public async Task A_delta_that_yields_something_else_is_found_among_those_it_was_composed_with()
    {
        var trees = Enumerable.Range(0, 5).Select(i => Describe(TreeLiteral.Empty.File("f", [.. SampleTrees.Text(1, 50_000), .. SampleTrees.Text(10 + i, 100)]), i + 1)).ToList();
        for (var i = 4; i > 0; i--)
        {
            await PackAsync(trees[i], trees[i - 1]);
        }

        // A well-formed pack that says it leads to the right content and does not: another's delta under the name.
        var wrong = Describe(TreeLiteral.Empty.File("f", [.. SampleTrees.Text(2, 50_000), .. SampleTrees.Text(12, 100)]), 3);
        rows.RemoveAll(row => row.To == new VersionId(1, 3));
        var hash = trees[2].Tree.ToManifest().Find(EntryPath.Parse("f"))!;
        await LyingPackAsync(trees[3], trees[2], hash, wrong.Tree.Contents().Values.Single());
        var head = site.Files["head"];
        trees[4].Tree.WriteTo(head);
        var plan = PlanFor(trees[4], head);
        Assert.Null(await ReadAsync(plan, trees[0].Tree.ToManifest().Find(EntryPath.Parse("f"))!));
        var line = Assert.Single(plan.Catalogue.DamageLines());
        Assert.Contains("1.4-1.3.pack", line, StringComparison.Ordinal);
        Assert.Contains("comes out wrong", line, StringComparison.Ordinal);
    }

    private async Task LyingPackAsync((VersionRecord Record, TreeLiteral Tree) from, (VersionRecord Record, TreeLiteral Tree) to, Entry promised, byte[] content)
    {
        var name = PackCatalogue.FileName(from.Record.Id, to.Record.Id);
        await using var output = File.Create(Path.Combine(History, name));
        await using var writer = new Mirror.Store.Packs.PackWriter(output, new Mirror.Store.Packs.PackHeader(VersionedSite.Name, from.Record.Id, from.Record.Root, to.Record.Id, Partial: false));
        await using (var blob = writer.BeginBlob(isDelta: true))
        {
            await Mirror.Delta.FileDelta.EncodeAsync(new MemoryStream(content), null, new Mirror.Delta.BlockKey(1), blob.Delta, CancellationToken.None);
            await blob.CompleteAsync(promised.Hash, from.Tree.ToManifest().Find(promised.Path)!.Hash, promised.Size);
        }

        await writer.CompleteAsync(to.Record, Manifest.Diff(from.Tree.ToManifest(), to.Tree.ToManifest()), CancellationToken.None);
        rows.Add(new PackRow(from.Record.Id, to.Record.Id, name, false, output.Length));
    }

    private static (VersionRecord Record, TreeLiteral Tree) Describe(TreeLiteral tree, int number) =>
        (VersionedSite.Describe(tree.ToManifest(), new VersionId(1, (ulong)number), null), tree);

    private async Task PackAsync((VersionRecord Record, TreeLiteral Tree)? from, (VersionRecord Record, TreeLiteral Tree) to)
    {
        var name = PackCatalogue.FileName(from?.Record.Id ?? default, to.Record.Id);
        var path = await VersionedSite.PackAsync(from?.Record, from?.Tree, to.Record, to.Tree, Path.Combine(History, name));
        rows.Add(new PackRow(from?.Record.Id ?? default, to.Record.Id, name, false, new FileInfo(path).Length));
    }

    private ContentPlan PlanFor((VersionRecord Record, TreeLiteral Tree) head, string tree)
    {
        List<PackRow> packs = [.. rows];
        var sources = new ContentSources(head.Record.Id, head.Tree.ToManifest(), tree, packs);
        return new ContentPlan(new PackCatalogue(History), () => sources);
    }

    private async Task<byte[]?> ReadAsync(ContentPlan plan, Entry entry)
    {
        using var reader = new ContentReader(plan, site.Files["scratch"]);
        using var output = new MemoryStream();
        if (!await reader.TryWriteAsync(entry.Hash, entry.Size, output, CancellationToken.None))
        {
            Assert.Equal(0, output.Length);
            return null;
        }

        Assert.Equal(entry.Hash, ContentHash.From(SHA256.HashData(output.ToArray())));
        return output.ToArray();
    }
}
