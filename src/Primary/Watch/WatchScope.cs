using Mirror.Node.Apps;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Watch;

/// <summary>
/// What of a tree is worth a word. What is left out of versions is not, with one exception: the files of a live database are no part of a version, but a write to them is a
/// reason for a new dump. Only a write: a dump itself opens and closes them, and must not call for the next one.
/// </summary>
internal sealed class WatchScope(PathFilter filter)
{
    private static readonly EntryPath reserved = EntryPath.Parse(SlotDatabases.Reserved);

    /// <summary>Whether this, happening to this entry of a directory that is not left out, is to be told.</summary>
    public bool Covers(EntryPath path, Happening what) => filter.IsPrivate(path)
        ? (what & Happening.Writes) != 0
        : !LeavesOutHere(path, (what & Happening.OnDirectory) != 0 ? EntryType.Directory : EntryType.File);

    /// <summary>Whether nothing in this directory matters, which is in one that is not left out.</summary>
    public bool LeavesOutDirectory(EntryPath path) => LeavesOutHere(path, EntryType.Directory);

    /// <summary>The same of any directory: in one that is left out it is left out as well.</summary>
    public bool LeavesOutBelow(EntryPath path) => path.IsWithin(reserved) || filter.Excludes(path, EntryType.Directory);

    private bool LeavesOutHere(EntryPath path, EntryType type) => path == reserved || filter.ExcludesHere(path, type);
}
