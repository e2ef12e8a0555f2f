using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// Basis + delta → target. Pieces are gathered in one of two buffers; while a full one is hashed and written, partly on another thread, the other fills.
/// </summary>
internal sealed class Patcher : IAsyncDisposable
{
    private const int MaxBuffer = 512 << 10;
    private const int MinBuffer = 4 << 10;

    private readonly Stream _basis;
    private readonly DeltaReader _delta;
    private readonly ContentHasher _hasher;
    private readonly BackgroundWork _aside = new();
    private byte[] _filling;
    private byte[] _full;
    private int _filled;

    // The operation under way: what is left of it, and where a copy goes on.
    private DeltaOp _operation;

    private Patcher(Stream basis, Stream delta, long maxLength, WholeHash hash)
    {
        _basis = basis;
        _hasher = new(hash);
        _delta = new(delta, basis.Length, maxLength);
        int length = (int)Math.Clamp(maxLength, MinBuffer, MaxBuffer);
        _filling = ArrayPool<byte>.Shared.Rent(length);
        _full = ArrayPool<byte>.Shared.Rent(length);
    }

    public static async Task<(long Length, byte[] Hash)> RunAsync(
        Stream basis, Stream delta, Stream target, long maxLength, WholeHash hash, CancellationToken cancellation)
    {
        await using Patcher patcher = new(basis, delta, maxLength, hash);
        // Two threads, about as busy: SHA-256 outweighs reading and writing together, a quick hash does not.
        bool writesAside = hash != WholeHash.Sha256;
        long written = 0;
        while (patcher.Fill())
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOnlyMemory<byte> full = patcher._filling.AsMemory(0, patcher._filled);
            // Waits for the other buffer first: so that one is free afterwards.
            await patcher._aside.DrainAsync();
            patcher._aside.Start(full.Length, () =>
            {
                patcher._hasher.Append(full.Span);
                if (writesAside)
                {
                    target.Write(full.Span);
                }
            });
            if (!writesAside)
            {
                target.Write(full.Span);
            }
            written += full.Length;
            (patcher._filling, patcher._full) = (patcher._full, patcher._filling);
        }
        await patcher._aside.DrainAsync();
        return (written, patcher._hasher.Finish());
    }

    public async ValueTask DisposeAsync()
    {
        await _aside.DrainAsync();
        _hasher.Dispose();
        _delta.Dispose();
        ArrayPool<byte>.Shared.Return(_filling);
        ArrayPool<byte>.Shared.Return(_full);
    }

    // Fills the buffer, or what the delta has left. False: there was nothing.
    private bool Fill()
    {
        _filled = 0;
        while (_filled < _filling.Length && (_operation.Length > 0 || Next()))
        {
            Span<byte> free = _filling.AsSpan(_filled, (int)Math.Min(_operation.Length, _filling.Length - _filled));
            if (_operation.IsCopy)
            {
                _basis.ReadExactly(free);
            }
            else
            {
                _delta.ReadLiteral(free);
            }
            _filled += free.Length;
            _operation = _operation with { Length = _operation.Length - free.Length };
        }
        return _filled > 0;
    }

    private bool Next()
    {
        _operation = _delta.Next();
        if (_operation.IsCopy && _basis.Position != _operation.Offset)
        {
            _basis.Position = _operation.Offset;
        }
        return !_operation.IsEnd;
    }
}
