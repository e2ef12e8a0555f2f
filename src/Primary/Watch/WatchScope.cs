using Mirror.Node.Apps;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Watch;

/// <summary>
/// What of a tree is worth a word. What is left out of versions is not, with one exception: the files of a live database are no part of a version, but a write to them is a
/// reason for a new dump. Only a write: a dump itself opens and closes them, and must not call for the next one.
/// </summary>
internal sealed class WatchScope
{
    private static readonly EntryPath reserved = EntryPath.Parse(SlotDatabases.Reserved);

    private readonly PathFilter filter;

    // Directories that are left out, and have a live database in them or below.
    private readonly HashSet<EntryPath> kept = [];

    public WatchScope(PathFilter filter)
    {
        this.filter = filter;
        foreach (var file in filter.PrivatePaths)
        {
            for (var directory = file.Parent; !directory.IsRoot; directory = directory.Parent)
            {
                if (filter.Excludes(directory, EntryType.Directory))
                {
                    kept.Add(directory);
                }
            }
        }
    }

    /// <summary>Whether this, happening to this entry of a directory that is watched, is to be told.</summary>
    public bool Covers(EntryPath path, Happening what) => filter.IsPrivate(path)
        ? (what & Happening.Writes) != 0
        : (kept.Contains(path) && (what & Happening.Names) != 0) || !LeavesOut(path, (what & Happening.OnDirectory) != 0 ? EntryType.Directory : EntryType.File);

    /// <summary>Whether nothing in this directory matters, which is in one that is watched.</summary>
    public bool LeavesOutDirectory(EntryPath path) => !kept.Contains(path) && LeavesOut(path, EntryType.Directory);

    /// <summary>The same of any directory: in one that is left out it is left out as well.</summary>
    public bool LeavesOutBelow(EntryPath path) => path.IsWithin(reserved) || (!kept.Contains(path) && filter.Excludes(path, EntryType.Directory));

    // What is in a watched directory need not be asked about from the root down, unless that directory is watched for a database only.
    private bool LeavesOut(EntryPath path, EntryType type) => path == reserved || (kept.Count == 0 ? filter.ExcludesHere(path, type) : filter.Excludes(path, type));
}
