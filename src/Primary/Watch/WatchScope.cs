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

    /// <summary>Whether this, happening to this entry, is to be told.</summary>
    public bool Covers(EntryPath path, Happening what)
    {
        if (filter.IsPrivate(path))
        {
            return (what & Happening.Writes) != 0;
        }

        return !LeavesOut(path, (what & Happening.OnDirectory) != 0 ? EntryType.Directory : EntryType.File);
    }

    /// <summary>Whether nothing in this directory matters.</summary>
    public bool LeavesOutDirectory(EntryPath path) => LeavesOut(path, EntryType.Directory);

    /// <summary>The same, looked at from the root down: a directory in one that is left out is left out with it.</summary>
    public bool LeavesOutBelow(EntryPath path)
    {
        for (var at = path; !at.IsRoot; at = at.Parent)
        {
            if (LeavesOutDirectory(at))
            {
                return true;
            }
        }

        return false;
    }

    private bool LeavesOut(EntryPath path, EntryType type) => !path.IsRoot && (path.IsWithin(reserved) || filter.Excludes(path, type));
}
