namespace Mirror.Delta;

/// <summary>Collects the hashes of a content's blocks, in order.</summary>
internal sealed class SignatureBuilder(int blockLength, long expectedLength, BlockKey key)
{
    // The expectation comes from a file's size, which can be wrong or a lie: believed for the first allocation up to a bound.
    private const int MaxFirstCapacity = 1 << 20;

    private readonly List<BlockHash> _blocks = new((int)Math.Min((expectedLength / blockLength) + 1, MaxFirstCapacity));
    private long _length;

    public int BlockLength => blockLength;

    /// <summary>Adds the full blocks at the start of <paramref name="bytes"/>; returns how many bytes that were.</summary>
    public int AddFullBlocks(ReadOnlySpan<byte> bytes)
    {
        int done = 0;
        for (; bytes.Length - done >= blockLength; done += blockLength)
        {
            Add(bytes.Slice(done, blockLength));
        }
        return done;
    }

    /// <param name="tail">What is left of the content: less than a block.</param>
    public BlockSignature Finish(ReadOnlySpan<byte> tail)
    {
        if (tail.Length > 0)
        {
            Add(tail);
        }
        return new(_length, blockLength, [.. _blocks]);
    }

    private void Add(ReadOnlySpan<byte> block)
    {
        if (_blocks.Count == BlockSignature.MaxBlocks)
        {
            throw new IOException(
                $"A content was expected to have {expectedLength} bytes and now has more than {_length}: too many blocks of {blockLength} bytes. Read it again with its true length.");
        }
        _blocks.Add(new(RollingSum.Of(block), StrongHash.Of(block, key)));
        _length += block.Length;
    }
}
