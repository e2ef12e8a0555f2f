using Mirror.Store.Manifests;

namespace Mirror.Store.Versions;

public enum PathChangeKind
{
    Added,
    Removed,

    /// <summary>The content was under another path, which is gone.</summary>
    Moved,

    /// <summary>A file became a directory, or the like.</summary>
    Type,

    /// <summary>A file's bytes, or a link's target.</summary>
    Content,

    /// <summary>Only mode, owner, time or attributes.</summary>
    Metadata,
}

/// <summary>What became of one path from one version to another.</summary>
/// <param name="Path">Where it is now, or was last.</param>
/// <param name="Before">Null when it was added. Of what moved: with the path it had.</param>
/// <param name="After">Null when it was removed.</param>
public sealed record PathChange(PathChangeKind Kind, EntryPath Path, Entry? Before, Entry? After)
{
    /// <summary>Null when nothing of it differs.</summary>
    public static PathChange? Between(EntryPath path, Entry? before, Entry? after) => (before, after) switch
    {
        (null, null) => null,
        (null, _) => new PathChange(PathChangeKind.Added, path, null, after),
        (_, null) => new PathChange(PathChangeKind.Removed, path, before, null),
        _ when before == after => null,
        _ => new PathChange(KindOf(before, after), path, before, after),
    };

    /// <summary>All that differs between two manifests, by path. A removed file whose content comes back under a new path has moved.</summary>
    public static IReadOnlyList<PathChange> Between(Manifest before, Manifest after)
    {
        var delta = Manifest.Diff(before, after);
        var gone = delta.Removed.Select(path => before.Find(path)!)
            .Where(static entry => entry is { Type: EntryType.File, HardlinkOf: null, Size: > 0 })
            .GroupBy(static entry => entry.Hash)
            .ToDictionary(static group => group.Key, static group => group.ToList());
        var changes = new List<PathChange>();
        var moved = new HashSet<EntryPath>();
        foreach (var entry in delta.Put)
        {
            var old = before.Find(entry.Path);
            if (old is null && entry is { Type: EntryType.File, HardlinkOf: null } && gone.TryGetValue(entry.Hash, out var sources) && sources.Count > 0)
            {
                // One of the same name is the likelier one.
                var source = sources.Find(candidate => candidate.Path.Name.SequenceEqual(entry.Path.Name)) ?? sources[0];
                sources.Remove(source);
                moved.Add(source.Path);
                changes.Add(new PathChange(PathChangeKind.Moved, entry.Path, source, entry));
            }
            else
            {
                changes.Add(Between(entry.Path, old, entry)!);
            }
        }

        changes.AddRange(delta.Removed.Where(path => !moved.Contains(path)).Select(path => new PathChange(PathChangeKind.Removed, path, before.Find(path), null)));
        return [.. changes.OrderBy(static change => change.Path)];
    }

    private static PathChangeKind KindOf(Entry before, Entry after) =>
        before.Type != after.Type ? PathChangeKind.Type
        : before.Hash != after.Hash || !before.LinkTarget.AsSpan().SequenceEqual(after.LinkTarget) ? PathChangeKind.Content
        : PathChangeKind.Metadata;
}

/// <summary>A change of a path, and the version that brought it.</summary>
public sealed record VersionChange(VersionRecord Version, PathChange Change);

/// <summary>What became of some paths over all versions.</summary>
/// <param name="Unknown">Versions whose manifest cannot be had: what changed in them shows in the one after.</param>
public sealed record PathHistory(IReadOnlyList<VersionChange> Changes, IReadOnlyList<VersionId> Unknown);
