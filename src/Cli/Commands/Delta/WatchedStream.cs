namespace Mirror.Cli.Commands.Delta;

/// <summary>Reads on, and says at each per cent of the file how far it has come.</summary>
internal sealed class WatchedStream(FileStream inner, Action<int> say) : Stream
{
    private int said = -1;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => inner.Position = value;
    }

    public override int Read(Span<byte> buffer)
    {
        var read = inner.Read(buffer);
        var done = (int)(100 * (double)inner.Position / Math.Max(1, inner.Length));
        if (done > said)
        {
            said = done;
            say(done);
        }

        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => inner.Seek(offset, origin);

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
