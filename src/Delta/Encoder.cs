namespace Mirror.Delta;

/// <summary>
/// Finds the basis in the target, in one pass. The cheapest guess first: (1) after a match, the basis's next piece comes next; (2) if not, something was overwritten in
/// place and one of the pieces after it stands where it stood; (3) else roll byte by byte until the weak sum of a block is known, and from there back, piece by piece, towards where
/// the last match ended. A content that hardly changed is therefore read at the speed of the strong hash, rolling is paid only where bytes moved, and an edit costs little more than itself.
/// </summary>
internal sealed class Encoder
{
    private const int Lost = -1;

    private readonly BlockSignature _basis;
    private readonly BlockKey _key;
    private readonly IOperationSink _sink;
    private readonly int _blockLength;
    private readonly int _pieceLength;
    private readonly uint _leavingWeight;

    // Offset in the target of the first byte that is not yet decided.
    private long _position;

    // The piece that would go on from the last match, or Lost; and how far the basis lay ahead of the target there.
    private int _expected;
    private long _shift;

    // While lost: whether _sum is already of the block at the position, and no basis block is there.
    private bool _rolling;
    private uint _sum;
    private BlockTable? _table;

    public Encoder(BlockSignature basis, BlockKey key, IOperationSink sink)
    {
        _basis = basis;
        _key = key;
        _sink = sink;
        _blockLength = basis.BlockLength;
        _pieceLength = basis.PieceLength;
        _leavingWeight = RollingSum.LeavingWeight(_blockLength);
    }

    /// <summary>As much of the target as <see cref="Search"/> wants to see at once, unless it is the end.</summary>
    public int LookAhead => 2 * _blockLength;

    /// <summary>True once the target differs from the basis: it will be searched on, with a table.</summary>
    public bool WantsTable { get; private set; }

    /// <summary>The search goes on with the window that it stopped at.</summary>
    public void Take(BlockTable table)
    {
        _table = table;
        WantsTable = false;
    }

    /// <summary>
    /// Decides the bytes of <paramref name="window"/>, which starts at the position, and returns how many it decided. Unless this is the last call it stops where it
    /// would need to see more, less than two blocks before the window's end, or where it wants the table.
    /// </summary>
    public int Search(ReadOnlySpan<byte> window, bool isLast)
    {
        int at = 0;
        int literalFrom = 0;
        while (isLast || window.Length - at >= LookAhead)
        {
            if (_expected != Lost && (GoOn(window, ref at, ref literalFrom) || SkipOverwritten(window, ref at)))
            {
                continue;
            }
            _expected = Lost;
            if (!FindBlock(window, ref at, ref literalFrom))
            {
                break;
            }
        }
        if (isLast && !WantsTable)
        {
            EndWith(window, literalFrom);
            at = window.Length;
        }
        else
        {
            _sink.Literal(window[literalFrom..at]);
        }
        _position += at;
        return at;
    }

    /// <summary>Takes the pieces that continue the last match.</summary>
    private bool GoOn(ReadOnlySpan<byte> window, ref int at, ref int literalFrom)
    {
        int first = _expected;
        int end = at;
        while (Matches(window, end, _expected))
        {
            end += _pieceLength;
            _expected++;
        }
        if (end == at)
        {
            return false;
        }
        Copy(window, literalFrom, at, end, first);
        at = literalFrom = end;
        return true;
    }

    /// <summary>After an overwrite of less than a block, the pieces stand where they stood.</summary>
    private bool SkipOverwritten(ReadOnlySpan<byte> window, ref int at)
    {
        for (int pieces = 1; pieces <= _basis.PiecesInBlock; pieces++)
        {
            if (Matches(window, at + (pieces * _pieceLength), _expected + pieces))
            {
                at += pieces * _pieceLength;
                _expected += pieces;
                return true;
            }
        }
        return false;
    }

    /// <summary>Rolls on to the next block of the basis. False: the window shows none, and <paramref name="at"/> is where the next window has to go on.</summary>
    private bool FindBlock(ReadOnlySpan<byte> window, ref int at, ref int literalFrom)
    {
        if (_basis.Weak.Length == 0 || window.Length - at < _blockLength)
        {
            // Only the basis's end could still be here, and that is looked for at the target's end.
            at = Math.Max(at, window.Length - _blockLength);
            return false;
        }
        if (_table is null)
        {
            WantsTable = true;
            return false;
        }
        bool isKnown = false;
        if (!_rolling)
        {
            _sum = RollingSum.Of(window.Slice(at, _blockLength));
            _rolling = true;
            isKnown = _table.Contains(_sum);
        }
        while (isKnown || _table.Roll(window, _leavingWeight, ref at, ref _sum))
        {
            isKnown = false;
            int block = _table.Find(_sum, window.Slice(at, _blockLength));
            if (block >= 0)
            {
                Found(window, InStep(block, at), ref at, ref literalFrom);
                return true;
            }
        }
        return false;
    }

    // Where a basis repeats itself, the block in step with the last match makes one long copy instead of many short ones.
    private int InStep(int block, int at)
    {
        long inStep = _position + at + _shift;
        return inStep >= 0 && inStep % _blockLength == 0 && inStep / _blockLength < _basis.Weak.Length && _table!.AreEqual(block, (int)(inStep / _blockLength))
            ? (int)(inStep / _blockLength)
            : block;
    }

    private void Found(ReadOnlySpan<byte> window, int block, ref int at, ref int literalFrom)
    {
        int end = at + _blockLength;
        int piece = block * _basis.PiecesInBlock;
        _expected = piece + _basis.PiecesInBlock;
        _rolling = false;
        StepBack(window, literalFrom, ref at, ref piece);
        Copy(window, literalFrom, at, end, piece);
        at = literalFrom = end;
    }

    /// <summary>Takes pieces before a match, as far as nothing is decided there.</summary>
    private void StepBack(ReadOnlySpan<byte> window, int literalFrom, ref int at, ref int piece)
    {
        while (at - _pieceLength >= literalFrom && piece > 0 && Matches(window, at - _pieceLength, piece - 1))
        {
            at -= _pieceLength;
            piece--;
        }
    }

    /// <summary>The basis's short last piece can only be at the target's end; the pieces before it, too short for a block, before it.</summary>
    private void EndWith(ReadOnlySpan<byte> window, int literalFrom)
    {
        int tail = _basis.TailLength;
        int at = window.Length - tail;
        int piece = _basis.FullPieces;
        if (at < literalFrom || (tail > 0 && PieceHash.Of(window[at..], _key) != _basis.Pieces[^1]))
        {
            _sink.Literal(window[literalFrom..]);
            return;
        }
        StepBack(window, literalFrom, ref at, ref piece);
        _sink.Literal(window[literalFrom..at]);
        _sink.Copy((long)piece * _pieceLength, window.Length - at);
    }

    private void Copy(ReadOnlySpan<byte> window, int literalFrom, int at, int end, int piece)
    {
        long offset = (long)piece * _pieceLength;
        _sink.Literal(window[literalFrom..at]);
        _sink.Copy(offset, end - at);
        _shift = offset - (_position + at);
    }

    private bool Matches(ReadOnlySpan<byte> window, int at, int piece) =>
        piece < _basis.FullPieces && at + _pieceLength <= window.Length && PieceHash.Of(window.Slice(at, _pieceLength), _key) == _basis.Pieces[piece];
}
