using Microsoft.Win32.SafeHandles;

namespace Mirror.Store.Tree;

/// <summary>
/// Writes a file with holes: an aligned block of zeros beyond the file's end is not written, the file only grows over it. So a sparse file needs no more room
/// while it is written than afterwards. Below the end, zeros are written like anything else. Unbuffered.
/// </summary>
internal sealed class HoleStream(SafeFileHandle handle) : Stream
{
    private const int Block = 4096;

    private long length = RandomAccess.GetLength(handle);
    private long position;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => true;
    public override long Length => length;

    public override long Position
    {
        get => position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            position = value;
        }
    }

    public override int Read(Span<byte> buffer)
    {
        var read = RandomAccess.Read(handle, buffer, position);
        position += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            var hole = position >= length ? ZeroBlocks(buffer) : 0;
            if (hole > 0)
            {
                position += hole;
                buffer = buffer[hole..];
                if (buffer.IsEmpty)
                {
                    SetLength(position);
                }

                continue;
            }

            var data = DataBefore(buffer);
            RandomAccess.Write(handle, buffer[..data], position);
            position += data;
            length = Math.Max(length, position);
            buffer = buffer[data..];
        }
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => position + offset,
        _ => length + offset,
    };

    public override void SetLength(long value)
    {
        RandomAccess.SetLength(handle, value);
        length = value;
    }

    public override void Flush()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            handle.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>How many bytes from here are whole aligned blocks of zeros.</summary>
    private int ZeroBlocks(ReadOnlySpan<byte> buffer)
    {
        if (position % Block != 0)
        {
            return 0;
        }

        var zeros = buffer.IndexOfAnyExcept((byte)0);
        zeros = zeros < 0 ? buffer.Length : zeros;
        return zeros - (zeros % Block);
    }

    /// <summary>How many bytes from here come before the next aligned block of zeros.</summary>
    private int DataBefore(ReadOnlySpan<byte> buffer)
    {
        var at = (int)((Block - (position % Block)) % Block);
        for (at = at == 0 ? Block : at; at + Block <= buffer.Length; at += Block)
        {
            if (position + at >= length && !buffer.Slice(at, Block).ContainsAnyExcept((byte)0))
            {
                return at;
            }
        }

        return buffer.Length;
    }
}
