using Mirror.Delta;
using Mirror.Replica.Receive;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Replica.Tests;

/// <summary>A site's versions as a primary has them: each a tree, and packs between any two, written whole.</summary>
internal sealed class SampleSite : IDisposable
{
    public const string Name = "wiki";
    private static readonly BlockKey key = new(1);
    private readonly List<(VersionRecord Record, TreeLiteral Tree)> versions = [];

    public TemporaryDirectory Files { get; } = new();

    public string StoreDirectory => Files["store"];

    public IReadOnlyList<VersionRecord> Versions => [.. versions.Select(version => version.Record)];

    public Task<VersionStore> OpenAsync(params string[] privatePaths) => VersionStore.OpenAsync(
        StoreDirectory, Name, TimeProvider.System, CancellationToken.None, privatePaths.Select(EntryPath.Parse).ToHashSet().Contains);

    public TreeLiteral TreeOf(VersionRecord record) => versions.Single(version => version.Record == record).Tree;

    /// <summary>One more version; its files are as in <paramref name="tree"/>.</summary>
    public VersionRecord Add(TreeLiteral tree, VersionId? id = null)
    {
        var parent = versions.Count == 0 ? null : versions[^1].Record;
        var manifest = tree.ToManifest();
        var number = id ?? parent?.Id.Next ?? new VersionId(1, 1);
        var record = new VersionRecord(
            Name, number, parent?.Id ?? default, DateTimeOffset.UnixEpoch.AddDays(number.Sequence), "alpha", manifest.Root, manifest.Entries.Count, manifest.TotalBytes, [], default);
        record = record with { Chain = VersionRecord.ChainOf(parent?.Chain ?? default, record) };
        versions.Add((record, tree));
        return record;
    }

    public VersionRecord Add(string content, VersionId? id = null) => Add(TreeLiteral.Empty.File("page.txt", content).File("same.txt", "always the same"), id);

    /// <summary>A file that is a pack, under no particular name.</summary>
    public async Task<string> PackAsync(VersionRecord? from, VersionRecord to)
    {
        var path = Files[$"sent-{Guid.NewGuid():N}"];
        var older = from is null ? Manifest.Empty : TreeOf(from).ToManifest();
        var tree = TreeOf(to);
        await using var output = File.Create(path);
        await using var writer = new PackWriter(output, new PackHeader(Name, from?.Id ?? default, from?.Root ?? default, to.Id, false));
        foreach (var (hash, content) in tree.Contents())
        {
            if (older.FindContent(hash) is not null || writer.Contains(hash))
            {
                continue;
            }

            await using var blob = writer.BeginBlob();
            await FileDelta.EncodeAsync(new MemoryStream(content), null, key, blob.Delta, CancellationToken.None);
            await blob.CompleteAsync(hash, default, content.Length);
        }

        await writer.CompleteAsync(to, Manifest.Diff(older, tree.ToManifest()), CancellationToken.None);
        return path;
    }

    /// <summary>A pack where the inbox expects what is being received.</summary>
    public async Task<string> PartAsync(Inbox inbox, VersionRecord? from, VersionRecord to)
    {
        var part = inbox.PartOf(from?.Id ?? default, to.Id);
        File.Move(await PackAsync(from, to), part);
        return part;
    }

    public void Dispose() => Files.Dispose();
}
