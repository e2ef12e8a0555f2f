using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>One step towards a content: a blob of a pack, applied to what the step before yields.</summary>
internal readonly record struct ContentStep(PackRow Pack, BlobInfo Blob);

/// <summary>A tree at hand, and the version it holds.</summary>
internal sealed record SourceTree(VersionId Version, string Directory);

/// <summary>How to come to a content: from nothing or from a file of a tree (<paramref name="File"/>), by these blobs in turn.</summary>
internal sealed record ContentWay(SourceTree? Tree, Entry? File, IReadOnlyList<ContentStep> Steps)
{
    /// <summary>Length of the content.</summary>
    public long Size => Steps.Count > 0 ? Steps[^1].Blob.Size : File!.Size;

    /// <summary>What is read for it.</summary>
    public long Cost => (File?.Size ?? 0) + Steps.Sum(static step => step.Blob.StoredBytes);
}

/// <summary>
/// Where every content the store holds can be had, and with the fewest bytes of packs: in the head's tree for nothing, or from blobs. Contents are points, blobs are edges from their basis (or
/// from nothing) with their bytes as cost; a damaged blob is no edge. Contents are looked for by what they are and not by the version they belonged to, so a version is whole as long
/// as each of its contents is somewhere.
/// </summary>
internal sealed class ContentMap
{
    /// <summary>What a step costs besides its bytes: another pack is opened.</summary>
    private const int StepCost = 256;

    private readonly SourceTree? tree;
    private readonly Manifest manifest;
    private readonly Dictionary<ContentHash, Entry?> otherNames = [];
    private readonly Dictionary<ContentHash, ContentStep> best = [];

    /// <param name="manifest">What the tree holds.</param>
    /// <param name="treeExcept">Files the tree should have and was found not to have: another one with the same content is used, if there is one.</param>
    public ContentMap(PackCatalogue catalogue, IReadOnlyList<PackRow> packs, SourceTree? tree, Manifest manifest, IReadOnlySet<EntryPath> treeExcept)
    {
        this.tree = tree;
        this.manifest = tree is null ? Manifest.Empty : manifest;
        foreach (var bad in treeExcept.Select(this.manifest.Find).OfType<Entry>())
        {
            otherNames[bad.Hash] = this.manifest.Entries.FirstOrDefault(
                entry => entry is { Type: EntryType.File, HardlinkOf: null } && entry.Hash == bad.Hash && !treeExcept.Contains(entry.Path));
        }

        var byBasis = new Dictionary<ContentHash, List<ContentStep>>();
        var open = new PriorityQueue<ContentStep, long>();
        foreach (var row in packs)
        {
            foreach (var blob in catalogue.BlobsOf(row))
            {
                if (catalogue.IsDamaged(row, blob.Hash) || InTree(blob.Hash) is not null)
                {
                    continue;
                }

                var step = new ContentStep(row, blob);
                if (blob.Basis.IsNone || InTree(blob.Basis) is not null)
                {
                    open.Enqueue(step, Cost(blob));
                }
                else
                {
                    if (!byBasis.TryGetValue(blob.Basis, out var list))
                    {
                        byBasis.Add(blob.Basis, list = []);
                    }

                    list.Add(step);
                }
            }
        }

        while (open.TryDequeue(out var step, out var cost))
        {
            if (best.TryAdd(step.Blob.Hash, step) && byBasis.TryGetValue(step.Blob.Hash, out var next))
            {
                foreach (var further in next)
                {
                    open.Enqueue(further, cost + Cost(further.Blob));
                }
            }
        }
    }

    public bool Has(ContentHash hash) => InTree(hash) is not null || best.ContainsKey(hash);

    /// <summary>Null when the content is nowhere.</summary>
    public ContentWay? Find(ContentHash hash)
    {
        if (InTree(hash) is { } file)
        {
            return new ContentWay(tree, file, []);
        }

        var steps = new List<ContentStep>();
        for (var wanted = hash; ;)
        {
            if (wanted.IsNone || InTree(wanted) is not null)
            {
                steps.Reverse();
                return new ContentWay(tree, InTree(wanted), steps);
            }

            if (!best.TryGetValue(wanted, out var found))
            {
                return null;
            }

            steps.Add(found);
            wanted = found.Blob.Basis;
        }
    }

    private Entry? InTree(ContentHash hash) => hash.IsNone ? null : otherNames.TryGetValue(hash, out var other) ? other : manifest.FindContent(hash);

    private static long Cost(BlobInfo blob) => blob.StoredBytes + StepCost;
}
