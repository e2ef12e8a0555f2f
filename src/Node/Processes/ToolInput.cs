namespace Mirror.Node.Processes;

/// <summary>A program's standard input, which knows whether a failure was the program's (it reads no more) or that of whoever had something to write.</summary>
internal sealed class ToolInput(Stream pipe) : Stream
{
    public bool IsBroken { get; private set; }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Flush() => Guarded(pipe.Flush);

    public override void Write(byte[] buffer, int offset, int count) => Guarded(() => pipe.Write(buffer, offset, count));

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await pipe.WriteAsync(buffer, cancellationToken);
        }
        catch (IOException)
        {
            IsBroken = true;
            throw;
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            pipe.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Guarded(Action write)
    {
        try
        {
            write();
        }
        catch (IOException)
        {
            IsBroken = true;
            throw;
        }
    }
}
