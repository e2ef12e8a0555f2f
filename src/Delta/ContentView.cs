using System.Buffers;

namespace Mirror.Delta;

/// <summary>Short pieces of a long seekable stream, wanted at offsets that mostly, not always, rise. Holds one buffer, with some bytes before what was asked for.</summary>
internal sealed class ContentView(Stream content) : IDisposable
{
    /// <summary>Longest piece that can be asked for.</summary>
    public const int MaxPiece = GapMatcher.MaxSurroundings;

    // Edits are often far apart: what is read beside the piece is mostly read in vain.
    private const int Before = 512;
    private const int UsualRead = 4 << 10;

    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(Before + MaxPiece);
    private long _from;
    private int _filled;

    public long Length { get; } = content.Length;

    /// <summary>Exactly these bytes; they stay until the next call.</summary>
    /// <exception cref="EndOfStreamException">The content became shorter.</exception>
    public ReadOnlySpan<byte> Read(long offset, int length)
    {
        if (offset < _from || offset + length > _from + _filled)
        {
            _filled = 0;
            _from = Math.Max(0, offset - Before);
            content.Position = _from;
            int needed = (int)(offset - _from) + length;
            _filled = content.ReadAtLeast(_buffer.AsSpan(0, Math.Max(needed, UsualRead)), needed);
        }
        return _buffer.AsSpan((int)(offset - _from), length);
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}
