using System.Security.Cryptography;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>Makes a manifest from a tree by reading all of it: the last resort when no pack says what the tree was.</summary>
internal static class TreeManifest
{
    /// <exception cref="StoreException">Something could not be read.</exception>
    public static Manifest Read(string tree, Func<EntryPath, bool> isPrivate)
    {
        var scan = TreeScanner.Scan(tree, (path, type) => type != EntryType.Directory && isPrivate(path), CancellationToken.None);
        if (scan.Unreadable.Count > 0)
        {
            throw new StoreException($"{tree}/{scan.Unreadable[0].Path} cannot be read: {scan.Unreadable[0].Reason}.");
        }

        var hashes = new Dictionary<EntryPath, ContentHash>();
        return Manifest.FromSorted([.. scan.Entries.Select(scanned => Hashed(scanned.Entry))]);

        Entry Hashed(Entry entry)
        {
            if (entry.Type != EntryType.File)
            {
                return entry;
            }

            if (entry.HardlinkOf is not { } first || !hashes.TryGetValue(first, out var hash))
            {
                using var content = TreeScanner.OpenRead(tree, entry.Path);
                hash = ContentHash.From(SHA256.HashData(content));
                hashes.Add(entry.Path, hash);
            }

            return entry with { Hash = hash };
        }
    }
}
