using Mirror.Store.Manifests;

namespace Mirror.Store.Packs;

/// <summary>A blob being written. Its hash is known only at the end of the one pass over the content.</summary>
public sealed class PackBlob : IAsyncDisposable
{
    private readonly PackWriter writer;

    internal PackBlob(PackWriter writer, long start, bool isDelta)
    {
        this.writer = writer;
        Start = start;
        IsDelta = isDelta;
        Delta = new Intake(this);
    }

    /// <summary>Takes the delta; write-only, of any length.</summary>
    public Stream Delta { get; }

    internal long Start { get; }

    internal bool IsDelta { get; }

    /// <param name="hash">SHA-256 of the content. When the pack has it already, what was written is given up.</param>
    /// <param name="basis">Content the delta copies from; none for a whole.</param>
    /// <param name="size">Length of the content in bytes.</param>
    public ValueTask CompleteAsync(ContentHash hash, ContentHash basis, long size)
    {
        writer.Complete(this, hash, basis, size);
        return ValueTask.CompletedTask;
    }

    /// <summary>Without <see cref="CompleteAsync"/> the blob is not in the index, and what it wrote costs room at most.</summary>
    public ValueTask DisposeAsync()
    {
        writer.GiveUp(this);
        return ValueTask.CompletedTask;
    }

    private sealed class Intake(PackBlob blob) : Stream
    {
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer) => blob.writer.Append(blob, buffer);

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            blob.writer.AppendAsync(blob, buffer, cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        // Frames are cut by size, not by wish: there is nothing to flush before the pack is complete.
        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
