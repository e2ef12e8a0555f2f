using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// Reads a delta's operations one by one (docs/format.md) and believes none before it is checked: copies lie within the basis, the lengths together within the bound,
/// literals are there in full, and nothing follows the end. Memory is a fixed buffer, whatever the delta claims.
/// </summary>
internal sealed class DeltaReader : IDisposable
{
    private const int BufferLength = 64 << 10;

    private readonly Stream _delta;
    private readonly long _basisLength;
    private readonly long _maxLength;
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
    private int _at;
    private int _filled;
    private long _beforeBuffer;
    private long _literalLeft;
    private long _lastCopyEnd;

    /// <param name="basisLength">Copies beyond it are refused.</param>
    /// <param name="maxLength">A delta that yields more is refused.</param>
    public DeltaReader(Stream delta, long basisLength, long maxLength)
    {
        _delta = delta;
        _basisLength = basisLength;
        _maxLength = Math.Min(maxLength, DeltaOp.MaxExtent);
    }

    /// <summary>Bytes consumed since the delta's start.</summary>
    public long Position => _beforeBuffer + _at;

    /// <summary>Length of what the operations read so far yield.</summary>
    public long Yield { get; private set; }

    /// <summary>Reads the next operation. What was not read of the last literal is passed over.</summary>
    public async ValueTask<DeltaOp> NextAsync(CancellationToken cancellation)
    {
        await SkipLiteralAsync(cancellation);
        long head = await ReadNumberAsync(cancellation);
        if (head == 0)
        {
            await ExpectEndAsync(cancellation);
            return default;
        }
        long length = head >> 1;
        if (length == 0 || length > _maxLength - Yield)
        {
            throw new DeltaFormatException(length == 0
                ? $"The delta has an empty operation at byte {Position}."
                : $"The delta yields more than {_maxLength} bytes: an operation of {length} before byte {Position}, after {Yield}.");
        }
        Yield += length;
        if ((head & 1) == 0)
        {
            _literalLeft = length;
            return new(DeltaOpKind.Literal, 0, length);
        }
        // The offset counts from the end of the last copy. Both are bounded, so that the sum cannot overflow.
        long step = Varint.UnZigZag(await ReadNumberAsync(cancellation));
        long offset = step is >= -DeltaOp.MaxExtent and <= DeltaOp.MaxExtent ? _lastCopyEnd + step : -1;
        if (offset < 0 || offset > _basisLength - length)
        {
            throw new DeltaFormatException(
                $"The delta copies {length} bytes at offset {step} from {_lastCopyEnd}, outside its basis of {_basisLength} bytes (before byte {Position} of the delta).");
        }
        _lastCopyEnd = offset + length;
        return new(DeltaOpKind.Copy, offset, length);
    }

    /// <summary>Fills <paramref name="destination"/> with the next bytes of the literal; it must not ask for more than the literal has.</summary>
    public async ValueTask ReadLiteralAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(destination.Length, _literalLeft);
        _literalLeft -= destination.Length;
        int fromBuffer = Math.Min(destination.Length, _filled - _at);
        _buffer.AsSpan(_at, fromBuffer).CopyTo(destination.Span);
        _at += fromBuffer;
        destination = destination[fromBuffer..];
        if (destination.Length == 0)
        {
            return;
        }
        if (destination.Length >= _buffer.Length)
        {
            int read = await _delta.ReadAtLeastAsync(destination, destination.Length, throwOnEndOfStream: false, cancellation);
            _beforeBuffer += read;
            ThrowIfCutShort(read < destination.Length);
            return;
        }
        while (destination.Length > 0)
        {
            ThrowIfCutShort(!await FillAsync(cancellation));
            int piece = Math.Min(destination.Length, _filled - _at);
            _buffer.AsSpan(_at, piece).CopyTo(destination.Span);
            _at += piece;
            destination = destination[piece..];
        }
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);

    private async ValueTask SkipLiteralAsync(CancellationToken cancellation)
    {
        while (_literalLeft > 0)
        {
            if (_at == _filled)
            {
                ThrowIfCutShort(!await FillAsync(cancellation));
            }
            int piece = (int)Math.Min(_literalLeft, _filled - _at);
            _at += piece;
            _literalLeft -= piece;
        }
    }

    private async ValueTask<long> ReadNumberAsync(CancellationToken cancellation)
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
            ThrowIfCutShort(!await FillAsync(cancellation));
        }
    }

    // Keeps what is left in the buffer (part of a number at most) and reads more behind it.
    private async ValueTask<bool> FillAsync(CancellationToken cancellation)
    {
        int left = _filled - _at;
        _buffer.AsSpan(_at, left).CopyTo(_buffer);
        _beforeBuffer += _at;
        _at = 0;
        _filled = left;
        int read = await _delta.ReadAsync(_buffer.AsMemory(left), cancellation);
        _filled += read;
        return read > 0;
    }

    private async ValueTask ExpectEndAsync(CancellationToken cancellation)
    {
        if (_at < _filled || await FillAsync(cancellation))
        {
            throw new DeltaFormatException($"Bytes follow the delta's end mark, at byte {Position}.");
        }
    }

    private void ThrowIfCutShort(bool ended)
    {
        if (ended)
        {
            throw new DeltaFormatException($"The delta is cut short: it ends after {_beforeBuffer + _filled} bytes, without its end mark.");
        }
    }
}
