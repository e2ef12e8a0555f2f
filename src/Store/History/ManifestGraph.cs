using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>
/// Versions are points and packs are edges; every pack carries the difference of two manifests. The manifest of any version is found by the cheapest way from one that is
/// known (the head's, or nothing) over packs that can be read; a damaged pack is an edge removed.
/// </summary>
internal sealed class ManifestGraph
{
    /// <summary>Bytes of an entry in a pack, about; and what it takes to open one.</summary>
    private const long EntryCost = 128;
    private const long PackCost = 4096;

    private readonly PackCatalogue catalogue;
    private readonly VersionId head;
    private readonly Manifest headManifest;
    private readonly ILookup<VersionId, PackRow> edges;
    private readonly Dictionary<VersionId, long> entries;

    /// <param name="versions">Their sizes make the costs of long ways known better; right without.</param>
    public ManifestGraph(PackCatalogue catalogue, IReadOnlyList<PackRow> packs, VersionId head, Manifest headManifest, IReadOnlyList<VersionRow>? versions = null)
    {
        this.catalogue = catalogue;
        this.head = head;
        this.headManifest = headManifest;
        edges = packs.ToLookup(row => row.From);
        entries = versions?.ToDictionary(row => row.Record.Id, row => row.Record.Entries) ?? [];
    }

    /// <summary>Null when no way is left.</summary>
    /// <param name="root">The version's root, which the result must have.</param>
    public Manifest? Find(VersionId version, ContentHash root) => FindWay(version, root)?.Manifest;

    /// <summary>The same, with the packs that led there.</summary>
    public (Manifest Manifest, IReadOnlyList<PackRow> Way)? FindWay(VersionId version, ContentHash root)
    {
        while (Way(version) is { } way)
        {
            if (Walk(way) is { } manifest && manifest.Root == root)
            {
                return (manifest, way);
            }

            // The index itself is wrong about the head.
            if (way.Count == 0)
            {
                return null;
            }

            Blame(way, root);
        }

        return null;
    }

    /// <summary>Every version some way leads to, with the pack its way ends with (null for the head), cheapest first.</summary>
    public IEnumerable<(VersionId Version, PackRow? Last)> Reachable()
    {
        var seen = new HashSet<VersionId>();
        var open = new PriorityQueue<(VersionId Version, PackRow? Last), long>();
        if (!head.IsNone)
        {
            open.Enqueue((head, null), 0);
        }

        // Key frames lead from nothing.
        Follow(default, 0);
        while (open.TryDequeue(out var point, out var cost))
        {
            if (seen.Add(point.Version))
            {
                yield return point;
                Follow(point.Version, cost);
            }
        }

        void Follow(VersionId from, long cost)
        {
            foreach (var row in edges[from])
            {
                if (!seen.Contains(row.To) && !catalogue.IsDamaged(row))
                {
                    open.Enqueue((row.To, row), cost + Cost(row));
                }
            }
        }
    }

    /// <summary>Of a pack only the manifest's part is read: not more than the pack, nor than all entries there are.</summary>
    private long Cost(PackRow row) => PackCost + Math.Min(row.Bytes, entries.TryGetValue(row.To, out var count) ? count * EntryCost : long.MaxValue);

    private List<PackRow>? Way(VersionId version)
    {
        var last = new Dictionary<VersionId, PackRow?>();
        foreach (var (point, row) in Reachable())
        {
            last.Add(point, row);
            if (point != version)
            {
                continue;
            }

            var way = new List<PackRow>();
            for (var step = row; step is not null; step = step.From.IsNone ? null : last[step.From])
            {
                way.Add(step);
            }

            way.Reverse();
            return way;
        }

        return null;
    }

    private Manifest Start(List<PackRow> way) => way.Count > 0 && way[0].From.IsNone ? Manifest.Empty : headManifest;

    /// <summary>All differences as one, so that the manifest is made once, however many packs lead to it and do not move directories. Null when that cannot be.</summary>
    private Manifest? Walk(List<PackRow> way)
    {
        if (way.Count == 0)
        {
            return headManifest;
        }

        var manifest = Start(way);
        var changed = new Dictionary<EntryPath, Entry?>();
        try
        {
            foreach (var row in way)
            {
                if (catalogue.ChangesOf(row) is not { } changes)
                {
                    return null;
                }

                if (changes.Moves.Count > 0)
                {
                    // What moves come to depends on all that was before them.
                    manifest = manifest.Apply(Joined(changed)).Apply(changes);
                    changed.Clear();
                    continue;
                }

                foreach (var path in changes.Removed)
                {
                    changed[path] = null;
                }

                foreach (var entry in changes.Put)
                {
                    changed[entry.Path] = entry;
                }
            }

            return manifest.Apply(Joined(changed));
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    private static ManifestDelta Joined(Dictionary<EntryPath, Entry?> changed) => new(
        [.. changed.Values.OfType<Entry>().OrderBy(entry => entry.Path)], [.. changed.Where(pair => pair.Value is null).Select(pair => pair.Key).Order()]);

    /// <summary>Which pack of a way that led nowhere is to be left out: each names the version it leads to, with its root, and the first that does not lead there is it.</summary>
    private void Blame(List<PackRow> way, ContentHash root)
    {
        var manifest = Start(way);
        foreach (var row in way)
        {
            if (catalogue.ReadChanges(row) is not var (changes, to))
            {
                return;
            }

            try
            {
                manifest = manifest.Apply(changes);
            }
            catch (InvalidDataException error)
            {
                catalogue.Report(row, error.Message);
                return;
            }

            if (manifest.Root != to.Root)
            {
                catalogue.Report(row, $"the manifest it leads to has root {manifest.Root}; it says {to.Root}");
                return;
            }
        }

        catalogue.Report(way[^1], $"it leads to another version {way[^1].To} than the store has, with root {manifest.Root} instead of {root}");
    }
}
