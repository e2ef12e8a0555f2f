namespace Mirror.Delta;

/// <summary>
/// Finds the basis's blocks in the target, in one pass. The cheapest guess first: (1) after a match, the basis's next block comes next; (2) if not, one block was
/// overwritten in place and the one after it stands where it stood; (3) else roll byte by byte until a weak sum is known. A content that hardly changed is
/// therefore read at the speed of the strong hash, and rolling is paid only where bytes moved.
/// </summary>
internal sealed class Encoder
{
    // A target of unknown length (a pipe, with no basis to compare) is signed in blocks for this one.
    private const long UnknownLength = 64 << 20;

    private readonly BlockSignature _basis;
    private readonly BlockKey _key;
    private readonly BlockTable _table;
    private readonly DeltaWriter _delta;
    private readonly int _blockLength;
    private readonly uint _leavingWeight;

    // Offset in the target of the first byte that is not yet decided.
    private long _position;

    // The block that would go on from the last match, and how far the basis lay ahead of the target there.
    private int _expected;
    private long _shift;

    // While rolling, _sum is of the block at the position, and no basis block is there.
    private bool _rolling;
    private uint _sum;

    private Encoder(BlockSignature basis, BlockKey key, DeltaWriter delta)
    {
        _basis = basis;
        _key = key;
        _table = new(basis, key);
        _delta = delta;
        _blockLength = basis.BlockLength;
        _leavingWeight = RollingSum.LeavingWeight(_blockLength);
    }

    public static async Task<ContentDigest> RunAsync(Stream target, BlockSignature? basis, BlockKey key, Stream delta, CancellationToken cancellation)
    {
        long expectedLength = target.CanSeek ? Math.Max(0, target.Length - target.Position) : basis?.ContentLength ?? UnknownLength;
        await using ContentPass pass = new(target, expectedLength, 2 * basis?.BlockLength ?? 0, key);
        using DeltaWriter writer = new(delta);
        Encoder? encoder = basis is { Blocks.Length: > 0 } ? new(basis, key, writer) : null;
        while (await pass.FillAsync(cancellation))
        {
            if (encoder is null)
            {
                writer.Literal(pass.Window[pass.Start..pass.End]);
                pass.Start = pass.End;
            }
            else
            {
                pass.Start += encoder.Search(pass.Window[pass.Start..pass.End], isLast: false);
            }
            if (writer.IsFlushDue)
            {
                await writer.FlushAsync(cancellation);
            }
        }
        encoder?.Search(pass.Window[pass.Start..pass.End], isLast: true);
        await writer.FinishAsync(cancellation);
        return await pass.FinishAsync();
    }

    /// <summary>
    /// Decides the bytes of <paramref name="window"/>, which starts at the position, and returns how many it decided. Unless this is the last call it stops where it
    /// would need to see more, less than two blocks before the window's end.
    /// </summary>
    private int Search(ReadOnlySpan<byte> window, bool isLast)
    {
        long windowPosition = _position;
        int literalFrom = 0;
        int at = 0;
        while (FindMatch(window, isLast, ref at, out int block))
        {
            _delta.Literal(window[literalFrom..at]);
            long offset = (long)block * _blockLength;
            _delta.Copy(offset, _blockLength);
            _expected = block + 1;
            _shift = offset - (windowPosition + at);
            at += _blockLength;
            _position = windowPosition + at;
            literalFrom = at;
        }
        if (isLast)
        {
            at = EmitTail(window, literalFrom, at);
        }
        else
        {
            _delta.Literal(window[literalFrom..at]);
        }
        _position = windowPosition + at;
        return at;
    }

    /// <summary>Moves <paramref name="at"/> to the next match. False: there is none that the window shows; what <paramref name="at"/> passed is literal.</summary>
    private bool FindMatch(ReadOnlySpan<byte> window, bool isLast, ref int at, out int block)
    {
        block = -1;
        if (_basis.FullBlocks == 0)
        {
            at = Math.Max(at, window.Length - _blockLength);
            return false;
        }
        int start = at;
        if (!_rolling)
        {
            int left = window.Length - at;
            if (left < _blockLength || (left < 2 * _blockLength && !isLast))
            {
                return false;
            }
            if (Matches(window, at, _expected))
            {
                block = _expected;
                return true;
            }
            _sum = RollingSum.Of(window.Slice(at, _blockLength));
            _rolling = true;
            if (_table.MayContain(_sum) && IsKnown(window, at, start, out block))
            {
                return true;
            }
            if (left >= 2 * _blockLength && Matches(window, at + _blockLength, _expected + 1))
            {
                at += _blockLength;
                block = _expected + 1;
                _rolling = false;
                return true;
            }
        }
        while (_table.Roll(window, _blockLength, _leavingWeight, ref at, ref _sum))
        {
            if (IsKnown(window, at, start, out block))
            {
                return true;
            }
        }
        return false;
    }

    // The weak sum may be known; is the block? If so, rolling is over.
    private bool IsKnown(ReadOnlySpan<byte> window, int at, int start, out int block)
    {
        block = _table.Find(_sum, window.Slice(at, _blockLength));
        if (block < 0)
        {
            return false;
        }
        // Where a basis repeats itself, the block in step with the last match makes one long copy instead of many short ones.
        long inStep = _position + (at - start) + _shift;
        if (inStep >= 0 && inStep % _blockLength == 0 && inStep / _blockLength < _basis.FullBlocks &&
            _basis.Blocks[inStep / _blockLength] == _basis.Blocks[block])
        {
            block = (int)(inStep / _blockLength);
        }
        _rolling = false;
        return true;
    }

    private bool Matches(ReadOnlySpan<byte> window, int at, int block) =>
        block < _basis.FullBlocks && StrongHash.Of(window.Slice(at, _blockLength), _key) == _basis.Blocks[block].Strong;

    // The basis's short last block can only be at the target's end.
    private int EmitTail(ReadOnlySpan<byte> window, int literalFrom, int at)
    {
        int tailLength = _basis.TailLength;
        int tailAt = window.Length - tailLength;
        if (tailLength > 0 && tailAt >= at && StrongHash.Of(window[tailAt..], _key) == _basis.Blocks[^1].Strong)
        {
            _delta.Literal(window[literalFrom..tailAt]);
            _delta.Copy(_basis.ContentLength - tailLength, tailLength);
        }
        else
        {
            _delta.Literal(window[literalFrom..]);
        }
        return window.Length;
    }
}
