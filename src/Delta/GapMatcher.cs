using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mirror.Delta;

/// <summary>
/// Byte-exact matching in the small: expresses a run of the target by what stands around its place in the source, and by leftovers from anywhere. Where rows or lines were edited within a block,
/// most of the run is still there, cut in pieces and shifted; a table of every eight bytes of the surroundings finds them. Runs and surroundings are bounded, so memory is too.
/// </summary>
internal sealed class GapMatcher(IOperationSink sink) : IDisposable
{
    public const int MaxRun = 64 << 10;
    public const int MaxSurroundings = 128 << 10;

    private const int Gram = sizeof(ulong);

    // A copy takes 3 to 5 bytes; one that goes on where the last one would have, 2.
    private const int MinMatch = 12;

    // In bytes that match nothing, steps grow: one byte more after every 64 in vain.
    private const int PatienceBits = 6;

    private readonly int[] _places = ArrayPool<int>.Shared.Rent(2 * MaxSurroundings);
    private int _hashShift;
    private Leftovers? _leftovers;

    /// <summary>What may be copied from anywhere. Taken over.</summary>
    public void Know(Leftovers? leftovers) => _leftovers = leftovers;

    public void WriteLiteral(ReadOnlySpan<byte> run) => sink.Literal(run);

    /// <summary>Writes <paramref name="run"/> as copies and literals. True: there was a copy.</summary>
    /// <param name="surroundings">The source around the place.</param>
    /// <param name="expected">Where in the surroundings the run would begin, had nothing changed.</param>
    /// <param name="offset">Of the surroundings in the source.</param>
    /// <param name="goesOn">Where in the surroundings the target would go on after the run.</param>
    public bool Write(ReadOnlySpan<byte> run, ReadOnlySpan<byte> surroundings, int expected, long offset, out int goesOn)
    {
        Index(surroundings);
        int literalFrom = 0;
        int shift = expected;
        int misses = 0;
        bool found = false;
        for (int at = 0; at + Gram <= run.Length;)
        {
            if (TryMatchNear(run, at, literalFrom, surroundings, ref shift, out int length, out int before))
            {
                Write(run[literalFrom..(at - before)], offset + at - before + shift, length);
            }
            else if (_leftovers is not null && _leftovers.TryMatch(run, at, at - literalFrom, out length, out before, out long source))
            {
                Write(run[literalFrom..(at - before)], source, length);
            }
            else
            {
                at += 1 + (misses++ >> PatienceBits);
                continue;
            }
            at += length - before;
            literalFrom = at;
            misses = 0;
            found = true;
        }
        sink.Literal(run[literalFrom..]);
        goesOn = run.Length + shift;
        return found;
    }

    public void Dispose()
    {
        ArrayPool<int>.Shared.Return(_places);
        _leftovers?.Dispose();
    }

    private void Write(ReadOnlySpan<byte> literal, long from, int length)
    {
        sink.Literal(literal);
        sink.Copy(from, length);
    }

    // In step with the last match, or where the table says.
    private bool TryMatchNear(ReadOnlySpan<byte> run, int at, int literalFrom, ReadOnlySpan<byte> surroundings, ref int shift, out int length, out int before)
    {
        (length, before) = (0, 0);
        ulong gram = GramAt(run, at);
        int place = at + shift;
        int worthwhile = Gram;
        if ((uint)place > (uint)(surroundings.Length - Gram) || surroundings.Length < Gram || GramAt(surroundings, place) != gram)
        {
            place = _places[Slot(gram)];
            worthwhile = MinMatch;
        }
        if (place < 0 || place > surroundings.Length - Gram || GramAt(surroundings, place) != gram)
        {
            return false;
        }
        before = CommonSuffix.Length(run[literalFrom..at], surroundings[..place]);
        length = before + run[at..].CommonPrefixLength(surroundings[place..]);
        if (length < worthwhile)
        {
            return false;
        }
        shift = place - at;
        return true;
    }

    // Of equal grams the first wins.
    private void Index(ReadOnlySpan<byte> surroundings)
    {
        int bits = BitOperations.Log2((uint)surroundings.Length | 1) + 1;
        _hashShift = 64 - bits;
        _places.AsSpan(0, 1 << bits).Fill(-1);
        for (int place = surroundings.Length - Gram; place >= 0; place--)
        {
            _places[Slot(GramAt(surroundings, place))] = place;
        }
    }

    private int Slot(ulong gram) => (int)(gram * 0x9E37_79B9_7F4A_7C15 >> _hashShift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong GramAt(ReadOnlySpan<byte> bytes, int at) => MemoryMarshal.Read<ulong>(bytes[at..]);
}
