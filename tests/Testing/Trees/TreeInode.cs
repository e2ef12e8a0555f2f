using Mirror.Store.Manifests;

namespace Mirror.Testing.Trees;

/// <summary>
/// What lies behind a path: metadata (the path in it counts for nothing) and content. Two paths of a tree that hold the same object are hard links of each other;
/// an edit makes a new object.
/// </summary>
public sealed class TreeInode(Entry metadata, byte[] content)
{
    private const int Block = 4096;

    /// <summary>More than the scanner asks for, so that a file's extent blocks and attributes cannot tip the balance.</summary>
    private const int SparseFrom = 64 * 1024;

    public Entry Metadata { get; } = metadata with
    {
        Path = EntryPath.Root,
        HardlinkOf = null,
        Size = content.Length,
        Sparse = metadata.Sparse && Holes(content) >= SparseFrom,
    };

    public byte[] Content { get; } = content;

    public EntryType Type => Metadata.Type;

    public TreeInode With(Func<Entry, Entry> change) => new(change(Metadata), Content);

    public TreeInode WithContent(byte[] content) => new(Metadata, content);

    private static long Holes(byte[] content)
    {
        long holes = 0;
        for (var at = 0; at + Block <= content.Length; at += Block)
        {
            holes += content.AsSpan(at, Block).ContainsAnyExcept((byte)0) ? 0 : Block;
        }

        return holes;
    }
}
