using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture;

/// <summary>
/// Which old content a changed file is most likely made from. The inode knows best: a log that was written to and rotated, a file that was renamed and edited, is
/// the inode it was, whatever stands at its path before. A file that an editor wrote anew and renamed over the old one has an inode of its own; then the path knows.
/// </summary>
internal sealed class BasisChoice(KnownTree known)
{
    /// <param name="old">What is known at the path.</param>
    /// <returns>None and null when there is nothing to copy from: no such content, or one too small to have been signed.</returns>
    public (ContentHash Hash, BlockSignature? Signature) Find(ScannedEntry found, Entry? old)
    {
        var stayed = known.StatKeys.TryGetValue(found.Entry.Path, out var seen) && seen.Inode == found.Stat.Inode && seen.Device == found.Stat.Device;
        if (!stayed && OfInode(found, isNewPath: old is not { Type: EntryType.File }) is { } moved && known.FindSignature(moved) is { } signature)
        {
            return (moved, signature);
        }

        return old is { Type: EntryType.File } && known.FindSignature(old.Hash) is { } signed ? (old.Hash, signed) : default;
    }

    /// <summary>
    /// The content of a file that only came to another path, because a directory above it was renamed: its inode was not touched since it was read. Null when it may have been.
    /// </summary>
    public ContentHash? Unread(ScannedEntry found)
    {
        return known.StatKeys.PathOf(found.Stat.Device, found.Stat.Inode) is { } path && known.StatKeys[path] == found.Stat
            && known.Manifest.Find(path) is { Type: EntryType.File, Unstable: false } entry && entry.Size == found.Entry.Size
            ? entry.Hash
            : null;
    }

    private ContentHash? OfInode(ScannedEntry found, bool isNewPath)
    {
        if (known.StatKeys.PathOf(found.Stat.Device, found.Stat.Inode) is not { } path)
        {
            return null;
        }

        // Numbers of inodes are used again, often at once. This is the same one if it was made before it was last seen. Where the file system does not tell, a path
        // that had no content has nothing to lose by the guess.
        var isSame = found.BornNs is { } born ? born <= known.StatKeys[path].CtimeNs : isNewPath;
        return isSame && known.Manifest.Find(path) is { Type: EntryType.File } entry ? entry.Hash : null;
    }
}
