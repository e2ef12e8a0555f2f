using Mirror.Store.Manifests;
using Mirror.Store.Retention;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>
/// Which versions can be made again from this store alone. Walks once over the packs that lead away from the head and carries along only the paths whose content
/// is nowhere: a version is whole when there is none. After a stage that added one more version nothing is walked again.
/// </summary>
internal sealed class RestorableVersions
{
    private readonly HashSet<VersionId> versions;
    private readonly StoreState at;
    private readonly int damage;

    private RestorableVersions(HashSet<VersionId> versions, StoreState at, int damage)
    {
        this.versions = versions;
        this.at = at;
        this.damage = damage;
    }

    /// <summary>How many paths of each version that can be reached have a content that is nowhere; only when everything was walked.</summary>
    public IReadOnlyDictionary<VersionId, int> Lacking { get; private init; } = new Dictionary<VersionId, int>();

    public bool Contains(VersionId version) => versions.Contains(version);

    public bool Fits(StoreState state, PackCatalogue catalogue) =>
        damage == catalogue.DamageCount && ReferenceEquals(at.HeadManifest, state.HeadManifest) && ReferenceEquals(at.Packs, state.Packs) && at.Head == state.Head;

    /// <summary>The same after an exchange of packs by which no version that is kept lost or gained anything.</summary>
    public RestorableVersions After(StoreState exchange) => new([.. versions.Where(version => exchange.Find(version) is not null)], exchange, damage);

    /// <param name="before">What was found for an earlier state; null to start from scratch.</param>
    public static RestorableVersions Find(StoreState state, PackCatalogue catalogue, RestorableVersions? before)
    {
        var damage = catalogue.DamageCount;
        if (state.Head is null)
        {
            return new RestorableVersions([], state, damage);
        }

        // A whole reverse pack to the head that was: what could be made from that tree can be made from this one.
        if (before is { at.Head: { } old } && before.damage == damage && old.Id != state.Head.Id
            && state.Packs.Any(row => row.From == state.Head.Id && row.To == old.Id && !row.Partial))
        {
            return new RestorableVersions([.. before.versions, state.Head.Id], state, damage);
        }

        var contents = new ContentMap(catalogue, state.Packs, new SourceTree(state.Head.Id, ""), state.HeadManifest, new HashSet<EntryPath>());
        var walk = new ManifestWalk(state, catalogue);
        var missing = new Dictionary<VersionId, Dictionary<EntryPath, ContentHash>>();
        var whole = new HashSet<VersionId>();
        foreach (var (version, last) in state.Graph(catalogue).Reachable())
        {
            if (last is null)
            {
                missing.Add(version, []);
                whole.Add(version);
                continue;
            }

            if ((last.From.IsNone ? [] : missing.GetValueOrDefault(last.From)) is not { } lacked || walk.ChangesOf(last) is not { } changes)
            {
                continue;
            }

            var lacks = Changed(lacked, changes, contents);
            missing.Add(version, lacks);
            if (lacks.Count == 0)
            {
                whole.Add(version);
            }
        }

        return new RestorableVersions(whole, state, catalogue.DamageCount) { Lacking = missing.ToDictionary(pair => pair.Key, pair => pair.Value.Count) };
    }

    private static Dictionary<EntryPath, ContentHash> Changed(Dictionary<EntryPath, ContentHash> lacked, ManifestDelta changes, ContentMap contents)
    {
        var lacks = new Dictionary<EntryPath, ContentHash>(lacked);
        foreach (var path in changes.Removed)
        {
            lacks.Remove(path);
        }

        foreach (var entry in changes.Put)
        {
            if (entry is { Type: EntryType.File, Size: > 0 } && !contents.Has(entry.Hash))
            {
                lacks[entry.Path] = entry.Hash;
            }
            else
            {
                lacks.Remove(entry.Path);
            }
        }

        return lacks;
    }
}
