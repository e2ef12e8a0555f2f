using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// Gathers what is written and hands it over in large pieces: whatever the stream behind it does with them, such as compressing, goes on beside the search. What was not handed over is
/// written by <see cref="FinishAsync"/>.
/// </summary>
internal sealed class StreamAside(Stream output) : Stream
{
    private readonly BackgroundWork _writing = new();
    private ArrayBufferWriter<byte> _gathered = new();
    private ArrayBufferWriter<byte> _underWay = new();

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer) => _gathered.Write(buffer);

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Begins to write what was gathered, when the piece before it is written.</summary>
    public async ValueTask HandOverAsync()
    {
        if (_gathered.WrittenCount == 0)
        {
            return;
        }
        await _writing.DrainAsync();
        (_gathered, _underWay) = (_underWay, _gathered);
        _gathered.ResetWrittenCount();
        ArrayBufferWriter<byte> piece = _underWay;
        _writing.Start(piece.WrittenCount, () => output.Write(piece.WrittenSpan));
    }

    public async ValueTask FinishAsync()
    {
        await HandOverAsync();
        await _writing.DrainAsync();
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Waits until nobody uses the stream behind it any more; a failure was thrown already, or is why this is disposed.</summary>
    public override async ValueTask DisposeAsync()
    {
        await _writing.DrainAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.DisposeAsync();
    }
}
