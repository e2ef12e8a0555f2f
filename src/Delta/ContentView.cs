using System.Buffers;

namespace Mirror.Delta;

/// <summary>Short pieces of a long seekable stream, wanted at offsets that mostly, not always, rise. Holds one buffer, with some bytes before what was asked for.</summary>
internal sealed class ContentView(Stream content) : IDisposable
{
    /// <summary>Longest piece that can be asked for.</summary>
    public const int MaxPiece = RunMatcher.MaxSurroundings;

    private const int Before = 16 << 10;
    private const int UsualRead = 64 << 10;

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(Before + MaxPiece);
    private long _from;
    private int _filled;

    public long Length { get; } = content.Length;

    /// <summary>Exactly these bytes; they stay until the next call.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(long offset, int length, CancellationToken cancellation)
    {
        if (offset < _from || offset + length > _from + _filled)
        {
            _filled = 0;
            _from = Math.Max(0, offset - Before);
            content.Position = _from;
            int needed = (int)(offset - _from) + length;
            // Not more than is likely to be used: edits are often far apart.
            Memory<byte> window = _buffer.AsMemory(0, Math.Max(needed, UsualRead));
            int read = await content.ReadAtLeastAsync(window, needed, throwOnEndOfStream: true, cancellation);
            _filled = read;
        }
        return _buffer.AsMemory((int)(offset - _from), length);
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}
