using System.Runtime.InteropServices;

namespace Mirror.Delta;

/// <summary>
/// Makes known matches exact where both contents are at hand. Ranges that are known to be copies are grown byte by byte beyond the borders of pieces; what is left of the target between two
/// of them is matched with what is left of the source: around the same place, where lines or rows were edited, and anywhere, for what was moved. So an edit costs what was edited:
/// the size a byte-exact differ achieves, which must hold both contents in memory. Nothing is searched that the ranges cover.
/// </summary>
internal sealed class ExactDiffer : IDisposable
{
    // Contents are compared in pieces: small ones first, for most matches end soon.
    private const int FirstPiece = 256;
    private const int LongestPiece = 64 << 10;

    // A gap is matched with what stood in its place and this much on both sides, where a moved line may be.
    private const int MaxMargin = 4 << 10;

    private const int MinAround = 64;

    // Less is not worth a search.
    private const int MinSearched = 16;

    // In a content that was replaced altogether the search finds nothing: after a piece in vain one more piece is not searched, up to this many in a row.
    private const int MaxLeftOut = 15;

    private readonly ContentView _source;
    private readonly ContentView _target;
    private readonly List<CopiedRange> _ranges;
    private readonly GapMatcher _matcher;
    private int _leaveOut;
    private int _leftOut;

    private ExactDiffer(Stream source, Stream target, List<CopiedRange> ranges, IOperationSink sink)
    {
        _source = new(source);
        _target = new(target);
        _ranges = ranges;
        _matcher = new(sink);
    }

    /// <param name="source">Seekable.</param>
    /// <param name="target">Seekable.</param>
    /// <param name="ranges">In the order of the target, of which each byte is in one range at most. Believed, not compared. Changed.</param>
    /// <param name="sink">Takes the whole target.</param>
    public static void Run(Stream source, Stream target, List<CopiedRange> ranges, IOperationSink sink, CancellationToken cancellation)
    {
        using ExactDiffer differ = new(source, target, ranges, sink);
        // The ends of both contents are ranges too: so every gap has two neighbours.
        ranges.Insert(0, default);
        ranges.Add(new(source.Length, target.Length, 0));
        if (differ.Grow(cancellation) >= MinSearched)
        {
            differ._matcher.Know(Leftovers.Of(differ._source, ranges, cancellation));
        }
        sink.Copy(ranges[0].Source, ranges[0].Length);
        for (int i = 1; i < ranges.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            differ.CloseGap(ranges[i - 1], ranges[i], cancellation);
            sink.Copy(ranges[i].Source, ranges[i].Length);
        }
    }

    public void Dispose()
    {
        _source.Dispose();
        _target.Dispose();
        _matcher.Dispose();
    }

    /// <summary>Grows every range as far as the contents agree and no other range stands. Returns the bytes left between them.</summary>
    private long Grow(CancellationToken cancellation)
    {
        Span<CopiedRange> ranges = CollectionsMarshal.AsSpan(_ranges);
        long left = 0;
        for (int i = 1; i < ranges.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            ref CopiedRange before = ref ranges[i - 1];
            ref CopiedRange after = ref ranges[i];
            long gap = after.Target - before.TargetEnd;
            long ahead = CommonAhead(before.SourceEnd, before.TargetEnd, Math.Min(gap, _source.Length - before.SourceEnd));
            before = before with { Length = before.Length + ahead };
            long behind = CommonBehind(after.Source, after.Target, Math.Min(gap - ahead, after.Source));
            after = new(after.Source - behind, after.Target - behind, after.Length + behind);
            left += gap - ahead - behind;
        }
        return left;
    }

    /// <summary>Yields the target between two ranges, piece by piece, out of what stands around the same place of the source.</summary>
    private void CloseGap(in CopiedRange before, in CopiedRange after, CancellationToken cancellation)
    {
        // What came after may stand before what came before: blocks that moved.
        long lowest = Math.Max(0, Math.Min(before.SourceEnd, after.Source) - MaxMargin);
        long highest = Math.Min(_source.Length, Math.Max(before.SourceEnd, after.Source) + MaxMargin);
        long expected = before.SourceEnd;
        for (long from = before.TargetEnd; from < after.Target;)
        {
            cancellation.ThrowIfCancellationRequested();
            int length = (int)Math.Min(after.Target - from, GapMatcher.MaxRun);
            ReadOnlySpan<byte> run = _target.Read(from, length);
            if (length < MinSearched || _leftOut < _leaveOut)
            {
                _matcher.WriteLiteral(run);
                _leftOut++;
                expected += length;
            }
            else
            {
                expected = Match(run, expected, lowest, highest);
            }
            from += length;
        }
    }

    private long Match(ReadOnlySpan<byte> run, long expected, long lowest, long highest)
    {
        // In proportion, for indexing takes time too. What moved farther is among the leftovers.
        int around = Math.Min((GapMatcher.MaxSurroundings - run.Length) / 2, MinAround + (2 * run.Length));
        expected = Math.Clamp(expected, lowest, highest);
        long from = Math.Clamp(expected - around, lowest, highest);
        long to = Math.Clamp(expected + run.Length + around, from, highest);
        ReadOnlySpan<byte> surroundings = _source.Read(from, (int)(to - from));
        bool found = _matcher.Write(run, surroundings, (int)(expected - from), from, out int goesOn);
        _leaveOut = found ? 0 : Math.Min(_leaveOut + 1, MaxLeftOut);
        _leftOut = 0;
        return from + goesOn;
    }

    private long CommonAhead(long source, long target, long limit)
    {
        int longest = FirstPiece;
        for (long done = 0; done < limit; longest = Math.Min(2 * longest, LongestPiece))
        {
            int piece = (int)Math.Min(limit - done, longest);
            int common = _source.Read(source + done, piece).CommonPrefixLength(_target.Read(target + done, piece));
            done += common;
            if (common < piece)
            {
                return done;
            }
        }
        return Math.Max(0, limit);
    }

    private long CommonBehind(long source, long target, long limit)
    {
        int longest = FirstPiece;
        for (long done = 0; done < limit; longest = Math.Min(2 * longest, LongestPiece))
        {
            int piece = (int)Math.Min(limit - done, longest);
            int common = CommonSuffix.Length(_source.Read(source - done - piece, piece), _target.Read(target - done - piece, piece));
            done += common;
            if (common < piece)
            {
                return done;
            }
        }
        return Math.Max(0, limit);
    }
}
