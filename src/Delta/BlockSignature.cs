using System.Buffers;
using System.Runtime.InteropServices;

namespace Mirror.Delta;

/// <summary>
/// All that must be kept of a content to encode its successor: a weak hash of each block, by which it is found wherever it moved, and a strong hash of each of
/// the block's pieces. Blocks are long enough to keep the search table small; pieces are short, so that what an edit costs is little more than the edit.
/// </summary>
/// <remarks>Memory, and stored: 4 bytes a block and 8 a piece. Blocks are full; what is left at the end has pieces only, and the last piece may be short.</remarks>
public sealed class BlockSignature
{
    internal const int MinBlockLength = 512;
    internal const int MaxBlockLength = 1 << 20;
    internal const int MinPieceLength = 128;
    internal const int MaxPiecesInBlock = 64;

    /// <summary>A signature of more pieces is refused: it would take more than 1 GiB.</summary>
    internal const int MaxPieces = 1 << 27;

    // A whole number of pieces, as every power of two from the longest piece on is.
    private const int CheckLength = 512 << 10;

    private const byte FormatVersion = 2;
    private const int MaxHeaderLength = 4 + (3 * Varint.MaxLength);

    private static ReadOnlySpan<byte> Magic => "MSG"u8;

    internal BlockSignature(long contentLength, int blockLength, int pieceLength, uint[] weak, ulong[] pieces)
    {
        ContentLength = contentLength;
        BlockLength = blockLength;
        PieceLength = pieceLength;
        Weak = weak;
        Pieces = pieces;
    }

    /// <summary>Length in bytes of the content that was signed.</summary>
    public long ContentLength { get; }

    /// <summary>Length in bytes of a block.</summary>
    public int BlockLength { get; }

    /// <summary>Length in bytes of every piece but perhaps the last; a block is a whole number of them.</summary>
    public int PieceLength { get; }

    /// <summary>Weak hash of each full block.</summary>
    internal uint[] Weak { get; }

    /// <summary>Strong hash of each piece; the last may be of a short one.</summary>
    internal ulong[] Pieces { get; }

    internal int PiecesInBlock => BlockLength / PieceLength;

    internal int FullPieces => (int)(ContentLength / PieceLength);

    /// <summary>Length of the short piece at the end; 0 if there is none.</summary>
    internal int TailLength => (int)(ContentLength % PieceLength);

    /// <summary>Block length in bytes for a content of <paramref name="contentLength"/> bytes.</summary>
    /// <remarks>
    /// 512 below 256 KiB, 1 KiB below 1 GiB, 4 KiB from there; it doubles whenever the length grows fourfold (4 GiB: 8 KiB, 16 GiB: 16 KiB), up to 1 MiB.
    /// rsync balances the signature, which it sends, against the literals around every edit, and so takes the root of the length. Our signatures stay
    /// where they are made, and cost only room: blocks can be shorter. A gap between two edits is found again when it holds a whole block: 1 KiB finds nine tenths of the gaps of a dump with an edit
    /// every 10 KB. From 1 GiB on, the signature and the encoder's tables grow only with the root. Powers of two, so that a content that grows a little keeps its block length.
    /// </remarks>
    public static int BlockLengthFor(long contentLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(contentLength);
        switch (contentLength)
        {
            case < 256L << 10: return MinBlockLength;
            case < 1L << 30: return 1 << 10;
        }
        int blockLength = 4 << 10;
        for (long reach = 4L << 30; contentLength >= reach && blockLength < MaxBlockLength; reach <<= 2)
        {
            blockLength <<= 1;
        }
        return blockLength;
    }

    /// <summary>
    /// Length in bytes of the pieces of such blocks: a quarter of a short block, an eighth of a long one. An edit costs a literal of about one piece besides itself; below an eighth the hashes would
    /// take more room than they save.
    /// </summary>
    internal static int PieceLengthFor(int blockLength) => Math.Max(blockLength / (blockLength > 1 << 10 ? 8 : 4), MinPieceLength);

    /// <summary>Reads <paramref name="content"/> once, to its end.</summary>
    /// <param name="expectedLength">Sets the block length; the content may turn out shorter or longer.</param>
    /// <remarks>Memory: a window of 4 MiB (less for a short content), and the signature.</remarks>
    public static async Task<ContentDigest> SignAsync(Stream content, long expectedLength, BlockKey key, CancellationToken cancellation)
    {
        await using ContentPass pass = new(content, expectedLength, 0, key, WholeHash.Sha256);
        await ReadAsync(pass, cancellation);
        return await pass.FinishAsync();
    }

    /// <summary>The signature alone, without the SHA-256 of the content, which takes several times as long as all the rest.</summary>
    /// <inheritdoc cref="SignAsync" path="/param|/remarks"/>
    public static async Task<BlockSignature> OfAsync(Stream content, long expectedLength, BlockKey key, CancellationToken cancellation)
    {
        await using ContentPass pass = new(content, expectedLength, 0, key, hash: null);
        await ReadAsync(pass, cancellation);
        return await pass.FinishSignatureAsync();
    }

    /// <summary>Reads <paramref name="content"/> from its start, to the first piece that differs: whether it is what was signed. Nobody who does not know the key can make another that passes.</summary>
    /// <param name="content">Seekable.</param>
    /// <param name="key">The key it was signed with; by another one nothing is what it was.</param>
    /// <remarks>Memory: half a MiB.</remarks>
    public Task<bool> IsOfAsync(Stream content, BlockKey key, CancellationToken cancellation) => Beside.RunAsync(
        () =>
        {
            if (content.Length != ContentLength)
            {
                return false;
            }
            content.Position = 0;
            SignatureCheck check = new(this, key);
            byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(ContentLength, MinBlockLength, CheckLength));
            try
            {
                int read;
                do
                {
                    cancellation.ThrowIfCancellationRequested();
                    read = content.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
                    check.Append(buffer.AsSpan(0, read));
                }
                while (check.Holds && read == buffer.Length);
                return check.IsWhole;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        },
        cancellation);

    /// <summary>The same of a content in memory.</summary>
    internal static BlockSignature Of(ReadOnlySpan<byte> content, BlockKey key)
    {
        SignatureBuilder signature = new(content.Length, key);
        int blocks = content.Length - (content.Length % signature.BlockLength);
        signature.AddBlocks(content[..blocks]);
        return signature.Finish(content[blocks..]);
    }

    /// <summary>Writes it as docs/format.md says.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        Span<byte> header = stackalloc byte[MaxHeaderLength];
        output.Write(header[..WriteHeader(header)]);
        output.Write(MemoryMarshal.AsBytes(Weak.AsSpan()));
        output.Write(MemoryMarshal.AsBytes(Pieces.AsSpan()));
    }

    /// <inheritdoc cref="WriteTo(IBufferWriter{byte})"/>
    public void WriteTo(Stream output)
    {
        Span<byte> header = stackalloc byte[MaxHeaderLength];
        output.Write(header[..WriteHeader(header)]);
        output.Write(MemoryMarshal.AsBytes(Weak.AsSpan()));
        output.Write(MemoryMarshal.AsBytes(Pieces.AsSpan()));
    }

    /// <exception cref="DeltaFormatException">The bytes are no signature, or of an unknown major version.</exception>
    public static BlockSignature Parse(ReadOnlyMemory<byte> bytes)
    {
        ReadOnlySpan<byte> rest = bytes.Span;
        BlockSignature signature = Prepare(ref rest, bytes.Length);
        int weakLength = signature.Weak.Length * sizeof(uint);
        rest[..weakLength].CopyTo(MemoryMarshal.AsBytes(signature.Weak.AsSpan()));
        rest[weakLength..].CopyTo(MemoryMarshal.AsBytes(signature.Pieces.AsSpan()));
        return signature;
    }

    /// <summary>The same from a stream, to its end, with no copy in between.</summary>
    /// <param name="input">Seekable.</param>
    /// <inheritdoc cref="Parse" path="/exception"/>
    public static BlockSignature Read(Stream input)
    {
        long start = input.Position;
        long length = input.Length - start;
        Span<byte> header = stackalloc byte[MaxHeaderLength];
        ReadOnlySpan<byte> rest = header[..input.ReadAtLeast(header, header.Length, throwOnEndOfStream: false)];
        int read = rest.Length;
        BlockSignature signature = Prepare(ref rest, length);
        input.Position = start + read - rest.Length;
        input.ReadExactly(MemoryMarshal.AsBytes(signature.Weak.AsSpan()));
        input.ReadExactly(MemoryMarshal.AsBytes(signature.Pieces.AsSpan()));
        return signature;
    }

    /// <summary>Reads the header and makes room for the hashes: they must fill <paramref name="length"/> exactly, so what is allocated is bounded by what is there.</summary>
    private static BlockSignature Prepare(ref ReadOnlySpan<byte> rest, long length)
    {
        int seen = rest.Length;
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
        long pieceLength = ReadHeaderNumber(ref rest);
        if (blockLength is < MinBlockLength or > MaxBlockLength || pieceLength < MinPieceLength || pieceLength > blockLength || blockLength % pieceLength != 0 ||
            blockLength / pieceLength > MaxPiecesInBlock)
        {
            throw new DeltaFormatException(
                $"The block signature claims blocks of {blockLength} bytes in pieces of {pieceLength}; {MinBlockLength} to {MaxBlockLength} are possible, in up to {MaxPiecesInBlock} equal pieces of {MinPieceLength} at least.");
        }
        long blocks = contentLength / blockLength;
        long pieces = (contentLength / pieceLength) + (contentLength % pieceLength == 0 ? 0 : 1);
        long hashes = length - (seen - rest.Length);
        if (pieces > MaxPieces || hashes != (blocks * sizeof(uint)) + (pieces * sizeof(ulong)))
        {
            throw new DeltaFormatException(
                $"The block signature of {contentLength} bytes needs {blocks} weak and {pieces} strong hashes, but has {hashes} bytes of them.");
        }
        return new(contentLength, (int)blockLength, (int)pieceLength, new uint[blocks], new ulong[pieces]);
    }

    private int WriteHeader(Span<byte> header)
    {
        Magic.CopyTo(header);
        int length = Magic.Length;
        header[length++] = FormatVersion;
        length += Varint.Write(header[length..], ContentLength);
        length += Varint.Write(header[length..], BlockLength);
        return length + Varint.Write(header[length..], PieceLength);
    }

    private static async Task ReadAsync(ContentPass pass, CancellationToken cancellation)
    {
        while (await pass.FillAsync(cancellation))
        {
            pass.Start = pass.End;
        }
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
