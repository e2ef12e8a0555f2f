using System.Buffers;

namespace Mirror.Delta;

/// <summary>
/// Basis + delta → target. Pieces are gathered in one of two buffers; while a full one is hashed on another thread it is written by this one, and the other fills.
/// </summary>
internal sealed class Patcher : IAsyncDisposable
{
    private const int MaxBuffer = 512 << 10;
    private const int MinBuffer = 4 << 10;

    private readonly Stream _target;
    private readonly BackgroundSha256 _sha256 = new();
    private byte[] _filling;
    private byte[] _hashing;
    private int _filled;
    private long _written;

    private Patcher(Stream target, long maxLength)
    {
        _target = target;
        int length = (int)Math.Clamp(maxLength, MinBuffer, MaxBuffer);
        _filling = ArrayPool<byte>.Shared.Rent(length);
        _hashing = ArrayPool<byte>.Shared.Rent(length);
    }

    public static async Task<(long Length, byte[] Sha256)> RunAsync(
        Stream basis, Stream delta, Stream target, long maxLength, CancellationToken cancellation)
    {
        using DeltaReader reader = new(delta, basis.Length, maxLength);
        await using Patcher patcher = new(target, maxLength);
        while (await reader.NextAsync(cancellation) is { Kind: not DeltaOpKind.End } op)
        {
            if (op.Kind == DeltaOpKind.Copy && basis.Position != op.Offset)
            {
                basis.Position = op.Offset;
            }
            for (long left = op.Length; left > 0;)
            {
                Memory<byte> free = await patcher.FreeAsync(left, cancellation);
                if (op.Kind == DeltaOpKind.Copy)
                {
                    await basis.ReadExactlyAsync(free, cancellation);
                }
                else
                {
                    await reader.ReadLiteralAsync(free, cancellation);
                }
                patcher._filled += free.Length;
                left -= free.Length;
            }
        }
        await patcher.WriteAsync(cancellation);
        return (patcher._written, await patcher._sha256.FinishAsync());
    }

    public async ValueTask DisposeAsync()
    {
        await _sha256.DisposeAsync();
        ArrayPool<byte>.Shared.Return(_filling);
        ArrayPool<byte>.Shared.Return(_hashing);
    }

    private async ValueTask<Memory<byte>> FreeAsync(long wanted, CancellationToken cancellation)
    {
        if (_filled == _filling.Length)
        {
            await WriteAsync(cancellation);
        }
        return _filling.AsMemory(_filled, (int)Math.Min(wanted, _filling.Length - _filled));
    }

    private async ValueTask WriteAsync(CancellationToken cancellation)
    {
        if (_filled == 0)
        {
            return;
        }
        // Waits for the other buffer's hash first: so that one is free afterwards.
        await _sha256.AppendAsync(_filling.AsMemory(0, _filled));
        await _target.WriteAsync(_filling.AsMemory(0, _filled), cancellation);
        _written += _filled;
        _filled = 0;
        (_filling, _hashing) = (_hashing, _filling);
    }
}
