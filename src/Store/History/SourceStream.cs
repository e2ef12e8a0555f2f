using Mirror.Store.Slots;

namespace Mirror.Store.History;

/// <summary>
/// A file of a tree, or a pack, while a content is made from it. When the disk refuses a read, that is damage of this source, and not a failure of whatever is written
/// meanwhile: it is thrown as such, so that another source can be used.
/// </summary>
/// <param name="damage">The exception for a read that failed.</param>
internal sealed class SourceStream(Stream source, string path, IStoreDisk? disk, Func<IOException, Exception> damage) : Stream
{
    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => source.Length;

    public override long Position
    {
        get => source.Position;
        set => source.Position = value;
    }

    public override int Read(Span<byte> buffer)
    {
        try
        {
            disk?.Reading("read: source", path);
            return source.Read(buffer);
        }
        catch (IOException error)
        {
            throw damage(error);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            disk?.Reading("read: source", path);
            return await source.ReadAsync(buffer, cancellationToken);
        }
        catch (IOException error)
        {
            throw damage(error);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => source.Seek(offset, origin);

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            source.Dispose();
        }

        base.Dispose(disposing);
    }
}
