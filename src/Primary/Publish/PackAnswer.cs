using Google.Protobuf;
using Grpc.Core;
using Mirror.Node.Wire;

namespace Mirror.Primary.Publish;

/// <summary>A pack's bytes on their way to who asked, as they are written.</summary>
internal sealed class PackAnswer(IServerStreamWriter<PackBytes> responseStream, ulong epoch, Bandwidth? bandwidth) : Stream
{
    private const int PieceLength = 256 << 10;

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
        while (!buffer.IsEmpty)
        {
            var piece = buffer[..Math.Min(bandwidth?.Piece ?? PieceLength, buffer.Length)];
            if (bandwidth is not null)
            {
                await bandwidth.SpendAsync(piece.Length, cancellationToken);
            }

            // Copied: the message may still be on its way when the writer's buffer is filled again.
            await responseStream.WriteAsync(new PackBytes { Epoch = epoch, Data = ByteString.CopyFrom(piece.Span) }, cancellationToken);
            buffer = buffer[piece.Length..];
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // A pack's writer hands full frames over between two pieces of a delta: on a thread of its own, which may wait.
    public override void Write(ReadOnlySpan<byte> buffer) => WriteAsync(buffer.ToArray()).AsTask().GetAwaiter().GetResult();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
