using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>The store at one moment, as far as reading old contents is concerned.</summary>
internal sealed record ContentSources(VersionId Head, Manifest HeadManifest, string? HeadTree, IReadOnlyList<PackRow> Packs);

/// <summary>
/// The plan several readers follow at once. Nothing is locked while they read: when a stage moves the tree on, or a file or a blob turns out to be damaged, the plan is
/// made anew from what is there then (a superseded content is in a reverse pack by then).
/// </summary>
/// <param name="peers">Asked for what no local way leads to; null: nobody is.</param>
internal sealed class ContentPlan(PackCatalogue catalogue, Func<ContentSources> current, PeerContents? peers = null)
{
    private const int MostDetours = 1000;

    private readonly Lock gate = new();
    private readonly HashSet<EntryPath> notInTree = [];
    private readonly Dictionary<string, string> detours = [];
    private ContentSources sources = current();
    private ContentMap? map;
    private int damageSeen;

    public PackCatalogue Catalogue => catalogue;

    public PeerContents? Peers => peers;

    /// <summary>What was damaged and what was used instead, as far as readers met it.</summary>
    public IReadOnlyList<StoreDetour> Detours
    {
        get
        {
            lock (gate)
            {
                return [.. detours.Select(pair => new StoreDetour(pair.Key, pair.Value)).OrderBy(detour => detour.Damaged, StringComparer.Ordinal)];
            }
        }
    }

    public bool Has(ContentHash hash) => Map().Has(hash);

    /// <summary>Null when no way is left.</summary>
    public ContentWay? Find(ContentHash hash) => Map().Find(hash);

    /// <summary>A file of the tree is not what the manifest says.</summary>
    public void Blame(SourceTree tree, Entry file)
    {
        lock (gate)
        {
            // A plan that has moved on has another tree, which is not to blame.
            if (tree.Version == sources.Head && tree.Directory == sources.HeadTree && notInTree.Add(file.Path))
            {
                map = null;
            }
        }
    }

    public void NoteDetour(string damaged, ContentWay instead) => NoteDetour(damaged, Describe(instead));

    public void NoteDetour(string damaged, string instead)
    {
        lock (gate)
        {
            if (detours.Count < MostDetours)
            {
                detours[damaged] = instead;
            }
        }
    }

    private static string Describe(ContentWay way)
    {
        var from = way.File is { } file ? $"{way.Tree!.Directory}/{file.Path}" : "";
        return way.Steps.Count switch
        {
            0 => from,
            <= 3 => string.Join(", ", way.Steps.Select(step => step.Pack.File).Distinct().Prepend(from).Where(part => part.Length > 0)),
            _ => $"{(from.Length > 0 ? from + ", " : "")}{way.Steps[0].Pack.File} to {way.Steps[^1].Pack.File} ({way.Steps.Count} deltas)",
        };
    }

    private ContentMap Map()
    {
        lock (gate)
        {
            var now = current();
            var moved = now.Head != sources.Head || now.HeadTree != sources.HeadTree;
            if (map is null || damageSeen != catalogue.DamageCount || moved || !ReferenceEquals(now.Packs, sources.Packs))
            {
                if (moved)
                {
                    notInTree.Clear();
                }

                // Counted before: what is reported meanwhile, here or by another reader, makes the next plan.
                damageSeen = catalogue.DamageCount;
                sources = now;
                map = new ContentMap(catalogue, now.Packs, now.HeadTree is null ? null : new SourceTree(now.Head, now.HeadTree), now.HeadManifest, notInTree);
            }

            return map;
        }
    }
}
