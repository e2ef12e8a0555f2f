using System.Security.Cryptography;
using Mirror.Cli.Output;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;

namespace Mirror.Cli.Commands.Packs;

/// <summary>A tree of the version a pack starts from, searched for the contents its deltas copy from: each is known by its SHA-256, wherever it lies.</summary>
internal sealed class BasisTree
{
    private readonly string root;
    private readonly Dictionary<ContentHash, EntryPath> found = [];

    private BasisTree(string root) => this.root = root;

    public static async Task<BasisTree> SearchAsync(string directory, PackReader pack, CancellationToken cancellation)
    {
        var tree = new BasisTree(Path.GetFullPath(directory));
        var wanted = pack.Blobs.Where(blob => !blob.Basis.IsNone).Select(blob => blob.Basis).ToHashSet();
        if (!Directory.Exists(tree.root))
        {
            throw new CommandException($"there is no directory {tree.root}. Name the tree of {pack.Header.From}.");
        }

        // What a file became is most often at its own path: those first, and the rest of the tree only for what is moved.
        var changed = pack.ReadChanges().Put.Select(entry => entry.Path).ToHashSet();
        var files = TreeScanner.Scan(tree.root, static (_, _) => false, cancellation).Entries.Where(found => found.Entry.Type == EntryType.File);
        foreach (var file in files.OrderBy(found => !changed.Contains(found.Entry.Path)))
        {
            if (wanted.Count == 0)
            {
                break;
            }

            await using var content = TreeScanner.OpenRead(tree.root, file.Entry.Path);
            var hash = ContentHash.From(await SHA256.HashDataAsync(content, cancellation));
            if (wanted.Remove(hash))
            {
                tree.found[hash] = file.Entry.Path;
            }
        }

        return tree;
    }

    public Stream? Open(ContentHash hash) => found.TryGetValue(hash, out var path) ? TreeScanner.OpenRead(root, path) : null;
}
