using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// Writes a delta's operations (docs/format.md). Adjacent copies become one, adjacent literals too. Operations and the literals' bytes are gathered apart and written as a segment when
/// either is full: compressed each among its own kind, both get smaller.
/// </summary>
internal sealed class DeltaWriter(Stream output) : IOperationSink, IDisposable
{
    private const int FirstBuffer = 4 << 10;

    private byte[] _operations = ArrayPool<byte>.Shared.Rent(FirstBuffer);
    private byte[] _literals = ArrayPool<byte>.Shared.Rent(FirstBuffer);
    private int _operationsLength;
    private int _literalsLength;

    // What may still grow: a literal whose bytes are in _literals, or a copy. Never both.
    private int _run;
    private long _copyFrom;
    private long _copyLength;
    private CopyPlaces _places;

    public void Copy(long offset, long length)
    {
        if (length == 0)
        {
            return;
        }
        if (_copyLength > 0 && _copyFrom + _copyLength == offset)
        {
            _copyLength += length;
            return;
        }
        EndLiteral();
        EndCopy();
        _copyFrom = offset;
        _copyLength = length;
    }

    public void Literal(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length == 0)
        {
            return;
        }
        EndCopy();
        while (true)
        {
            int piece = Math.Min(bytes.Length, DeltaSegment.MaxLiterals - _literalsLength);
            Reserve(ref _literals, _literalsLength, piece);
            bytes[..piece].CopyTo(_literals.AsSpan(_literalsLength));
            _literalsLength += piece;
            _run += piece;
            bytes = bytes[piece..];
            if (bytes.Length == 0)
            {
                return;
            }
            EndLiteral();
            WriteSegment();
        }
    }

    /// <summary>Writes all that is left, and the end mark. The stream is neither flushed nor closed.</summary>
    public void Finish()
    {
        EndLiteral();
        EndCopy();
        WriteSegment();
        output.Write([0]);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_operations);
        ArrayPool<byte>.Shared.Return(_literals);
        _operations = [];
        _literals = [];
    }

    private void EndCopy()
    {
        if (_copyLength == 0)
        {
            return;
        }
        (DeltaOpKind kind, long distance) = _places.DistanceTo(_copyFrom);
        Span<byte> operation = NextOperation();
        int length = Varint.Write(operation, (_copyLength << DeltaOp.KindBits) | (long)kind);
        length += Varint.Write(operation[length..], Varint.ZigZag(distance));
        _operationsLength += length;
        _places.Copied(_copyFrom + _copyLength);
        _copyLength = 0;
    }

    private void EndLiteral()
    {
        if (_run > 0)
        {
            _operationsLength += Varint.Write(NextOperation(), ((long)_run << DeltaOp.KindBits) | (long)DeltaOpKind.Literal);
            _run = 0;
        }
    }

    // A segment has room for the operation, or it is written first; but not between a literal's bytes and its operation.
    private Span<byte> NextOperation()
    {
        if (_run == 0 && _operationsLength + (2 * DeltaOp.MaxStoredLength) > DeltaSegment.MaxOperations)
        {
            WriteSegment();
        }
        Reserve(ref _operations, _operationsLength, DeltaOp.MaxStoredLength);
        return _operations.AsSpan(_operationsLength);
    }

    private void WriteSegment()
    {
        if (_operationsLength == 0)
        {
            return;
        }
        Span<byte> lengths = stackalloc byte[2 * Varint.MaxLength];
        int stored = Varint.Write(lengths, _operationsLength);
        stored += Varint.Write(lengths[stored..], _literalsLength);
        output.Write(lengths[..stored]);
        output.Write(_operations.AsSpan(0, _operationsLength));
        output.Write(_literals.AsSpan(0, _literalsLength));
        _operationsLength = 0;
        _literalsLength = 0;
    }

    private static void Reserve(ref byte[] buffer, int used, int more)
    {
        if (buffer.Length - used >= more)
        {
            return;
        }
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(used + more, 2 * buffer.Length));
        buffer.AsSpan(0, used).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }
}
