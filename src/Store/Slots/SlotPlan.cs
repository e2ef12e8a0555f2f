using Mirror.Store.Manifests;

namespace Mirror.Store.Slots;

internal enum FileSource
{
    /// <summary>A new inode: from a blob, or a copy of a content the base has.</summary>
    Fresh,

    /// <summary>The base's inode from another path: a rename that kept everything.</summary>
    Moved,

    /// <summary>The base's inode from the same path.</summary>
    Shared,
}

/// <param name="From">Path in the base tree, for <see cref="FileSource.Moved"/> and <see cref="FileSource.Shared"/>.</param>
internal readonly record struct PlannedFile(Entry Entry, FileSource Source, EntryPath From);

/// <summary>
/// What must be done to a slot that holds one version so that it holds another, with the tree of a third (the base: often the sibling slot, or this very slot) at hand.
/// Only paths on which the slot and the target differ appear here. An inode of the base is used for one file of the target at most, hard-link groups apart:
/// two files that only look alike must not become one.
/// </summary>
internal sealed class SlotPlan
{
    private SlotPlan(IReadOnlyList<EntryPath> removed, IReadOnlyList<Entry> put, IReadOnlyDictionary<EntryPath, PlannedFile> files, IReadOnlyList<Entry> directories)
    {
        Removed = removed;
        Put = put;
        Files = files;
        Directories = directories;
    }

    /// <summary>In manifest order; what lies below a removed directory is left out.</summary>
    public IReadOnlyList<EntryPath> Removed { get; }

    /// <summary>Entries to write, in manifest order: parents before children, a group's file before its links.</summary>
    public IReadOnlyList<Entry> Put { get; }

    /// <summary>How each regular file of <see cref="Put"/> (not the links of a group) comes to its content.</summary>
    public IReadOnlyDictionary<EntryPath, PlannedFile> Files { get; }

    /// <summary>Directories whose times change by this work.</summary>
    public IReadOnlyList<Entry> Directories { get; }

    public IEnumerable<PlannedFile> Fresh => Files.Values.Where(file => file.Source == FileSource.Fresh);

    /// <param name="slot">What the slot holds, when the moves are made.</param>
    /// <param name="moved">Directories of the slot that are moved as a whole first; null for none.</param>
    public static SlotPlan Make(Manifest slot, Manifest baseline, Manifest target, SlotMoves? moved = null)
    {
        var changes = Manifest.Diff(slot, target);
        var removed = new List<EntryPath>();
        foreach (var path in changes.Removed)
        {
            if (removed.Count == 0 || !path.IsWithin(removed[^1]))
            {
                removed.Add(path);
            }
        }

        var files = new Dictionary<EntryPath, PlannedFile>();
        var moves = new MoveFinder(baseline, target, slot, moved);
        foreach (var entry in changes.Put)
        {
            if (entry.Type != EntryType.File || entry.HardlinkOf is not null)
            {
                continue;
            }

            files.Add(
                entry.Path,
                baseline.Find(entry.Path) is { HardlinkOf: null } same && same == entry ? new PlannedFile(entry, FileSource.Shared, entry.Path)
                : moves.TryClaim(entry) is { } from ? new PlannedFile(entry, FileSource.Moved, from)
                : new PlannedFile(entry, FileSource.Fresh, default));
        }

        return new SlotPlan(removed, changes.Put, files, TouchedDirectories(changes, target, moved));
    }

    private static List<Entry> TouchedDirectories(ManifestDelta changes, Manifest target, SlotMoves? moved)
    {
        var touched = new HashSet<EntryPath>();
        foreach (var move in moved?.Moves ?? [])
        {
            touched.UnionWith([move.From.Parent, move.To.Parent, move.To]);
        }

        foreach (var entry in changes.Put)
        {
            if (entry.Type == EntryType.Directory)
            {
                touched.Add(entry.Path);
            }

            touched.Add(entry.Path.Parent);
        }

        foreach (var path in changes.Removed)
        {
            touched.Add(path.Parent);
        }

        return [.. touched.Order().Select(target.Find).OfType<Entry>().Where(entry => entry.Type == EntryType.Directory)];
    }

    /// <summary>Finds renames: a file of the base with the same content and the same metadata, which the target has no longer under its old path.</summary>
    private sealed class MoveFinder(Manifest baseline, Manifest target, Manifest slot, SlotMoves? moved)
    {
        private Dictionary<ContentHash, List<Entry>>? leaving;

        public EntryPath? TryClaim(Entry wanted)
        {
            if (wanted.Size == 0)
            {
                return null;
            }

            leaving ??= Leaving();
            if (!leaving.TryGetValue(wanted.Hash, out var candidates))
            {
                return null;
            }

            var index = candidates.FindIndex(candidate => candidate with { Path = wanted.Path, HardlinkOf = null } == wanted);
            if (index < 0)
            {
                return null;
            }

            var from = candidates[index].Path;
            candidates.RemoveAt(index);
            return from;
        }

        private Dictionary<ContentHash, List<Entry>> Leaving()
        {
            var gone = new Dictionary<ContentHash, List<Entry>>();
            foreach (var path in Manifest.Diff(target, baseline).Put.Select(entry => entry.Path))
            {
                // A group's file stands for its inode; a link of a group whose file stays is no candidate, for the inode stays too.
                if (baseline.Find(path) is { Type: EntryType.File, HardlinkOf: null } entry && !StillThere(entry))
                {
                    if (!gone.TryGetValue(entry.Hash, out var list))
                    {
                        gone.Add(entry.Hash, list = []);
                    }

                    list.Add(entry);
                }
            }

            return gone;
        }

        /// <summary>True when the target keeps this very entry, or the slot has it already in a directory that moved: so that its inode is taken.</summary>
        private bool StillThere(Entry entry) => target.Find(entry.Path) == entry
            || (moved?.TargetOf(entry.Path) is { } there && there != entry.Path && slot.Find(there) is { } kept && kept == target.Find(there));
    }
}
