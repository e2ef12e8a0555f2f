namespace Mirror.Delta;

internal enum DeltaOpKind
{
    End,
    Copy,
    Literal,
}

/// <param name="Offset">Of a copy: where in the basis.</param>
/// <param name="Length">At least 1, but for the end.</param>
internal readonly record struct DeltaOp(DeltaOpKind Kind, long Offset, long Length)
{
    /// <summary>Bound of offsets, lengths and the sum of all lengths: no file is longer, and sums stay far from overflow.</summary>
    public const long MaxExtent = 1L << 60;

    /// <summary>Bytes an operation takes at most, without a literal's own bytes.</summary>
    public const int MaxStoredLength = 2 * Varint.MaxLength;
}
