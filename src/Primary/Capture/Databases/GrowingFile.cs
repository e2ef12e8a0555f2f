using Microsoft.Win32.SafeHandles;

namespace Mirror.Primary.Capture.Databases;

/// <summary>A file that a program is writing, from its beginning on: where it ends so far, reading waits until it has grown, or is said to grow no more.</summary>
/// <param name="more">Waits a moment; true when nothing will be added any more.</param>
/// <param name="mostLength">Nobody wants to read farther: it ends there, and <see cref="IsCut"/> says so.</param>
internal sealed class GrowingFile(SafeFileHandle file, long mostLength, Func<CancellationToken, ValueTask<bool>> more) : Stream
{
    private long position;
    private bool ended;

    public bool IsCut { get; private set; }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => position;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!IsCut)
        {
            // What was written before it was said to be whole is there by now.
            var last = ended;
            var read = RandomAccess.Read(file, buffer.Span, position);
            if (read > 0)
            {
                position += read;
                IsCut = position > mostLength;
                return read;
            }

            if (last)
            {
                break;
            }

            ended = await more(cancellationToken);
        }

        return 0;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
