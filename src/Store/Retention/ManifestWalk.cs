using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.Retention;

/// <summary>The manifests of many versions, asked for from the newest to the oldest: the one found last is where the next walk begins, so no pack's changes are read twice.</summary>
internal sealed class ManifestWalk(StoreState state, PackCatalogue catalogue)
{
    private Dictionary<VersionId, PackRow?>? last;
    private VersionId at = state.Head?.Id ?? default;
    private Manifest manifest = state.HeadManifest;

    /// <summary>What a pack changes, entry by entry. Null when it cannot be read, or moves directories of a version that no pack leads to.</summary>
    public ManifestDelta? ChangesOf(PackRow row)
    {
        if (catalogue.ChangesOf(row) is not { } changes)
        {
            return null;
        }

        if (changes.Moves.Count == 0)
        {
            return new ManifestDelta(changes.Put, changes.Removed);
        }

        try
        {
            return Find(row.From) is { } from ? changes.Over(from) : null;
        }
        catch (InvalidDataException error)
        {
            catalogue.Report(row, error.Message);
            return null;
        }
    }

    /// <summary>Null when no pack that can be read leads there.</summary>
    public Manifest? Find(VersionId version)
    {
        if (version.IsNone)
        {
            return Manifest.Empty;
        }

        last ??= state.Graph(catalogue).Reachable().ToDictionary(point => point.Version, point => point.Last);
        var way = new Stack<PackRow>();
        for (var point = version; point != at;)
        {
            if (!last.TryGetValue(point, out var row))
            {
                return null;
            }

            if (row is null || row.From.IsNone)
            {
                (at, manifest) = row is null ? (point, state.HeadManifest) : (default, Manifest.Empty);
                if (row is not null)
                {
                    way.Push(row);
                }

                break;
            }

            way.Push(row);
            point = row.From;
        }

        while (way.TryPop(out var row))
        {
            if (catalogue.ChangesOf(row) is not { } changes)
            {
                return null;
            }

            try
            {
                (at, manifest) = (row.To, manifest.Apply(changes));
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
