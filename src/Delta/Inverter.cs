namespace Mirror.Delta;

/// <summary>
/// Old→new becomes new→old without a search. What the forward delta copied out of the old content lies in the new one: those ranges, in the old content's order, are
/// the reverse copies. Each gap between two of them is then closed from both sides, byte by byte, as far as the contents agree, and what is left is matched with the
/// run of the new content that replaced it. So an edit costs what was edited, not the blocks it touched: nearly the size a byte-exact differ achieves, which must hold both contents.
/// </summary>
internal sealed class Inverter : IDisposable
{
    // 1.5 GiB of ranges. A delta has a copy for a block at most, so only prepared data get there.
    private const int MaxRanges = 1 << 26;

    private const int ComparePiece = 16 << 10;
    // A gap is matched with what replaced it and this much on both sides, where a moved line may be.
    private const int Margin = 4 << 10;

    // Less is not worth a search.
    private const int MinSearched = 16;

    // In a content that was replaced altogether the search finds nothing: after a piece in vain one more piece is not searched, up to this many in a row.
    private const int MaxLeftOut = 15;

    /// <summary>old[Old, Old + Length) = new[New, New + Length).</summary>
    private readonly record struct CopiedRange(long Old, long New, long Length)
    {
        public long OldEnd => Old + Length;
        public long NewEnd => New + Length;
    }

    private readonly ContentView _old;
    private readonly ContentView _new;
    private readonly DeltaWriter _reverse;
    private readonly RunMatcher _matcher = new();

    private Inverter(Stream oldContent, Stream newContent, Stream reverse)
    {
        _old = new(oldContent);
        _new = new(newContent);
        _reverse = new(reverse);
    }

    public static async Task RunAsync(Stream oldContent, Stream newContent, Stream forward, Stream reverse, CancellationToken cancellation)
    {
        List<CopiedRange> ranges = await ReadRangesAsync(forward, oldContent.Length, newContent.Length, cancellation);
        RemoveOverlaps(ranges);

        using Inverter inverter = new(oldContent, newContent, reverse);
        CopiedRange before = default;
        foreach (CopiedRange range in ranges)
        {
            await inverter.CloseGapAsync(before.OldEnd, range.Old, before.NewEnd, range.New, cancellation);
            inverter._reverse.Copy(range.New, range.Length);
            before = range;
        }
        await inverter.CloseGapAsync(before.OldEnd, oldContent.Length, before.NewEnd, newContent.Length, cancellation);
        await inverter._reverse.FinishAsync(cancellation);
    }

    public void Dispose()
    {
        _old.Dispose();
        _new.Dispose();
        _reverse.Dispose();
        _matcher.Dispose();
    }

    private static async Task<List<CopiedRange>> ReadRangesAsync(Stream forward, long oldLength, long newLength, CancellationToken cancellation)
    {
        List<CopiedRange> ranges = [];
        using DeltaReader reader = new(forward, oldLength, newLength);
        while (await reader.NextAsync(cancellation) is { Kind: not DeltaOpKind.End } op)
        {
            if (op.Kind != DeltaOpKind.Copy)
            {
                continue;
            }
            if (ranges.Count == MaxRanges)
            {
                throw new DeltaFormatException($"The forward delta has more than {MaxRanges} copies; it cannot be inverted.");
            }
            ranges.Add(new(op.Offset, reader.Yield - op.Length, op.Length));
        }
        return reader.Yield == newLength
            ? ranges
            : throw new DeltaFormatException($"The forward delta yields {reader.Yield} bytes, but the new content has {newLength}: they do not belong together.");
    }

    /// <summary>In the old content's order, with every old byte in one range at most: what an earlier range reaches, a later one gives up.</summary>
    private static void RemoveOverlaps(List<CopiedRange> ranges)
    {
        ranges.Sort((x, y) => x.Old != y.Old ? x.Old.CompareTo(y.Old) : y.Length.CompareTo(x.Length));
        int kept = 0;
        long reached = 0;
        for (int i = 0; i < ranges.Count; i++)
        {
            CopiedRange range = ranges[i];
            long taken = Math.Max(0, reached - range.Old);
            if (taken < range.Length)
            {
                ranges[kept++] = new(range.Old + taken, range.New + taken, range.Length - taken);
                reached = range.OldEnd;
            }
        }
        ranges.RemoveRange(kept, ranges.Count - kept);
    }

    /// <summary>Yields old[from, to). New content that goes on from what came before starts at <paramref name="newFrom"/>; what comes after starts at <paramref name="newTo"/>.</summary>
    private async ValueTask CloseGapAsync(long from, long to, long newFrom, long newTo, CancellationToken cancellation)
    {
        long ahead = await CommonAheadAsync(from, newFrom, Math.Min(to - from, _new.Length - newFrom), cancellation);
        _reverse.Copy(newFrom, ahead);
        from += ahead;
        newFrom += ahead;
        long behind = await CommonBehindAsync(to, newTo, Math.Min(to - from, newTo), cancellation);
        await MatchAsync(from, to - behind, newFrom, newTo - behind, cancellation);
        _reverse.Copy(newTo - behind, behind);
        if (_reverse.IsFlushDue)
        {
            await _reverse.FlushAsync(cancellation);
        }
    }

    /// <summary>Yields old[from, to), piece by piece, out of what surrounds new[newFrom, newTo).</summary>
    private async ValueTask MatchAsync(long from, long to, long newFrom, long newTo, CancellationToken cancellation)
    {
        // What came after may stand before what came before: blocks that the forward delta copied out of order.
        long lowest = Math.Max(0, Math.Min(newFrom, newTo) - Margin);
        long highest = Math.Min(_new.Length, Math.Max(newFrom, newTo) + Margin);
        long expected = newFrom;
        int leaveOut = 0;
        int leftOut = 0;
        while (from < to)
        {
            int length = (int)Math.Min(to - from, RunMatcher.MaxRun);
            ReadOnlyMemory<byte> run = await _old.ReadAsync(from, length, cancellation);
            // As much as can be searched around where the run is expected, but not beyond what replaced the gap.
            int around = (RunMatcher.MaxSurroundings - length) / 2;
            expected = Math.Clamp(expected, lowest, highest);
            long surroundingsFrom = Math.Clamp(expected - around, lowest, highest);
            long surroundingsTo = Math.Clamp(expected + length + around, surroundingsFrom, highest);
            int surroundingsLength = (int)(surroundingsTo - surroundingsFrom);
            if (length < MinSearched || surroundingsLength < MinSearched || leftOut < leaveOut)
            {
                _reverse.Literal(run.Span);
                expected += length;
                leftOut++;
            }
            else
            {
                ReadOnlyMemory<byte> surroundings = await _new.ReadAsync(surroundingsFrom, surroundingsLength, cancellation);
                bool found = _matcher.Write(run.Span, surroundings.Span, (int)(expected - surroundingsFrom), surroundingsFrom, _reverse, out int goesOn);
                expected = surroundingsFrom + goesOn;
                leaveOut = found ? 0 : Math.Min(leaveOut + 1, MaxLeftOut);
                leftOut = 0;
            }
            from += length;
            if (_reverse.IsFlushDue)
            {
                await _reverse.FlushAsync(cancellation);
            }
        }
    }

    private async ValueTask<long> CommonAheadAsync(long oldFrom, long newFrom, long limit, CancellationToken cancellation)
    {
        for (long done = 0; done < limit;)
        {
            int piece = (int)Math.Min(limit - done, ComparePiece);
            ReadOnlyMemory<byte> ours = await _old.ReadAsync(oldFrom + done, piece, cancellation);
            ReadOnlyMemory<byte> theirs = await _new.ReadAsync(newFrom + done, piece, cancellation);
            int common = ours.Span.CommonPrefixLength(theirs.Span);
            done += common;
            if (common < piece)
            {
                return done;
            }
        }
        return Math.Max(0, limit);
    }

    private async ValueTask<long> CommonBehindAsync(long oldTo, long newTo, long limit, CancellationToken cancellation)
    {
        for (long done = 0; done < limit;)
        {
            int piece = (int)Math.Min(limit - done, ComparePiece);
            ReadOnlyMemory<byte> ours = await _old.ReadAsync(oldTo - done - piece, piece, cancellation);
            ReadOnlyMemory<byte> theirs = await _new.ReadAsync(newTo - done - piece, piece, cancellation);
            int common = CommonSuffix.Length(ours.Span, theirs.Span);
            done += common;
            if (common < piece)
            {
                return done;
            }
        }
        return Math.Max(0, limit);
    }
}
