using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// Reads a delta's operations one by one (docs/format.md) and believes none before it is checked: copies lie within the basis, the lengths together within the bound,
/// literals are there in full, and nothing follows the end. Memory is two fixed buffers, whatever the delta claims.
/// </summary>
internal sealed class DeltaReader : IDisposable
{
    private const int BufferLength = 64 << 10;

    private readonly Stream _delta;
    private readonly long _basisLength;
    private readonly long _maxLength;
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
    private readonly byte[] _operations = ArrayPool<byte>.Shared.Rent(DeltaSegment.MaxOperations);
    private int _at;
    private int _filled;
    private long _beforeBuffer;
    private CopyPlaces _places;

    // Of the segment: operations not yet told, bytes of literals not yet told, and bytes of the last literal not yet read.
    private int _operationAt;
    private int _operationsLength;
    private int _literalsLeft;
    private long _unread;
    private bool _ended;

    /// <param name="basisLength">Copies beyond it are refused.</param>
    /// <param name="maxLength">A delta that yields more is refused.</param>
    public DeltaReader(Stream delta, long basisLength, long maxLength)
    {
        _delta = delta;
        _basisLength = basisLength;
        _maxLength = Math.Min(maxLength, DeltaOp.MaxExtent);
    }

    /// <summary>Length of what the operations read so far yield.</summary>
    public long Yield { get; private set; }

    // Bytes consumed since the delta's start.
    private long Position => _beforeBuffer + _at;

    /// <summary>Reads the next operation; after the last, the end, again and again. What was not read of the last literal is passed over.</summary>
    /// <exception cref="DeltaFormatException">What comes is no operation, or one that leaves the basis or the bound.</exception>
    public DeltaOp Next()
    {
        SkipLiteral();
        if (_ended || (_operationAt == _operationsLength && !NextSegment()))
        {
            return default;
        }
        long head = NextNumber();
        DeltaOpKind kind = (DeltaOpKind)(head & ((1 << DeltaOp.KindBits) - 1));
        long length = head >> DeltaOp.KindBits;
        if (length == 0 || kind == DeltaOpKind.End)
        {
            throw new DeltaFormatException($"The delta has an operation before byte {Position} that is none: kind {(int)kind}, length {length}.");
        }
        if (length > _maxLength - Yield)
        {
            throw new DeltaFormatException($"The delta yields more than {_maxLength} bytes: an operation of {length} before byte {Position}, after {Yield}.");
        }
        Yield += length;
        return kind == DeltaOpKind.Literal ? Literal(length) : Copy(kind, length);
    }

    /// <summary>Fills <paramref name="destination"/> with the next bytes of the literal; it must not ask for more than the literal has.</summary>
    public void ReadLiteral(Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, _unread);
        _unread -= destination.Length;
        Read(destination);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        ArrayPool<byte>.Shared.Return(_operations);
    }

    private DeltaOp Literal(long length)
    {
        if (length > _literalsLeft)
        {
            throw new DeltaFormatException($"The delta has a literal of {length} bytes in a segment with {_literalsLeft} left, before byte {Position}.");
        }
        _literalsLeft -= (int)length;
        _unread = length;
        return new(false, Position, length);
    }

    private DeltaOp Copy(DeltaOpKind kind, long length)
    {
        // Both are bounded, so that the sum cannot overflow.
        long step = Varint.UnZigZag(NextNumber());
        long offset = step is >= -DeltaOp.MaxExtent and <= DeltaOp.MaxExtent ? _places.From(kind) + step : -1;
        if (offset < 0 || offset > _basisLength - length)
        {
            throw new DeltaFormatException(
                $"The delta copies {length} bytes at offset {step} from {_places.From(kind)}, outside its basis of {_basisLength} bytes (before byte {Position} of the delta).");
        }
        _places.Copied(offset + length);
        return new(true, offset, length);
    }

    private bool NextSegment()
    {
        if (_literalsLeft > 0)
        {
            throw new DeltaFormatException($"A segment of the delta has {_literalsLeft} bytes of no literal, at byte {Position}.");
        }
        long operations = ReadNumber();
        if (operations == 0)
        {
            if (_at < _filled || Fill())
            {
                throw new DeltaFormatException($"Bytes follow the delta's end mark, at byte {Position}.");
            }
            _ended = true;
            return false;
        }
        long literals = ReadNumber();
        if (operations > DeltaSegment.MaxOperations || literals > DeltaSegment.MaxLiterals)
        {
            throw new DeltaFormatException(
                $"A segment of the delta claims {operations} bytes of operations and {literals} of literals, before byte {Position}; it may have {DeltaSegment.MaxOperations} and {DeltaSegment.MaxLiterals}.");
        }
        Read(_operations.AsSpan(0, (int)operations));
        _operationAt = 0;
        _operationsLength = (int)operations;
        _literalsLeft = (int)literals;
        return true;
    }

    // A number within the segment's operations.
    private long NextNumber()
    {
        int length = Varint.Read(_operations.AsSpan(_operationAt, _operationsLength - _operationAt), out long value);
        if (length <= 0)
        {
            throw new DeltaFormatException($"The delta has a malformed number in the operations before byte {Position}.");
        }
        _operationAt += length;
        return value;
    }

    // A number between segments.
    private long ReadNumber()
    {
        while (true)
        {
            int length = Varint.Read(_buffer.AsSpan(_at, _filled - _at), out long value);
            if (length > 0)
            {
                _at += length;
                return value;
            }
            if (length < 0)
            {
                throw new DeltaFormatException($"The delta has a malformed number at byte {Position}.");
            }
            ThrowIfCutShort(!Fill());
        }
    }

    private void SkipLiteral()
    {
        int buffered = (int)Math.Min(_unread, _filled - _at);
        _at += buffered;
        _unread -= buffered;
        if (_unread > 0 && _delta.CanSeek)
        {
            ThrowIfCutShort(_delta.Length - _delta.Position < _unread);
            _delta.Position += _unread;
            _beforeBuffer += _unread;
            _unread = 0;
        }
        while (_unread > 0)
        {
            ThrowIfCutShort(!Fill());
            int piece = (int)Math.Min(_unread, _filled - _at);
            _at += piece;
            _unread -= piece;
        }
    }

    private void Read(Span<byte> destination)
    {
        while (true)
        {
            int piece = Math.Min(destination.Length, _filled - _at);
            _buffer.AsSpan(_at, piece).CopyTo(destination);
            _at += piece;
            destination = destination[piece..];
            if (destination.Length == 0)
            {
                return;
            }
            if (destination.Length >= _buffer.Length)
            {
                int read = _delta.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);
                _beforeBuffer += read;
                ThrowIfCutShort(read < destination.Length);
                return;
            }
            ThrowIfCutShort(!Fill());
        }
    }

    // Keeps what is left in the buffer (part of a number at most) and reads more behind it.
    private bool Fill()
    {
        int left = _filled - _at;
        _buffer.AsSpan(_at, left).CopyTo(_buffer);
        _beforeBuffer += _at;
        _at = 0;
        _filled = left;
        int read = _delta.Read(_buffer.AsSpan(left));
        _filled += read;
        return read > 0;
    }

    private void ThrowIfCutShort(bool ended)
    {
        if (ended)
        {
            throw new DeltaFormatException($"The delta is cut short: it ends after {_beforeBuffer + _filled} bytes, without its end mark.");
        }
    }
}
