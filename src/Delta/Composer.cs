using System.Buffers;
using System.Runtime.InteropServices;

namespace Mirror.Delta;

/// <summary>
/// A→B and B→C give A→C. The first delta becomes a map of B: for each interval, where its bytes come from (an offset in A, or in the first delta itself).
/// Each copy of the second delta is cut at the intervals' borders and looked up; its literals pass through. B is never built.
/// </summary>
internal sealed class Composer : IDisposable
{
    // 1 GiB of map. A delta has an operation for two pieces at most, so only prepared data get there.
    private const int MaxIntervals = 1 << 26;

    private const int LiteralPiece = 32 << 10;

    /// <param name="Start">Offset in B; the interval ends where the next begins.</param>
    /// <param name="Source">Offset in A; or, as its complement (negative), the offset in the first delta of a literal's bytes.</param>
    private readonly record struct Interval(long Start, long Source);

    private readonly List<Interval> _map = [];
    private readonly ContentView _literals;
    private readonly DeltaWriter _composed;
    private readonly byte[] _piece = ArrayPool<byte>.Shared.Rent(LiteralPiece);
    private readonly long _firstDeltaAt;
    private long _lengthOfB;

    private Composer(Stream first, Stream composed)
    {
        _firstDeltaAt = first.Position;
        _literals = new(first);
        _composed = new(composed);
    }

    /// <summary>False: the first delta has more operations than the map may have intervals; nothing was written.</summary>
    public static bool Run(Stream first, Stream second, Stream composed, long maxLength, int maxOperations, CancellationToken cancellation)
    {
        using Composer composer = new(first, composed);
        if (!composer.ReadMap(first, Math.Min(maxOperations, MaxIntervals), cancellation))
        {
            return false;
        }

        using DeltaReader reader = new(second, composer._lengthOfB, maxLength);
        while (reader.Next() is { IsEnd: false } op)
        {
            cancellation.ThrowIfCancellationRequested();
            if (op.IsCopy)
            {
                composer.Copy(op.Offset, op.Length, cancellation);
                continue;
            }
            for (long left = op.Length; left > 0;)
            {
                Span<byte> piece = composer._piece.AsSpan(0, (int)Math.Min(left, LiteralPiece));
                reader.ReadLiteral(piece);
                composer._composed.Literal(piece);
                left -= piece.Length;
            }
        }
        composer._composed.Finish();
        return true;
    }

    public void Dispose()
    {
        _literals.Dispose();
        _composed.Dispose();
        ArrayPool<byte>.Shared.Return(_piece);
    }

    private bool ReadMap(Stream first, int maxOperations, CancellationToken cancellation)
    {
        // A's length is not known here; who applies the composed delta checks against it.
        using DeltaReader reader = new(first, DeltaOp.MaxExtent, DeltaOp.MaxExtent);
        while (reader.Next() is { IsEnd: false } op)
        {
            cancellation.ThrowIfCancellationRequested();
            if (_map.Count == maxOperations)
            {
                return false;
            }
            _map.Add(new(_lengthOfB, op.IsCopy ? op.Offset : ~(_firstDeltaAt + op.Offset)));
            _lengthOfB += op.Length;
        }
        _map.Add(new(_lengthOfB, 0));
        return true;
    }

    private void Copy(long offset, long length, CancellationToken cancellation)
    {
        long end = offset + length;
        for (int i = IntervalOf(offset); offset < end; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            long pieceEnd = Math.Min(end, _map[i + 1].Start);
            long into = offset - _map[i].Start;
            if (_map[i].Source >= 0)
            {
                _composed.Copy(_map[i].Source + into, pieceEnd - offset);
            }
            else
            {
                CopyLiteral(~_map[i].Source + into, pieceEnd - offset);
            }
            offset = pieceEnd;
        }
    }

    private void CopyLiteral(long from, long length)
    {
        for (long left = length; left > 0;)
        {
            int piece = (int)Math.Min(left, LiteralPiece);
            _composed.Literal(_literals.Read(from, piece));
            from += piece;
            left -= piece;
        }
    }

    // The last interval that starts at or before the offset.
    private int IntervalOf(long offset)
    {
        int low = 0;
        int high = _map.Count - 1;
        ReadOnlySpan<Interval> map = CollectionsMarshal.AsSpan(_map);
        while (high - low > 1)
        {
            int middle = (low + high) >>> 1;
            (low, high) = map[middle].Start <= offset ? (middle, high) : (low, middle);
        }
        return low;
    }
}
