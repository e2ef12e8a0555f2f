using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tests.Packs;
using Mirror.Store.Versions;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Laws;

/// <summary>One version of a generated site: a whole tree with its manifest and contents, and the plainest thing that applying a pack to it can be.</summary>
internal sealed class LawSite
{
    private static readonly BlockKey key = new(0x1A35);
    private readonly IReadOnlyDictionary<ContentHash, byte[]> contents;

    public LawSite(TreeLiteral tree, ulong sequence)
    {
        Manifest = tree.ToManifest();
        contents = tree.Contents();
        Version = PackSamples.Version(new VersionId(1, sequence), Manifest.Root) with { Parent = sequence > 1 ? new VersionId(1, sequence - 1) : default };
    }

    public Manifest Manifest { get; }

    public VersionRecord Version { get; }

    public bool Has(ContentHash hash) => contents.ContainsKey(hash);

    public Stream Open(ContentHash hash) => new MemoryStream(contents[hash], writable: false);

    /// <summary>The pack from an older version (null: from nothing) to this one. A content without its like at the same path is told from whichever content <paramref name="choice"/> falls on: any basis is a right one.</summary>
    public async Task<string> PackFromAsync(LawSite? from, PackSamples samples, uint choice)
    {
        var path = samples.NewPath();
        var header = new PackHeader("wiki", from?.Version.Id ?? default, from?.Manifest.Root ?? default, Version.Id, Partial: false);
        ContentHash[] old = from is null ? [] : [.. from.contents.Keys.OrderBy(hash => hash.ToString(), StringComparer.Ordinal)];
        await using var output = File.Create(path);
        await using var writer = new PackWriter(output, header);
        foreach (var entry in Manifest.Entries.Where(entry => entry.Type == EntryType.File && from?.Has(entry.Hash) != true))
        {
            if (writer.Contains(entry.Hash))
            {
                continue;
            }

            var basis = from?.Manifest.Find(entry.Path) is { Type: EntryType.File } before ? before.Hash
                : old.Length > 0 && choice % 4 > 0 ? old[choice % (uint)old.Length]
                : default;
            var signature = basis.IsNone ? null : (await BlockSignature.SignAsync(from!.Open(basis), from.contents[basis].Length, key, CancellationToken.None)).Signature;
            await using var blob = writer.BeginBlob();
            await FileDelta.EncodeAsync(Open(entry.Hash), signature, key, blob.Delta, CancellationToken.None);
            await blob.CompleteAsync(entry.Hash, basis, entry.Size);
        }

        var start = from?.Manifest ?? Manifest.Empty;
        await writer.CompleteAsync(Version, PackChanges.Between(start, Manifest.Diff(start, Manifest)), CancellationToken.None);
        return path;
    }

    /// <summary>The pack reads back as one from the one version to the other, says exactly their difference, and applied to the one it yields the other: manifest, root and every content.</summary>
    public async Task AssertIsAppliedAsync(LawSite? from, string pack)
    {
        using var reader = PackReader.Open(pack);
        reader.VerifyFrames(CancellationToken.None);
        Assert.Equal(new PackHeader("wiki", from?.Version.Id ?? default, from?.Manifest.Root ?? default, Version.Id, Partial: false), reader.Header);
        Assert.Equal(Version, reader.Version);

        var start = from?.Manifest ?? Manifest.Empty;
        var (said, meant) = (reader.ReadChanges().Over(start), Manifest.Diff(start, Manifest));
        Assert.Equal(meant.Put, said.Put);
        Assert.Equal(meant.Removed, said.Removed);
        var manifest = start.Apply(said);
        Assert.Equal(Manifest.Entries, manifest.Entries);
        Assert.Equal(Manifest.Root, manifest.Root);

        // Every content is at hand or in the pack; and the pack has nothing that nobody asks for.
        var lacking = Manifest.Entries.Where(entry => entry.Type == EntryType.File && from?.Has(entry.Hash) != true).Select(entry => entry.Hash).ToHashSet();
        Assert.Equal(lacking, reader.Blobs.Select(blob => blob.Hash).ToHashSet());
        foreach (var blob in reader.Blobs)
        {
            await using Stream basis = blob.Basis.IsNone ? Stream.Null : from!.Open(blob.Basis);
            await using var delta = reader.OpenDelta(blob.Hash);
            using var target = new MemoryStream();
            var (length, sha256) = await FileDelta.ApplyAsync(basis, delta, target, blob.Size, CancellationToken.None);
            Assert.Equal(contents[blob.Hash], target.ToArray());
            Assert.Equal(blob.Size, length);
            Assert.Equal(blob.Hash, ContentHash.From(sha256));
        }
    }

    public async Task<string> InvertAsync(string pack, LawSite to, PackSamples samples)
    {
        using var forward = PackReader.Open(pack);
        var path = samples.NewPath();
        await using var output = File.Create(path);
        await PackAlgebra.InvertAsync(forward, Version, Manifest, to.Manifest, Open, to.Open, key, output, CancellationToken.None);
        return path;
    }

    /// <summary>Composes two packs of which the first leads from this version.</summary>
    public Task<string> ComposeAsync(string firstPack, string secondPack, PackSamples samples) => ComposeAsync(Manifest, firstPack, secondPack, samples);

    public static async Task<string> ComposeAsync(Manifest start, string firstPack, string secondPack, PackSamples samples)
    {
        using var first = PackReader.Open(firstPack);
        using var second = PackReader.Open(secondPack);
        var path = samples.NewPath();
        await using var output = File.Create(path);
        await PackAlgebra.ComposeAsync(first, second, start, output, CancellationToken.None);
        return path;
    }
}
