using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// Basis + delta → target. Pieces are gathered in one of two buffers; while a full one is hashed (or compared with a signature) and written, partly on another thread, the other fills.
/// </summary>
internal sealed class Patcher : IAsyncDisposable
{
    private const int MaxBuffer = 512 << 10;
    private const int MinBuffer = 4 << 10;

    private readonly Stream _basis;
    private readonly DeltaReader _delta;
    private readonly BackgroundWork _aside = new();
    private byte[] _filling;
    private byte[] _full;
    private int _filled;

    // The operation under way: what is left of it, and where a copy goes on.
    private DeltaOp _operation;

    private Patcher(Stream basis, Stream delta, long maxLength)
    {
        _basis = basis;
        _delta = new(delta, basis.Length, maxLength);
        int length = (int)Math.Clamp(maxLength, MinBuffer, MaxBuffer);
        _filling = ArrayPool<byte>.Shared.Rent(length);
        _full = ArrayPool<byte>.Shared.Rent(length);
    }

    public static async Task<(long Length, byte[] Hash)> RunAsync(
        Stream basis, Stream delta, Stream target, long maxLength, WholeHash hash, CancellationToken cancellation)
    {
        using ContentHasher hasher = new(hash);
        // Two threads, about as busy: SHA-256 outweighs reading and writing together, a quick hash does not.
        long written = await RunAsync(basis, delta, target, maxLength, full => hasher.Append(full.Span), writesAside: hash != WholeHash.Sha256, cancellation);
        return (written, hasher.Finish());
    }

    public static async Task<bool> RunAsync(Stream basis, Stream delta, Stream target, BlockSignature signed, BlockKey key, CancellationToken cancellation)
    {
        SignatureCheck check = new(signed, key);
        await RunAsync(basis, delta, target, signed.ContentLength, full => check.Append(full.Span), writesAside: true, cancellation);
        return check.IsWhole;
    }

    /// <param name="look">Is shown all that is written, in order; in full buffers, which are a power of two long, but for the last.</param>
    private static async Task<long> RunAsync(
        Stream basis, Stream delta, Stream target, long maxLength, Action<ReadOnlyMemory<byte>> look, bool writesAside, CancellationToken cancellation)
    {
        await using Patcher patcher = new(basis, delta, maxLength);
        long written = 0;
        while (patcher.Fill())
        {
            cancellation.ThrowIfCancellationRequested();
            ReadOnlyMemory<byte> full = patcher._filling.AsMemory(0, patcher._filled);
            // Waits for the other buffer first: so that one is free afterwards.
            await patcher._aside.DrainAsync();
            patcher._aside.Start(full.Length, () =>
            {
                look(full);
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
        return written;
    }

    public async ValueTask DisposeAsync()
    {
        await _aside.DrainAsync();
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
