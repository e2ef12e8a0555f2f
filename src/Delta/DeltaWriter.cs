using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// Writes a delta's operations (docs/format.md). Adjacent copies become one, adjacent literals too, up to <see cref="MaxRun"/>: a literal's length goes before its
/// bytes, so a run has to be held until it ends. Adding is synchronous and only fills a buffer; call <see cref="FlushAsync"/> every so often.
/// </summary>
internal sealed class DeltaWriter(Stream output) : IDisposable
{
    /// <summary>A longer run of literals is written as several.</summary>
    private const int MaxRun = 256 << 10;

    private const int FlushAt = 256 << 10;

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(4 << 10);
    private int _buffered;
    private byte[] _run = ArrayPool<byte>.Shared.Rent(4 << 10);
    private int _runLength;
    private long _copyFrom;
    private long _copyLength;
    private long _lastCopyEnd;

    /// <summary>There is enough to write; nothing breaks if it waits, the buffer grows.</summary>
    public bool IsFlushDue => _buffered >= FlushAt;

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
        EndRun();
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
        if (_runLength + bytes.Length > MaxRun)
        {
            EndRun();
            for (; bytes.Length > MaxRun; bytes = bytes[MaxRun..])
            {
                WriteLiteral(bytes[..MaxRun]);
            }
        }
        Reserve(ref _run, _runLength, bytes.Length);
        bytes.CopyTo(_run.AsSpan(_runLength));
        _runLength += bytes.Length;
    }

    public async ValueTask FlushAsync(CancellationToken cancellation)
    {
        await output.WriteAsync(_buffer.AsMemory(0, _buffered), cancellation);
        _buffered = 0;
    }

    /// <summary>Writes the end mark and all that is left. The stream is neither flushed nor closed.</summary>
    public async ValueTask FinishAsync(CancellationToken cancellation)
    {
        EndRun();
        EndCopy();
        Reserve(ref _buffer, _buffered, DeltaOp.MaxStoredLength);
        _buffer[_buffered++] = 0;
        await FlushAsync(cancellation);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        ArrayPool<byte>.Shared.Return(_run);
        _buffer = [];
        _run = [];
    }

    private void EndCopy()
    {
        if (_copyLength == 0)
        {
            return;
        }
        Reserve(ref _buffer, _buffered, DeltaOp.MaxStoredLength);
        _buffered += Varint.Write(_buffer.AsSpan(_buffered), (_copyLength << 1) | 1);
        _buffered += Varint.Write(_buffer.AsSpan(_buffered), Varint.ZigZag(_copyFrom - _lastCopyEnd));
        _lastCopyEnd = _copyFrom + _copyLength;
        _copyLength = 0;
    }

    private void EndRun()
    {
        if (_runLength > 0)
        {
            WriteLiteral(_run.AsSpan(0, _runLength));
            _runLength = 0;
        }
    }

    private void WriteLiteral(ReadOnlySpan<byte> bytes)
    {
        Reserve(ref _buffer, _buffered, DeltaOp.MaxStoredLength + bytes.Length);
        _buffered += Varint.Write(_buffer.AsSpan(_buffered), (long)bytes.Length << 1);
        bytes.CopyTo(_buffer.AsSpan(_buffered));
        _buffered += bytes.Length;
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
