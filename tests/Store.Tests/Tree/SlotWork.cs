using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Tree;

/// <summary>What a store does with slots, in its plainest form.</summary>
internal static class SlotWork
{
    /// <summary>A second tree whose files are the same inodes.</summary>
    public static void Clone(string from, string to, Manifest manifest)
    {
        Directory.CreateDirectory(to);
        using var writer = new TreeWriter(to);
        foreach (var entry in manifest.Entries)
        {
            if (entry.Type == EntryType.Directory)
            {
                writer.Put(entry);
            }
            else
            {
                writer.LinkFrom(from, entry.Path, entry.Path);
            }
        }

        writer.FinishDirectories(manifest.Entries.Where(static entry => entry.Type == EntryType.Directory));
    }

    /// <summary>Brings a tree from one version to the next; what could not be set.</summary>
    public static IReadOnlyList<UnreadablePath> Bring(string tree, TreeLiteral from, TreeLiteral to, bool allDirectories = true)
    {
        var manifest = to.ToManifest();
        var changes = Manifest.Diff(from.ToManifest(), manifest);
        using var writer = new TreeWriter(tree);
        foreach (var path in changes.Removed)
        {
            writer.Remove(path);
        }

        foreach (var entry in changes.Put)
        {
            if (entry.Type != EntryType.File || entry.HardlinkOf is not null)
            {
                writer.Put(entry);
                continue;
            }

            using var file = writer.BeginFile(entry);
            file.Content.Write(to.Nodes[entry.Path].Content);
            file.Commit();
        }

        writer.FinishDirectories((allDirectories ? manifest.Entries : changes.Put).Where(static entry => entry.Type == EntryType.Directory));
        return [.. writer.Unset];
    }
}
