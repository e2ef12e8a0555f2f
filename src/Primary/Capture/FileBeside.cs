using Mirror.Delta;

namespace Mirror.Primary.Capture;

/// <summary>
/// A file read and written beside whoever asks for it, on the same threads: by itself, .NET does that on the thread pool, which knows nothing of how gently this is to be done. Closing it closes the file.
/// </summary>
internal sealed class FileBeside(FileStream file) : Stream
{
    private static bool IsOfAll => TaskScheduler.Current == TaskScheduler.Default;

    public override bool CanRead => file.CanRead;

    public override bool CanSeek => true;

    public override bool CanWrite => file.CanWrite;

    public override long Length => file.Length;

    public override long Position { get => file.Position; set => file.Position = value; }

    public override int Read(byte[] buffer, int offset, int count) => file.Read(buffer, offset, count);

    public override int Read(Span<byte> buffer) => file.Read(buffer);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        IsOfAll ? file.ReadAsync(buffer, cancellationToken) : new(Beside.RunAsync(() => file.Read(buffer.Span), cancellationToken));

    public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

    public override void Flush() => file.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => IsOfAll ? file.FlushAsync(cancellationToken) : Beside.RunAsync(file.Flush, cancellationToken);

    public override void SetLength(long value) => file.SetLength(value);

    public override void Write(byte[] buffer, int offset, int count) => file.Write(buffer, offset, count);

    public override void Write(ReadOnlySpan<byte> buffer) => file.Write(buffer);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        IsOfAll ? file.WriteAsync(buffer, cancellationToken) : new(Beside.RunAsync(() => file.Write(buffer.Span), cancellationToken));

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            file.Dispose();
        }

        base.Dispose(disposing);
    }
}
