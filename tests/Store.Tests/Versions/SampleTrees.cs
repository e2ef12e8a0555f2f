using System.Text;
using Mirror.Store.Manifests;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Versions;

/// <summary>A small site with everything a tree can hold, and how it changes.</summary>
internal static class SampleTrees
{
    public static TreeLiteral First { get; } = TreeLiteral.Empty
        .File("index.html", "<h1>Welcome</h1>")
        .File("pages/start", Text(1, 40_000))
        .File("pages/other", Text(2, 9_000), "0600")
        .File("empty", "")
        .File("bin/tool", "#!/bin/sh\n", "4755")
        .Directory("uploads", "2770")
        .Directory("uploads/empty", "0700")
        .Symlink("latest", "pages/start")
        .Symlink("broken", "/nowhere/at/all")
        .Fifo("queue")
        .Hardlink("pages/start.link", "pages/start")
        .SparseFile("disk.img", Sparse(300_000, 77), "0640")
        .Xattr("pages/other", "user.author", "somebody")
        .File("caf\u00e9 \u65e5\u672c/na\tme\n", "odd names")
        .Put(EntryPath.Parse([.. "bytes-"u8, 0xff, 0xfe]), TreeLiteral.NewFile(Encoding.UTF8.GetBytes("no utf-8"), "0444"));

    /// <summary>Edits, a mode, a time, a move, a copy, a removal, another link target.</summary>
    public static TreeLiteral Second { get; } = First
        .File("index.html", "<h1>Welcome back</h1>")
        .File("pages/start", [.. Text(1, 20_000), .. Text(9, 50), .. Text(1, 40_000).AsSpan(20_000)])
        .With("pages/other", entry => entry with { Mode = 0x1a4, MtimeUnixNs = entry.MtimeUnixNs + 5_000_000_001 })
        .With("uploads", entry => entry with { Mode = 0x1ff })
        .Without("broken")
        .Symlink("latest", "pages/other")
        .File("copy-of-tool", "#!/bin/sh\n", "0755")
        .File("uploads/picture", Text(5, 120_000));

    /// <summary>A renamed directory, types that change, links made and cut.</summary>
    public static TreeLiteral Third { get; } = Moved(Second, "uploads", "media")
        .Without("pages/start.link")
        .Without("empty")
        .File("empty/now-a-directory", "yes")
        .Symlink("disk.img", "elsewhere")
        .Hardlink("tool2", "bin/tool")
        .File("latest", "no longer a link");

    public static IReadOnlyList<TreeLiteral> All { get; } = [First, Second, Third];

    public static TreeLiteral Moved(TreeLiteral tree, string from, string to)
    {
        var source = EntryPath.Parse(from);
        var moved = tree.Without(source);
        foreach (var (path, inode) in tree.Nodes.Where(node => node.Key.IsWithin(source)))
        {
            moved = moved.Put(EntryPath.Parse([.. Encoding.UTF8.GetBytes(to), .. path.Bytes[source.Bytes.Length..]]), inode);
        }

        return moved;
    }

    /// <summary>Bytes that do not compress and are the same every time.</summary>
    public static byte[] Text(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static byte[] Sparse(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes.AsSpan(150_000, 5_000));
        return bytes;
    }
}
