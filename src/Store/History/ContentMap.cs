using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>One step towards a content: a blob of a pack, applied to what the step before yields.</summary>
internal readonly record struct ContentStep(PackRow Pack, BlobInfo Blob);

/// <summary>How to come to a content: from nothing or from a file of the head's tree (<paramref name="TreeSource"/>), by these blobs in turn.</summary>
internal sealed record ContentWay(Entry? TreeSource, IReadOnlyList<ContentStep> Steps);

/// <summary>
/// Where every content the store holds can be had, cheapest first: in the head's tree for nothing, else from a blob, whose basis must be had in turn. Contents are
/// looked for by what they are and not by the version they belonged to, so a version is whole as long as each of its contents is somewhere.
/// </summary>
internal sealed class ContentMap
{
    private readonly Manifest tree;
    private readonly IReadOnlySet<ContentHash> treeExcept;
    private readonly Dictionary<ContentHash, (long Cost, ContentStep Step)> best = [];

    /// <param name="treeExcept">Contents the tree should have and was found not to have.</param>
    public ContentMap(PackCatalogue catalogue, IReadOnlyList<PackRow> packs, Manifest tree, IReadOnlySet<ContentHash> treeExcept)
    {
        this.tree = tree;
        this.treeExcept = treeExcept;
        var byBasis = new Dictionary<ContentHash, List<ContentStep>>();
        var open = new PriorityQueue<ContentStep, long>();
        foreach (var row in packs)
        {
            foreach (var blob in catalogue.BlobsOf(row))
            {
                if (catalogue.IsDamaged(row, blob.Hash))
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
            if (InTree(step.Blob.Hash) is null && best.TryAdd(step.Blob.Hash, (cost, step)) && byBasis.TryGetValue(step.Blob.Hash, out var next))
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
        var steps = new List<ContentStep>();
        for (var wanted = hash; ;)
        {
            if (wanted.IsNone || InTree(wanted) is not null)
            {
                steps.Reverse();
                return new ContentWay(InTree(wanted), steps);
            }

            if (!best.TryGetValue(wanted, out var found))
            {
                return null;
            }

            steps.Add(found.Step);
            wanted = found.Step.Blob.Basis;
        }
    }

    private Entry? InTree(ContentHash hash) => hash.IsNone || treeExcept.Contains(hash) ? null : tree.FindContent(hash);

    /// <summary>What is read for a step: the blob, and the content it yields is written once.</summary>
    private static long Cost(BlobInfo blob) => blob.StoredBytes + blob.Size + 1;
}
