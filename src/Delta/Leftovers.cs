using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Mirror.Delta;

/// <summary>
/// The bytes of a source that no range covers: where a row or a paragraph came from that now stands elsewhere. They are few where little changed, so they fit in memory, with an
/// index of every fourth sixteen bytes; beyond the bound the rest is left out, and costs literals.
/// </summary>
internal sealed class Leftovers : IDisposable
{
    /// <summary>A match as short as this may be found; less does not pay for a copy to a far place.</summary>
    public const int MinMatch = 20;

    /// <summary>What an index entry tells apart.</summary>
    public const int Gram = 16;

    private const int MaxBytes = 16 << 20;
    private const int Step = 4;
    private const int MaxSlotBits = 22;

    // Of one place that was left: where it begins in _bytes, and in the source.
    private readonly record struct Piece(int At, long Source);

    private readonly List<Piece> _pieces = [];
    private readonly byte[] _bytes;
    private readonly int[] _places;
    private readonly int _shift;
    private int _length;

    private Leftovers(long length)
    {
        _bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(length, MaxBytes));
        int bits = Math.Min(BitOperations.Log2((uint)(_bytes.Length / Step) | 1) + 1, MaxSlotBits);
        _places = ArrayPool<int>.Shared.Rent(1 << bits);
        _places.AsSpan(0, 1 << bits).Fill(-1);
        _shift = 64 - bits;
    }

    /// <summary>Null: nothing was left, or pieces too short to be found.</summary>
    public static Leftovers? Of(ContentView source, List<CopiedRange> ranges, CancellationToken cancellation)
    {
        List<(long From, long To)> gaps = Uncovered(source.Length, ranges);
        if (gaps.Count == 0)
        {
            return null;
        }
        Leftovers leftovers = new(gaps.Sum(gap => gap.To - gap.From));
        foreach ((long from, long to) in gaps)
        {
            cancellation.ThrowIfCancellationRequested();
            if (!leftovers.Take(source, from, to))
            {
                break;
            }
        }
        return leftovers;
    }

    /// <summary>The longest match that begins or goes through <paramref name="run"/>[<paramref name="at"/>] and is known: how far it reaches to both sides, and where it is in the source.</summary>
    /// <param name="behind">How far back it may reach.</param>
    public bool TryMatch(ReadOnlySpan<byte> run, int at, int behind, out int length, out int before, out long source)
    {
        (length, before, source) = (0, 0, 0);
        if (at + Gram > run.Length)
        {
            return false;
        }
        int place = _places[Slot(run[at..])];
        if (place < 0 || !_bytes.AsSpan(place, Gram).SequenceEqual(run.Slice(at, Gram)))
        {
            return false;
        }
        (int start, int end, long from) = PieceAt(place);
        before = CommonSuffix.Length(run[(at - behind)..at], _bytes.AsSpan(start, place - start));
        length = before + run[at..].CommonPrefixLength(_bytes.AsSpan(place, end - place));
        source = from + place - start - before;
        return length >= MinMatch;
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        ArrayPool<int>.Shared.Return(_places);
    }

    private static List<(long From, long To)> Uncovered(long length, List<CopiedRange> ranges)
    {
        (long From, long To)[] covered = [.. ranges.Select(range => (range.Source, range.SourceEnd))];
        Array.Sort(covered, (x, y) => x.From.CompareTo(y.From));
        List<(long From, long To)> gaps = [];
        long reached = 0;
        foreach ((long from, long to) in covered)
        {
            if (from - reached >= MinMatch)
            {
                gaps.Add((reached, from));
            }
            reached = Math.Max(reached, to);
        }
        if (length - reached >= MinMatch)
        {
            gaps.Add((reached, length));
        }
        return gaps;
    }

    // False: there is no more room.
    private bool Take(ContentView source, long from, long to)
    {
        int start = _length;
        long taken = Math.Min(to - from, Math.Min(_bytes.Length, MaxBytes) - _length);
        if (taken < MinMatch)
        {
            return taken == to - from;
        }
        _pieces.Add(new(start, from));
        for (long done = 0; done < taken;)
        {
            int piece = (int)Math.Min(taken - done, ContentView.MaxPiece);
            source.Read(from + done, piece).CopyTo(_bytes.AsSpan(_length));
            _length += piece;
            done += piece;
        }
        for (int place = start; place + Gram <= _length; place += Step)
        {
            ref int slot = ref _places[Slot(_bytes.AsSpan(place))];
            // Of equal grams the first wins: then what repeats itself is copied from one place.
            slot = slot < 0 ? place : slot;
        }
        return taken == to - from;
    }

    private (int Start, int End, long Source) PieceAt(int place)
    {
        ReadOnlySpan<Piece> pieces = CollectionsMarshal.AsSpan(_pieces);
        int low = 0;
        int high = pieces.Length;
        while (high - low > 1)
        {
            int middle = (low + high) >>> 1;
            (low, high) = pieces[middle].At <= place ? (middle, high) : (low, middle);
        }
        return (pieces[low].At, high < pieces.Length ? pieces[high].At : _length, pieces[low].Source);
    }

    private int Slot(ReadOnlySpan<byte> bytes)
    {
        ulong low = MemoryMarshal.Read<ulong>(bytes);
        ulong high = MemoryMarshal.Read<ulong>(bytes[sizeof(ulong)..]);
        return (int)(((low * 0x9E37_79B9_7F4A_7C15) ^ (high + (low >> 29))) * 0xC2B2_AE3D_27D4_EB4F >> _shift);
    }
}
