namespace Mirror.Store.Packs;

/// <summary>The data stream of a pack: the few data frames last used, decompressed. Reading forward touches each frame once; a composition that jumps back seldom touches one again.</summary>
internal sealed class DataFrameCache(FrameFile file, PackIndex index) : IDisposable
{
    private const int Slots = 4;

    private readonly byte[][] frames = [.. Enumerable.Repeat(Array.Empty<byte>(), Slots)];
    private readonly long[] offsets = new long[Slots];
    private readonly long[] used = new long[Slots];
    private long clock;
    private bool disposed;

    /// <summary>Reads from one frame only: at least a byte when <paramref name="position"/> is inside the stream and there is room.</summary>
    public int Read(long position, Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(disposed, typeof(PackReader));
        var (frame, start) = index.DataFrameAt(position);
        var within = (int)(position - start);
        var count = Math.Min(frame.Raw - within, destination.Length);
        frames[SlotOf(frame)].AsSpan(within, count).CopyTo(destination);
        return count;
    }

    public void Dispose()
    {
        disposed = true;
        for (var slot = 0; slot < Slots; slot++)
        {
            FrameFile.Fit(ref frames[slot], 0);
        }
    }

    private int SlotOf(FramePlace frame)
    {
        var slot = Array.IndexOf(offsets, frame.Offset);
        if (slot < 0)
        {
            slot = Array.IndexOf(used, used.Min());
            offsets[slot] = 0;
            if (file.Read(frame.Offset, frame.End, ref frames[slot]) != frame)
            {
                throw file.Refuse(frame.Offset, "there is another frame than the index says");
            }

            offsets[slot] = frame.Offset;
        }

        used[slot] = ++clock;
        return slot;
    }
}

/// <summary>One blob's range of the data stream.</summary>
internal sealed class DeltaStream(DataFrameCache data, long start, long length) : Stream
{
    private long position;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
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
        var total = 0;
        while (total < buffer.Length && position < length)
        {
            var room = (int)Math.Min(buffer.Length - total, length - position);
            var count = data.Read(start + position, buffer.Slice(total, room));
            total += count;
            position += count;
        }

        return total;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    // The file is local, and a frame at most a mebibyte: an asynchronous read would cost more than it frees.
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : new ValueTask<int>(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => checked(position + offset),
        SeekOrigin.End => checked(length + offset),
        _ => throw new ArgumentOutOfRangeException(nameof(origin), origin, "Not an origin."),
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
