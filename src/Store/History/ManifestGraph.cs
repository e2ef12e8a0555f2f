using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>
/// Versions are points and packs are edges; every pack carries the difference of two manifests. The manifest of any version is found by walking from one that is
/// known (the head's, or nothing) along the fewest packs that can be read; a damaged pack is an edge removed.
/// </summary>
internal sealed class ManifestGraph(PackCatalogue catalogue, IReadOnlyList<PackRow> packs, VersionId head, Manifest headManifest)
{
    private readonly ILookup<VersionId, PackRow> edges = packs.ToLookup(row => row.From);

    /// <summary>Null when no way is left.</summary>
    /// <param name="root">The version's root, which the result must have.</param>
    public Manifest? Find(VersionId version, ContentHash root)
    {
        while (Way(version) is { } way)
        {
            if (Walk(way) is { } manifest)
            {
                if (manifest.Root == root)
                {
                    return manifest;
                }

                // Frames had good checksums and yet the sum is wrong: no way to tell which pack, so the last one is left out and another way tried.
                if (way.Count == 0)
                {
                    return null;
                }

                catalogue.Report(way[^1], $"the manifest it leads to has root {manifest.Root}, not {root}");
            }
        }

        return null;
    }

    /// <summary>Every version some way leads to, with the pack its way ends with (null for the head), nearest first.</summary>
    public IEnumerable<(VersionId Version, PackRow? Last)> Reachable()
    {
        var seen = new HashSet<VersionId>();
        var queue = new Queue<(VersionId, PackRow?)>();
        if (!head.IsNone)
        {
            seen.Add(head);
            queue.Enqueue((head, null));
        }

        // Key frames lead from nothing.
        Follow(default);
        while (queue.TryDequeue(out var point))
        {
            yield return point;
            Follow(point.Item1);
        }

        void Follow(VersionId from)
        {
            foreach (var row in edges[from].Where(row => !catalogue.IsDamaged(row)))
            {
                if (seen.Add(row.To))
                {
                    queue.Enqueue((row.To, row));
                }
            }
        }
    }

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

    private Manifest? Walk(List<PackRow> way)
    {
        var manifest = way.Count > 0 && way[0].From.IsNone ? Manifest.Empty : headManifest;
        foreach (var row in way)
        {
            if (catalogue.ChangesOf(row) is not { } changes)
            {
                return null;
            }

            try
            {
                manifest = manifest.Apply(changes);
            }
            catch (InvalidDataException error)
            {
                catalogue.Report(row, error.Message);
                return null;
            }
        }

        return manifest;
    }
}
