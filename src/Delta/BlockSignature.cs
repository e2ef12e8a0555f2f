using System.Buffers;
using System.Buffers.Binary;

namespace Mirror.Delta;

/// <summary>Weak and strong hashes of a content's blocks: all that must be kept of it to encode its successor.</summary>
/// <remarks>Memory, and stored: 16 bytes a block. The last block may be shorter than the others.</remarks>
public sealed class BlockSignature
{
    internal const int MinBlockLength = 512;
    internal const int MaxBlockLength = 1 << 20;

    /// <summary>A signature of more blocks is refused: it would take more than 1 GiB.</summary>
    internal const int MaxBlocks = 1 << 26;

    private const byte FormatVersion = 1;

    private static ReadOnlySpan<byte> Magic => "MSG"u8;

    internal BlockSignature(long contentLength, int blockLength, BlockHash[] blocks)
    {
        ContentLength = contentLength;
        BlockLength = blockLength;
        Blocks = blocks;
    }

    /// <summary>Length in bytes of the content that was signed.</summary>
    public long ContentLength { get; }

    /// <summary>Length in bytes of every block but perhaps the last.</summary>
    public int BlockLength { get; }

    internal BlockHash[] Blocks { get; }

    internal int FullBlocks => (int)(ContentLength / BlockLength);

    /// <summary>Length of the short block at the end; 0 if there is none.</summary>
    internal int TailLength => (int)(ContentLength % BlockLength);

    /// <summary>Block length in bytes for a content of <paramref name="contentLength"/> bytes.</summary>
    /// <remarks>
    /// 512 below 256 KiB, 1 KiB below 4 MiB, 2 KiB below 1 GiB; from there it doubles whenever the length grows fourfold (1 GiB: 4 KiB, 16 GiB: 16 KiB), up to 1 MiB.
    /// rsync balances the signature, which it sends, against the literals around every edit, and so takes the root of the length. Our signatures stay
    /// where they are made, and cost only room: blocks can be shorter, and a scattered edit costs a short literal. Where the root sets in, the signature is 1/128
    /// of the content, 8 MiB; beyond, it and the encoder's tables grow only with the root. Powers of two, so that a content that grows a little keeps
    /// its block length.
    /// </remarks>
    public static int BlockLengthFor(long contentLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(contentLength);
        switch (contentLength)
        {
            case < 256L << 10: return MinBlockLength;
            case < 4L << 20: return 1 << 10;
            case < 1L << 30: return 2 << 10;
        }
        int blockLength = 4 << 10;
        for (long reach = 4L << 30; contentLength >= reach && blockLength < MaxBlockLength; reach <<= 2)
        {
            blockLength <<= 1;
        }
        return blockLength;
    }

    /// <summary>Reads <paramref name="content"/> once, to its end.</summary>
    /// <param name="expectedLength">Sets the block length; the content may turn out shorter or longer.</param>
    /// <remarks>Memory: a window of 4 MiB (less for a short content), and the signature.</remarks>
    public static async Task<ContentDigest> SignAsync(Stream content, long expectedLength, BlockKey key, CancellationToken cancellation)
    {
        await using ContentPass pass = new(content, expectedLength, 0, key);
        while (await pass.FillAsync(cancellation))
        {
            pass.Start = pass.End;
        }
        return await pass.FinishAsync();
    }

    public void WriteTo(IBufferWriter<byte> output)
    {
        Span<byte> header = stackalloc byte[Magic.Length + 1 + (2 * Varint.MaxLength)];
        Magic.CopyTo(header);
        header[Magic.Length] = FormatVersion;
        int length = Magic.Length + 1;
        length += Varint.Write(header[length..], ContentLength);
        length += Varint.Write(header[length..], BlockLength);
        output.Write(header[..length]);
        foreach (BlockHash block in Blocks)
        {
            Span<byte> stored = output.GetSpan(BlockHash.StoredLength);
            BinaryPrimitives.WriteUInt32LittleEndian(stored, block.Weak);
            BinaryPrimitives.WriteUInt64LittleEndian(stored[4..], block.Strong.Low);
            BinaryPrimitives.WriteUInt32LittleEndian(stored[12..], block.Strong.High);
            output.Advance(BlockHash.StoredLength);
        }
    }

    /// <exception cref="DeltaFormatException">The bytes are no signature, or of an unknown major version.</exception>
    public static BlockSignature Parse(ReadOnlyMemory<byte> bytes)
    {
        ReadOnlySpan<byte> rest = bytes.Span;
        if (rest.Length <= Magic.Length || !rest.StartsWith(Magic))
        {
            throw new DeltaFormatException("Not a block signature: its first bytes are of something else. Sign the content again.");
        }
        if (rest[Magic.Length] != FormatVersion)
        {
            throw new DeltaFormatException(
                $"The block signature has format version {rest[Magic.Length]}; this program reads version {FormatVersion}. Sign the content again.");
        }
        rest = rest[(Magic.Length + 1)..];
        long contentLength = ReadHeaderNumber(ref rest);
        long blockLength = ReadHeaderNumber(ref rest);
        if (blockLength is < MinBlockLength or > MaxBlockLength)
        {
            throw new DeltaFormatException($"The block signature claims blocks of {blockLength} bytes; {MinBlockLength} to {MaxBlockLength} are possible.");
        }
        // The hashes must fill the bytes exactly; so what is allocated is bounded by what is there.
        long count = (contentLength / blockLength) + (contentLength % blockLength == 0 ? 0 : 1);
        if (count > MaxBlocks || rest.Length != count * BlockHash.StoredLength)
        {
            throw new DeltaFormatException(
                $"The block signature of {contentLength} bytes in blocks of {blockLength} needs {count} hashes, but has {rest.Length} bytes of them.");
        }
        BlockHash[] blocks = new BlockHash[count];
        for (int i = 0; i < blocks.Length; i++)
        {
            ReadOnlySpan<byte> stored = rest.Slice(i * BlockHash.StoredLength, BlockHash.StoredLength);
            blocks[i] = new(
                BinaryPrimitives.ReadUInt32LittleEndian(stored),
                new(BinaryPrimitives.ReadUInt64LittleEndian(stored[4..]), BinaryPrimitives.ReadUInt32LittleEndian(stored[12..])));
        }
        return new(contentLength, (int)blockLength, blocks);
    }

    private static long ReadHeaderNumber(ref ReadOnlySpan<byte> rest)
    {
        int length = Varint.Read(rest, out long value);
        if (length <= 0)
        {
            throw new DeltaFormatException("The block signature ends within its header, or a number in it is malformed.");
        }
        rest = rest[length..];
        return value;
    }
}
