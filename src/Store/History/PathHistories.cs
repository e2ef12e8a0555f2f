using System.Collections.Immutable;
using Mirror.Store.Manifests;
using Mirror.Store.Retention;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>
/// Follows some paths through all versions. Walks once over the packs that lead away from the head and carries along only those paths, so it costs what changed and not
/// versions times files.
/// </summary>
internal static class PathHistories
{
    public static PathHistory Find(StoreState at, PackCatalogue catalogue, Func<EntryPath, bool> matches)
    {
        var states = States(at, catalogue, matches);
        var changes = new List<VersionChange>();
        var unknown = new List<VersionId>();
        var last = ImmutableSortedDictionary<EntryPath, Entry>.Empty;
        foreach (var row in at.Versions)
        {
            if (!states.TryGetValue(row.Record.Id, out var now))
            {
                unknown.Add(row.Record.Id);
                continue;
            }

            // The parent may have been given up, or never been here: then the version before, in the order of numbers.
            var before = states.GetValueOrDefault(row.Record.Parent) ?? last;
            foreach (var path in before.Keys.Concat(now.Keys.Where(path => !before.ContainsKey(path))).Order())
            {
                if (PathChange.Between(path, before.GetValueOrDefault(path), now.GetValueOrDefault(path)) is { } change)
                {
                    changes.Add(new VersionChange(row.Record, change));
                }
            }

            last = now;
        }

        return new PathHistory(changes, unknown);
    }

    private static Dictionary<VersionId, ImmutableSortedDictionary<EntryPath, Entry>> States(StoreState at, PackCatalogue catalogue, Func<EntryPath, bool> matches)
    {
        var walk = new ManifestWalk(at, catalogue);
        var states = new Dictionary<VersionId, ImmutableSortedDictionary<EntryPath, Entry>>();
        foreach (var (version, pack) in at.Graph(catalogue).Reachable())
        {
            if (pack is null)
            {
                states.Add(version, at.HeadManifest.Entries.Where(entry => matches(entry.Path)).ToImmutableSortedDictionary(entry => entry.Path, entry => entry));
                continue;
            }

            var from = pack.From.IsNone ? ImmutableSortedDictionary<EntryPath, Entry>.Empty : states.GetValueOrDefault(pack.From);
            if (from is not null && walk.ChangesOf(pack) is { } changes)
            {
                states.Add(version, from
                    .RemoveRange(changes.Removed.Where(matches))
                    .SetItems(changes.Put.Where(entry => matches(entry.Path)).Select(entry => KeyValuePair.Create(entry.Path, entry))));
            }
        }

        return states;
    }
}
