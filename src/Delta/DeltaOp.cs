namespace Mirror.Delta;

/// <summary>The low bits of an operation's head.</summary>
internal enum DeltaOpKind
{
    /// <summary>Its bytes are in the segment.</summary>
    Literal = 0,

    /// <summary>From the basis; its place counts from the end of the copy before.</summary>
    Copy = 1,

    /// <summary>From the basis; its place counts from the end of the copy before that one: after a look elsewhere, back to where it went on.</summary>
    CopyBack = 2,

    /// <summary>There is no more. Not stored.</summary>
    End = 3,
}

/// <param name="IsCopy">Else a literal, or the end.</param>
/// <param name="Offset">Of a copy: where in the basis. Of a literal: where in the delta its bytes begin.</param>
/// <param name="Length">At least 1, but for the end: 0.</param>
internal readonly record struct DeltaOp(bool IsCopy, long Offset, long Length)
{
    public const int KindBits = 2;

    /// <summary>Bound of offsets, lengths and the sum of all lengths: no file is longer, and sums stay far from overflow.</summary>
    public const long MaxExtent = 1L << 60;

    /// <summary>Bytes an operation takes at most, without a literal's own bytes.</summary>
    public const int MaxStoredLength = 2 * Varint.MaxLength;

    public bool IsEnd => Length == 0;
}

/// <summary>Bounds of a segment: a run of operations, followed by the bytes of its literals.</summary>
internal static class DeltaSegment
{
    public const int MaxOperations = 64 << 10;
    public const int MaxLiterals = 256 << 10;
}

/// <summary>Where the last two copies ended: what the place of the next one is told from, by whoever writes a delta and whoever reads it.</summary>
internal struct CopyPlaces
{
    private long _last;
    private long _beforeLast;

    public readonly (DeltaOpKind Kind, long Distance) DistanceTo(long offset) =>
        Math.Abs(offset - _last) <= Math.Abs(offset - _beforeLast) ? (DeltaOpKind.Copy, offset - _last) : (DeltaOpKind.CopyBack, offset - _beforeLast);

    public readonly long From(DeltaOpKind kind) => kind == DeltaOpKind.Copy ? _last : _beforeLast;

    public void Copied(long end) => (_beforeLast, _last) = (_last, end);
}
