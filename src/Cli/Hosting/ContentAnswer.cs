using Google.Protobuf;
using Grpc.Core;
using Mirror.Node.Wire;

namespace Mirror.Cli.Hosting;

/// <summary>A content's bytes on their way to who asked, in pieces a message may have.</summary>
internal sealed class ContentAnswer(IServerStreamWriter<ContentBytes> responseStream) : Stream
{
    private const int PieceLength = 256 * 1024;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        for (; !buffer.IsEmpty; buffer = buffer[Math.Min(PieceLength, buffer.Length)..])
        {
            // Copied: the message may still be on its way when the writer's buffer is filled again.
            await responseStream.WriteAsync(new ContentBytes { Data = ByteString.CopyFrom(buffer[..Math.Min(PieceLength, buffer.Length)].Span) }, cancellationToken);
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
