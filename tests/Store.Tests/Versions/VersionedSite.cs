using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;
using Mirror.Store.Tree;
using Mirror.Store.Versions;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

/// <summary>A site whose every version is known as a value, the packs between them as a primary would send them, and a directory for a store.</summary>
internal sealed class VersionedSite : IDisposable
{
    public const string Name = "wiki";
    private static readonly BlockKey key = new(0x5EED);
    private readonly List<(VersionRecord Record, TreeLiteral Tree)> versions = [];

    public VersionedSite()
    {
    }

    /// <summary>The same versions, in a directory of its own.</summary>
    public VersionedSite(VersionedSite other) => versions.AddRange(other.versions);

    public TemporaryDirectory Files { get; } = new();

    public string StoreDirectory => Files["store"];

    public IReadOnlyList<(VersionRecord Record, TreeLiteral Tree)> Versions => versions;

    public Task<VersionStore> OpenAsync(IStoreDisk? disk = null, Func<EntryPath, bool>? privatePaths = null, TimeProvider? time = null) =>
        VersionStore.OpenAsync(StoreDirectory, Name, time ?? TimeProvider.System, disk ?? new StoreDisk(), privatePaths ?? (_ => false), CancellationToken.None);

    public TreeLiteral TreeOf(VersionId id) => versions.Single(version => version.Record.Id == id).Tree;

    public VersionRecord Add(TreeLiteral tree, VersionId? id = null) => Add(tree, id, versions.Count == 0 ? null : versions[^1].Record);

    public VersionRecord Add(TreeLiteral tree, VersionId? id, VersionRecord? parent)
    {
        var record = Describe(tree.ToManifest(), id ?? parent?.Id.Next ?? new VersionId(1, 1), parent);
        versions.Add((record, tree));
        return record;
    }

    public static VersionRecord Describe(Manifest manifest, VersionId id, VersionRecord? parent)
    {
        var record = new VersionRecord(
            Name, id, parent?.Id ?? default, DateTimeOffset.UnixEpoch.AddDays(id.Sequence), "node-1", manifest.Root, manifest.Entries.Count, manifest.TotalBytes, [], default);
        return record with { Chain = VersionRecord.ChainOf(parent?.Chain ?? default, record) };
    }

    /// <summary>The pack to a version from another, or from nothing.</summary>
    public Task<string> PackAsync(VersionRecord? from, VersionRecord to, Func<ContentHash, bool>? without = null) =>
        PackAsync(from, from is null ? null : TreeOf(from.Id), to, TreeOf(to.Id), Files[$"{from?.Id ?? default}-{to.Id}.pack"], without);

    public static async Task<string> PackAsync(
        VersionRecord? from, TreeLiteral? fromTree, VersionRecord to, TreeLiteral toTree, string path, Func<ContentHash, bool>? without = null)
    {
        var older = fromTree?.ToManifest() ?? Manifest.Empty;
        var newer = toTree.ToManifest();
        var olderContents = fromTree?.Contents() ?? new Dictionary<ContentHash, byte[]>();
        await using var output = File.Create(path);
        await using var writer = new PackWriter(output, new PackHeader(Name, from?.Id ?? default, from?.Root ?? default, to.Id, without is not null));
        foreach (var entry in newer.Entries.Where(entry => entry is { Type: EntryType.File, HardlinkOf: null }))
        {
            if (olderContents.ContainsKey(entry.Hash) || writer.Contains(entry.Hash) || without?.Invoke(entry.Hash) == true)
            {
                continue;
            }

            var basis = older.Find(entry.Path) is { Type: EntryType.File } old ? olderContents[old.Hash] : null;
            var digest = basis is null ? null : await BlockSignature.SignAsync(new MemoryStream(basis), basis.Length, key, CancellationToken.None);
            await using var blob = writer.BeginBlob();
            await FileDelta.EncodeAsync(new MemoryStream(toTree.Contents()[entry.Hash]), digest?.Signature, key, blob.Delta, CancellationToken.None);
            await blob.CompleteAsync(entry.Hash, digest is null ? default : ContentHash.From(digest.Hash), entry.Size);
        }

        await writer.CompleteAsync(to, PackChanges.Between(older, Manifest.Diff(older, newer)), CancellationToken.None);
        return path;
    }

    /// <summary>Stages everything that is newer than the head.</summary>
    public async Task StageAllAsync(VersionStore store, bool flip)
    {
        foreach (var (record, _) in versions.ToList())
        {
            if (store.Head is null || record.Id > store.Head.Id)
            {
                await store.StageAsync(await PackAsync(store.Head, record), null, CancellationToken.None);
                if (flip)
                {
                    await store.FlipAsync(CancellationToken.None);
                }
            }
        }
    }

    public async Task AssertRestoresAsync(VersionStore store, VersionRecord version)
    {
        var destination = Files[$"restored-{version.Id}-{Guid.NewGuid():N}"];
        await store.RestoreAsync(version.Id, destination, null, CancellationToken.None);
        TreeAssert.Holds(TreeOf(version.Id), destination);
        TreeRemove(destination);
    }

    public async Task AssertAllRestoreAsync(VersionStore store)
    {
        foreach (var (record, _) in versions)
        {
            await AssertRestoresAsync(store, record);
        }
    }

    public static async Task AssertCleanAsync(VersionStore store)
    {
        var findings = await store.VerifyAsync(readData: true, null, CancellationToken.None);
        Assert.True(findings.Count == 0, string.Join("\n", findings.Select(finding => finding.What)));
    }

    public void TreeRemove(string directory)
    {
        using var writer = new TreeWriter(Files.Path);
        writer.Remove(EntryPath.Parse(Path.GetRelativePath(Files.Path, directory)));
    }

    public void Dispose() => Files.Dispose();
}
