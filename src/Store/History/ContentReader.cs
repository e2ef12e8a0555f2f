using System.Globalization;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>The store at one moment, as far as reading old contents is concerned.</summary>
internal sealed record ContentSources(VersionId Head, Manifest HeadManifest, string? HeadTree, IReadOnlyList<PackRow> Packs);

/// <summary>
/// Yields any content the store can still make, checked by SHA-256. Nothing is locked meanwhile: when a stage moves the tree on, or a file or a blob turns out to be
/// damaged, the way is planned anew with what is there then (a superseded content is in a reverse pack by then).
/// </summary>
internal sealed class ContentReader(PackCatalogue catalogue, Func<ContentSources> current, string scratch) : IDisposable
{
    private const int MostOpenPacks = 64;
    private readonly Dictionary<string, PackReader> open = [];
    private readonly HashSet<ContentHash> notInTree = [];
    private ContentSources sources = current();
    private ContentMap? map;
    private int damageSeen;

    private ContentMap Map
    {
        get
        {
            var now = current();
            if (map is null || damageSeen != catalogue.DamageCount || now.Head != sources.Head || now.HeadTree != sources.HeadTree)
            {
                if (now.Head != sources.Head || now.HeadTree != sources.HeadTree)
                {
                    notInTree.Clear();
                }

                sources = now;
                damageSeen = catalogue.DamageCount;
                map = new ContentMap(catalogue, now.Packs, now.HeadTree is null ? Manifest.Empty : now.HeadManifest, notInTree);
            }

            return map;
        }
    }

    public bool Has(ContentHash hash) => Map.Has(hash);

    /// <returns>False when no way is left; <paramref name="destination"/> is empty then.</returns>
    public async Task<bool> TryWriteAsync(ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        while (Map.Find(hash) is { } way)
        {
            cancellation.ThrowIfCancellationRequested();
            destination.SetLength(0);
            destination.Position = 0;
            if (await TryFollowAsync(way, hash, size, destination, cancellation))
            {
                return true;
            }
        }

        destination.SetLength(0);
        return false;
    }

    public void Dispose() => ClosePacks();

    /// <summary>One attempt. When it fails, what was to blame is out of the next plan.</summary>
    private async Task<bool> TryFollowAsync(ContentWay way, ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        var tree = sources.HeadTree;
        Stream basis = Stream.Null;
        try
        {
            if (way.TreeSource is { } source)
            {
                if (TryOpenInTree(tree!, source) is not { } file)
                {
                    return false;
                }

                basis = file;
                if (way.Steps.Count == 0)
                {
                    return await TryCopyAsync(file, source, hash, size, destination, cancellation);
                }
            }

            for (var i = 0; i < way.Steps.Count; i++)
            {
                var last = i == way.Steps.Count - 1;
                var output = last ? destination : NewScratchFile(i);
                if (!await TryApplyAsync(way.Steps[i], basis, output, cancellation))
                {
                    if (!last)
                    {
                        await output.DisposeAsync();
                    }

                    // The basis from the tree was not checked on the way: it may be the one to blame, and costs one reading to clear.
                    if (i == 0 && way.TreeSource is { } suspect && !await IsIntactAsync(basis, suspect, cancellation))
                    {
                        notInTree.Add(suspect.Hash);
                        catalogue.Forgive(way.Steps[i].Pack, way.Steps[i].Blob.Hash);
                        map = null;
                    }

                    return false;
                }

                await basis.DisposeAsync();
                basis = last ? Stream.Null : output;
            }

            return true;
        }
        finally
        {
            await basis.DisposeAsync();
        }
    }

    private async Task<bool> TryApplyAsync(ContentStep step, Stream basis, Stream output, CancellationToken cancellation)
    {
        try
        {
            if (Open(step.Pack) is not { } pack)
            {
                return false;
            }

            basis.Position = 0;
            await using var delta = pack.OpenDelta(step.Blob.Hash);
            var (length, sha256) = await FileDelta.ApplyAsync(basis, delta, output, step.Blob.Size, cancellation);
            if (length == step.Blob.Size && ContentHash.From(sha256) == step.Blob.Hash)
            {
                return true;
            }

            catalogue.Report(step.Pack, step.Blob.Hash, $"the content {step.Blob.Hash} comes out wrong");
        }
        catch (Exception error) when (error is PackFormatException or DeltaFormatException)
        {
            catalogue.Report(step.Pack, step.Blob.Hash, error.Message);
        }

        return false;
    }

    private async Task<bool> TryCopyAsync(Stream file, Entry source, ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        try
        {
            await VerifiedCopy.RunAsync(file, destination, hash, size, source.Path.ToString(), cancellation);
            return true;
        }
        catch (DamagedContentException)
        {
            Blame(source);
            return false;
        }
    }

    private FileStream? TryOpenInTree(string tree, Entry source)
    {
        try
        {
            return TreeScanner.OpenRead(tree, source.Path);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            Blame(source);
            return null;
        }
    }

    private void Blame(Entry source)
    {
        notInTree.Add(source.Hash);
        map = null;
    }

    private static async Task<bool> IsIntactAsync(Stream basis, Entry source, CancellationToken cancellation)
    {
        try
        {
            basis.Position = 0;
            await VerifiedCopy.RunAsync(basis, Stream.Null, source.Hash, source.Size, source.Path.ToString(), cancellation);
            return true;
        }
        catch (DamagedContentException)
        {
            return false;
        }
    }

    private FileStream NewScratchFile(int step) => new(
        Path.Combine(scratch, step.ToString(CultureInfo.InvariantCulture)), FileMode.Create, FileAccess.ReadWrite, FileShare.None, 64 * 1024, FileOptions.DeleteOnClose);

    private PackReader? Open(PackRow row)
    {
        if (open.TryGetValue(row.File, out var known))
        {
            return known;
        }

        if (open.Count == MostOpenPacks)
        {
            ClosePacks();
        }

        if (catalogue.TryOpen(row) is not { } pack)
        {
            return null;
        }

        open.Add(row.File, pack);
        return pack;
    }

    private void ClosePacks()
    {
        foreach (var pack in open.Values)
        {
            pack.Dispose();
        }

        open.Clear();
    }
}
