using System.Security.Cryptography;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.History;

/// <summary>
/// Unchanged files as further names of the newest tree's inodes. An inode is used only for an entry that says the same of it in everything, and once: two files of a version
/// that are no hard links of each other do not become so. What was linked is read and checked like all else.
/// </summary>
internal sealed class RestoreLinks(SourceTree tree, Manifest manifest)
{
    private readonly HashSet<EntryPath> used = [];
    private readonly Lock gate = new();

    public SourceTree Tree => tree;

    /// <summary>The file of the tree that could be linked; null when there is none, or when it was given away already.</summary>
    public Entry? Take(Entry entry, EntryPath original)
    {
        if (manifest.Find(original) is not { Type: EntryType.File } candidate || candidate.Hash != entry.Hash)
        {
            candidate = manifest.FindContent(entry.Hash);
        }

        if (candidate is null || candidate with { Path = entry.Path, HardlinkOf = null } != entry)
        {
            return null;
        }

        lock (gate)
        {
            return used.Add(candidate.HardlinkOf ?? candidate.Path) ? candidate : null;
        }
    }

    /// <summary>False: the tree's file is gone or is not what its manifest says; nothing is left of the link.</summary>
    public bool TryLink(TreeWriter writer, Entry entry, Entry candidate)
    {
        try
        {
            writer.LinkFrom(tree.Directory, candidate.Path, entry.Path);
        }
        catch (FileNotFoundException)
        {
            return false;
        }

        if (IsWhole(writer, entry))
        {
            return true;
        }

        writer.Remove(entry.Path);
        return false;
    }

    /// <summary>The linked inode, not the tree's path: that may have become another file meanwhile. One that cannot be read is not whole.</summary>
    private static bool IsWhole(TreeWriter writer, Entry entry)
    {
        try
        {
            using var content = TreeScanner.OpenRead(writer.Root, entry.Path);
            return content.Length == entry.Size && ContentHash.From(SHA256.HashData(content)) == entry.Hash;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
