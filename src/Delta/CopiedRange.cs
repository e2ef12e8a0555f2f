namespace Mirror.Delta;

/// <summary>target[Target, Target + Length) = source[Source, Source + Length).</summary>
internal readonly record struct CopiedRange(long Source, long Target, long Length)
{
    public long SourceEnd => Source + Length;

    public long TargetEnd => Target + Length;
}

/// <summary>Keeps the copies of what would be a delta, and forgets its literals: they are in the target.</summary>
internal sealed class CopiedRanges : IOperationSink
{
    // 1.5 GiB. A delta has a copy for a piece at most, so only prepared data get there.
    private const int MaxRanges = 1 << 26;

    private long _target;

    /// <summary>In the order of the target, of which each byte is in one range at most.</summary>
    public List<CopiedRange> InOrder { get; } = [];

    public void Copy(long offset, long length)
    {
        if (length == 0)
        {
            return;
        }
        if (InOrder is [.., { } last] && last.TargetEnd == _target && last.SourceEnd == offset)
        {
            InOrder[^1] = last with { Length = last.Length + length };
        }
        else
        {
            ThrowIfFull();
            InOrder.Add(new(offset, _target, length));
        }
        _target += length;
    }

    public void Literal(ReadOnlySpan<byte> bytes) => _target += bytes.Length;

    /// <summary>The copies of a delta source→target.</summary>
    /// <exception cref="DeltaFormatException">It is malformed, has too many copies, or does not yield <paramref name="targetLength"/> bytes.</exception>
    public static CopiedRanges Of(Stream delta, long sourceLength, long targetLength)
    {
        CopiedRanges ranges = new();
        using DeltaReader reader = new(delta, sourceLength, targetLength);
        while (reader.Next() is { IsEnd: false } op)
        {
            if (op.IsCopy)
            {
                ranges.Copy(op.Offset, op.Length);
            }
            else
            {
                ranges._target += op.Length;
            }
        }
        return reader.Yield == targetLength
            ? ranges
            : throw new DeltaFormatException($"The forward delta yields {reader.Yield} bytes, but the new content has {targetLength}: they do not belong together.");
    }

    /// <summary>Turned round: what was the source is the target. Of ranges that reach the same byte of it, the earlier one keeps it.</summary>
    public List<CopiedRange> Inverted()
    {
        List<CopiedRange> inverted = InOrder.ConvertAll(range => new CopiedRange(range.Target, range.Source, range.Length));
        inverted.Sort((x, y) => x.Target != y.Target ? x.Target.CompareTo(y.Target) : y.Length.CompareTo(x.Length));
        int kept = 0;
        long reached = 0;
        for (int i = 0; i < inverted.Count; i++)
        {
            CopiedRange range = inverted[i];
            long taken = Math.Max(0, reached - range.Target);
            if (taken < range.Length)
            {
                inverted[kept++] = new(range.Source + taken, range.Target + taken, range.Length - taken);
                reached = range.TargetEnd;
            }
        }
        inverted.RemoveRange(kept, inverted.Count - kept);
        return inverted;
    }

    private void ThrowIfFull()
    {
        if (InOrder.Count == MaxRanges)
        {
            throw new DeltaFormatException($"The delta has more than {MaxRanges} copies; it can be applied, but neither inverted nor made exact.");
        }
    }
}
