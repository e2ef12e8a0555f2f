using System.Collections.Immutable;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Faults;

/// <summary>What may be found on a disk after the power went at some moment.</summary>
internal static class PowerLoss
{
    /// <summary>How much of what was not synced reached the disk.</summary>
    public enum Luck
    {
        Nothing,
        Everything,

        /// <summary>Names come first and data later, as on file systems that put off where data goes: files are there and empty.</summary>
        NamesWithoutData,

        /// <summary>Names up to some moment, in order; data by chance. A journaling file system does this.</summary>
        InOrder,

        /// <summary>Any of it.</summary>
        AnyOrder,
    }

    /// <summary>The tree that is found. The index is not in it.</summary>
    public static TreeLiteral Tree(CrashPoint point, Luck luck, Random random)
    {
        var names = point.Names;
        var inOrder = random.Next(point.PendingNames.Count + 1);
        for (var at = 0; at < point.PendingNames.Count; at++)
        {
            var kept = luck switch
            {
                Luck.Nothing => false,
                Luck.Everything or Luck.NamesWithoutData => true,
                Luck.InOrder => at < inOrder,
                _ => random.Next(2) == 0,
            };
            names = kept ? PowerLossDisk.Applied(names, point.PendingNames[at]) : names;
        }

        var children = names.Where(pair => pair.Value.Inode is not null).ToLookup(pair => pair.Key.Directory);
        var variants = new Dictionary<ulong, TreeInode>();
        var found = new Dictionary<EntryPath, TreeInode>();
        var directories = new Dictionary<ulong, (EntryPath Path, long Number)>();
        Visit(EntryPath.Root, point.Root, 0);
        return new TreeLiteral(found);

        void Visit(EntryPath path, ulong inode, long number)
        {
            var variant = Variant(inode);
            if (variant.Type == EntryType.Directory)
            {
                // Of two names that a rename could leave in different directories' blocks, repair keeps the newer one.
                if (directories.TryGetValue(inode, out var other) && other.Number > number)
                {
                    return;
                }

                if (other != default)
                {
                    foreach (var below in found.Keys.Where(key => key.IsWithin(other.Path)).ToList())
                    {
                        found.Remove(below);
                    }
                }

                directories[inode] = (path, number);
            }

            found[path] = variant;
            foreach (var (name, value) in children[inode])
            {
                Visit(path.Append(Encoding.Latin1.GetBytes(name.Name)), value.Inode!.Value, value.Number);
            }
        }

        TreeInode Variant(ulong inode)
        {
            if (!variants.TryGetValue(inode, out var variant))
            {
                var synced = point.Inodes.GetValueOrDefault(inode);
                var latest = point.LatestInodes[inode];
                variant = ReferenceEquals(synced, latest) ? latest : Survivor(synced, latest, luck, random);
                variants.Add(inode, variant);
            }

            return variant;
        }
    }

    /// <summary>A name for what was found, so that no state is looked at twice.</summary>
    public static string Fingerprint(CrashPoint point, TreeLiteral tree) =>
        $"{tree.ToManifest().Root} {string.Join(",", point.Index.OrderBy(file => file.Key, StringComparer.Ordinal).Select(file => ContentHash.From(System.Security.Cryptography.SHA256.HashData(file.Value))))}";

    private static TreeInode Survivor(TreeInode? synced, TreeInode latest, Luck luck, Random random)
    {
        // Links, fifos and directories are nothing but names and metadata.
        if (latest.Type != EntryType.File)
        {
            return luck == Luck.Everything || synced is null || random.Next(2) == 0 ? latest : synced;
        }

        var old = synced ?? latest.WithContent([]);
        return luck switch
        {
            Luck.Everything => latest,
            Luck.Nothing or Luck.NamesWithoutData => old,
            _ => random.Next(5) switch
            {
                0 => latest,
                1 => latest.WithContent(latest.Content[..(latest.Content.Length / 2)]),
                2 => latest.WithContent(new byte[latest.Content.Length]),
                3 => latest.With(entry => entry with { MtimeUnixNs = entry.MtimeUnixNs + 1, Mode = 0x180 }),
                _ => old,
            },
        };
    }
}
