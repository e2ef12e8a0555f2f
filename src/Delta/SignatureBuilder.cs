namespace Mirror.Delta;

/// <summary>Collects the hashes of a content's blocks and pieces, in order.</summary>
internal sealed class SignatureBuilder
{
    // The expectation comes from a file's size, which can be wrong or a lie: believed for the first allocation up to a bound.
    private const int MaxFirstCapacity = 1 << 20;

    private readonly BlockKey _key;
    private readonly long _expectedLength;
    private readonly int _pieceLength;
    private uint[] _weak;
    private ulong[] _pieces;
    private int _weakCount;
    private int _pieceCount;
    private long _length;

    public SignatureBuilder(long expectedLength, BlockKey key)
    {
        _key = key;
        _expectedLength = expectedLength;
        BlockLength = BlockSignature.BlockLengthFor(expectedLength);
        _pieceLength = BlockSignature.PieceLengthFor(BlockLength);
        _weak = new uint[Math.Min(expectedLength / BlockLength, MaxFirstCapacity)];
        _pieces = new ulong[Math.Min(ExpectedPieces, MaxFirstCapacity)];
    }

    public int BlockLength { get; }

    /// <summary>How many blocks were added.</summary>
    public int Blocks => _weakCount;

    private long ExpectedPieces => (_expectedLength + _pieceLength - 1) / _pieceLength;

    /// <param name="bytes">A whole number of blocks.</param>
    public void AddBlocks(ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length > 0; bytes = bytes[BlockLength..])
        {
            ReadOnlySpan<byte> block = bytes[..BlockLength];
            if (_weakCount == _weak.Length)
            {
                Grow(ref _weak, _expectedLength / BlockLength);
            }
            _weak[_weakCount++] = RollingSum.Of(block);
            AddPieces(block);
        }
    }

    /// <summary>Adds blocks of another content, which has the same blocks and pieces.</summary>
    public void AddKnown(BlockSignature basis, int first, int count)
    {
        int pieces = basis.PiecesInBlock;
        if (count > (BlockSignature.MaxPieces - _pieceCount) / pieces)
        {
            throw TooLong(_length);
        }
        while (_weakCount + count > _weak.Length)
        {
            Grow(ref _weak, _expectedLength / BlockLength);
        }
        while (_pieceCount + (count * pieces) > _pieces.Length)
        {
            Grow(ref _pieces, ExpectedPieces);
        }
        basis.Weak.AsSpan(first, count).CopyTo(_weak.AsSpan(_weakCount));
        basis.Pieces.AsSpan(first * pieces, count * pieces).CopyTo(_pieces.AsSpan(_pieceCount));
        _weakCount += count;
        _pieceCount += count * pieces;
        _length += (long)count * BlockLength;
    }

    public bool HasBlocksOf(BlockSignature basis) => basis.BlockLength == BlockLength && basis.PieceLength == _pieceLength;

    /// <param name="rest">What is left of the content: less than a block.</param>
    public BlockSignature Finish(ReadOnlySpan<byte> rest)
    {
        AddPieces(rest);
        Array.Resize(ref _weak, _weakCount);
        Array.Resize(ref _pieces, _pieceCount);
        return new(_length, BlockLength, _pieceLength, _weak, _pieces);
    }

    private void AddPieces(ReadOnlySpan<byte> bytes)
    {
        _length += bytes.Length;
        while (bytes.Length > 0)
        {
            if (_pieceCount == BlockSignature.MaxPieces)
            {
                throw TooLong(_length - bytes.Length);
            }
            if (_pieceCount == _pieces.Length)
            {
                Grow(ref _pieces, ExpectedPieces);
            }
            ReadOnlySpan<byte> piece = bytes[..Math.Min(_pieceLength, bytes.Length)];
            _pieces[_pieceCount++] = PieceHash.Of(piece, _key);
            bytes = bytes[piece.Length..];
        }
    }

    private IOException TooLong(long length) => new(
        $"A content was expected to have {_expectedLength} bytes and now has more than {length}: too many pieces of {_pieceLength} bytes. Read it again with its true length.");

    // Twofold, but not past what is expected: so that a content of the expected length is not held twice when it ends.
    private static void Grow<T>(ref T[] hashes, long expected)
    {
        long doubled = Math.Max(16, 2L * hashes.Length);
        Array.Resize(ref hashes, (int)Math.Min(expected > hashes.Length ? Math.Min(doubled, expected) : doubled, BlockSignature.MaxPieces));
    }
}
