namespace Mirror.Delta.Tests;

/// <summary>A content of any length that takes no room: its bytes are worked out when they are asked for. Seekable, read-only.</summary>
internal abstract class MadeUp(long length) : Stream
{
    private long _position;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => length;

    public override long Position
    {
        get => _position;
        set => _position = value;
    }

    /// <summary>Fills the buffer with the bytes from a place on; all of them lie inside.</summary>
    public abstract void CopyFrom(long at, Span<byte> buffer);

    public byte[] Bytes(long at, int count)
    {
        byte[] bytes = new byte[count];
        CopyFrom(at, bytes);
        return bytes;
    }

    public override int Read(Span<byte> buffer)
    {
        int count = (int)Math.Clamp(length - _position, 0, buffer.Length);
        CopyFrom(_position, buffer[..count]);
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new(Read(buffer.Span));
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => _position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>Zeros, with eight bytes of their own at some places, ascending and not closer to each other than that.</summary>
internal sealed class MarkedZeros(long length, params long[] marks) : MadeUp(length)
{
    private const int MarkLength = sizeof(long);

    public override void CopyFrom(long at, Span<byte> buffer)
    {
        buffer.Clear();
        int first = Array.BinarySearch(marks, at - MarkLength + 1);
        for (int i = first < 0 ? ~first : first; i < marks.Length && marks[i] < at + buffer.Length; i++)
        {
            // Each mark says where it is, so that bytes from a wrong place show.
            for (int b = 0; b < MarkLength; b++)
            {
                long to = marks[i] + b - at;
                if (to >= 0 && to < buffer.Length)
                {
                    buffer[(int)to] = (byte)((marks[i] * 0x9E3779B97F4A7C1) >> (8 * b));
                }
            }
        }
    }
}

/// <summary>Another content from a place on, and then what it has before that place.</summary>
internal sealed class Rotated(MadeUp content, long turn) : MadeUp(content.Length)
{
    public override void CopyFrom(long at, Span<byte> buffer)
    {
        long from = (at + turn) % Length;
        int first = (int)Math.Min(Length - from, buffer.Length);
        content.CopyFrom(from, buffer[..first]);
        content.CopyFrom(0, buffer[first..]);
    }
}

/// <summary>The first <paramref name="period"/> of some bytes again and again, and once what is left of them.</summary>
internal sealed class Repeated(byte[] bytes, int period, long times) : MadeUp((period * times) + bytes.Length - period)
{
    public override void CopyFrom(long at, Span<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            int from = at < period * times ? (int)(at % period) : (int)(at - (period * times)) + period;
            int piece = Math.Min(buffer.Length, (at < period * times ? period : bytes.Length) - from);
            bytes.AsSpan(from, piece).CopyTo(buffer);
            buffer = buffer[piece..];
            at += piece;
        }
    }
}

/// <summary>Takes a content that must equal another one, and keeps nothing of it.</summary>
internal sealed class Compared(MadeUp expected) : Stream
{
    private byte[] _wanted = [];
    private long _position;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => _position;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (_wanted.Length < buffer.Length)
        {
            _wanted = new byte[buffer.Length];
        }
        expected.Position = _position;
        expected.ReadExactly(_wanted, 0, buffer.Length);
        int common = buffer.CommonPrefixLength(_wanted);
        Assert.True(common == buffer.Length, $"Byte {_position + common} is another.");
        _position += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Write(buffer.AsSpan(offset, count));
        return Task.CompletedTask;
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
