using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mirror.Delta;

/// <summary>
/// Finds the blocks of a basis by their weak sum. Nearly all sums that rolling yields are of no block, and memory is far away: so a filter of 32 bits a
/// block, small enough for the cache, answers 998 of 1000, eight at once; for the others one probe in an open table mostly does. Memory: 16 to 32 bytes a block.
/// </summary>
internal sealed class BlockTable
{
    // Probes for one sum. Equal blocks are entered once, so only prepared data come near; it keeps such data from costing more than time.
    private const int MaxProbes = 32;

    private const int FilterBitsPerBlock = 32;
    private const int WorthHandingOver = 1 << 12;
    private const ulong Spread = 0x9E37_79B9_7F4A_7C15;
    private const uint FilterSpread = 0x9E37_79B1;

    // Three of a word's 32 bits stand for a sum; five bits of it each, not the lowest, which are not well mixed.
    private const int FirstBit = 8;
    private const int SecondBit = 14;
    private const int ThirdBit = 20;

    private readonly BlockSignature _basis;
    private readonly BlockKey _key;
    private readonly uint[] _filter;
    private readonly int _filterShift;

    // Weak sum in the high half, block number + 1 in the low one; 0 is free.
    private readonly ulong[] _slots;
    private readonly int _slotShift;

    public BlockTable(BlockSignature basis, BlockKey key)
    {
        _basis = basis;
        _key = key;
        int count = basis.Weak.Length;
        _filter = new uint[Math.Max(2, BitOperations.RoundUpToPowerOf2((ulong)count * FilterBitsPerBlock / 32))];
        _filterShift = 32 - BitOperations.Log2((uint)_filter.Length);
        // Between a third and two thirds full.
        _slots = new ulong[Math.Max(2, BitOperations.RoundUpToPowerOf2((ulong)(count * 3L / 2)))];
        _slotShift = 64 - BitOperations.Log2((uint)_slots.Length);
        for (int i = 0; i < count; i++)
        {
            Enter(i);
        }
    }

    /// <summary>A large one is made on another thread: until the first difference nobody needs it.</summary>
    public static Task<BlockTable> MakeAsync(BlockSignature basis, BlockKey key) =>
        basis.Weak.Length < WorthHandingOver ? Task.FromResult(new BlockTable(basis, key)) : Beside.RunAsync(() => new BlockTable(basis, key));

    /// <summary>Slides the sum of the block at <paramref name="at"/> on by at least a byte, until it is one of the basis's (true) or the block touches the window's end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Roll(ReadOnlySpan<byte> window, uint leavingWeight, ref int at, ref uint sum)
    {
        ReadOnlySpan<byte> leaving = window[at..^_basis.BlockLength];
        ReadOnlySpan<byte> entering = window.Slice(at + _basis.BlockLength, leaving.Length);
        int slid = Avx2.IsSupported ? RollByEights(leaving, entering, leavingWeight, ref sum) : 0;
        bool found = slid < 0;
        for (slid = found ? ~slid : slid; !found && slid < leaving.Length; slid++)
        {
            sum = RollingSum.Slide(sum, leaving[slid], entering[slid], leavingWeight);
            found = Contains(sum);
        }
        at += slid;
        return found;
    }

    /// <summary>Whether a block of the basis has this sum.</summary>
    public bool Contains(uint sum)
    {
        uint word = _filter[sum * FilterSpread >> _filterShift];
        if (((word >> (int)(sum >> FirstBit)) & (word >> (int)(sum >> SecondBit)) & (word >> (int)(sum >> ThirdBit)) & 1) == 0)
        {
            return false;
        }
        int slot = (int)(sum * Spread >> _slotShift);
        for (int probes = 0; probes < MaxProbes && _slots[slot] != 0; probes++, slot = (slot + 1) & (_slots.Length - 1))
        {
            if ((uint)(_slots[slot] >> 32) == sum)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>
    /// Slides while eight steps are left. Returns the steps done; where a sum is known, their complement. The words of the filter are loaded one by one: on processors
    /// that were mended against leaks, gathering them takes several times as long.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe int RollByEights(ReadOnlySpan<byte> leaving, ReadOnlySpan<byte> entering, uint leavingWeight, ref uint sum)
    {
        Vector256<uint> weight = Vector256.Create(leavingWeight);
        Vector256<uint> one = Vector256.Create(1u);
        Vector256<uint> low = Vector256.Create(31u);
        Vector128<uint> shift = Vector128.CreateScalar((uint)_filterShift);
        uint* place = stackalloc uint[Vector256<uint>.Count];
        uint* bits = stackalloc uint[Vector256<uint>.Count];
        uint last = sum;
        fixed (uint* filter = _filter)
        fixed (byte* left = leaving, entered = entering)
        {
            int slid = 0;
            for (; slid + 8 <= leaving.Length; slid += 8)
            {
                Vector256<uint> sums = RollingSum.SlideEight(ref last, ref left[slid], ref entered[slid], weight);
                Avx2.ShiftRightLogical(sums * Vector256.Create(FilterSpread), shift).Store(place);
                (Avx2.ShiftLeftLogicalVariable(one, (sums >> FirstBit) & low) | Avx2.ShiftLeftLogicalVariable(one, (sums >> SecondBit) & low) |
                    Avx2.ShiftLeftLogicalVariable(one, (sums >> ThirdBit) & low)).Store(bits);
                if ((~filter[place[0]] & bits[0]) != 0 && (~filter[place[1]] & bits[1]) != 0 && (~filter[place[2]] & bits[2]) != 0 && (~filter[place[3]] & bits[3]) != 0 &&
                    (~filter[place[4]] & bits[4]) != 0 && (~filter[place[5]] & bits[5]) != 0 && (~filter[place[6]] & bits[6]) != 0 && (~filter[place[7]] & bits[7]) != 0)
                {
                    continue;
                }
                for (int hit = 0; hit < Vector256<uint>.Count; hit++)
                {
                    if ((~filter[place[hit]] & bits[hit]) == 0 && Contains(sums.GetElement(hit)))
                    {
                        sum = sums.GetElement(hit);
                        return ~(slid + hit + 1);
                    }
                }
            }
            sum = last;
            return slid;
        }
    }

    /// <summary>The first of the basis's blocks with this sum and the pieces of <paramref name="bytes"/>; −1: none.</summary>
    public int Find(uint sum, ReadOnlySpan<byte> bytes)
    {
        Span<ulong> pieces = stackalloc ulong[_basis.PiecesInBlock];
        int hashed = 0;
        int slot = (int)(sum * Spread >> _slotShift);
        for (int probes = 0; probes < MaxProbes && _slots[slot] != 0; probes++, slot = (slot + 1) & (_slots.Length - 1))
        {
            if ((uint)(_slots[slot] >> 32) != sum)
            {
                continue;
            }
            int candidate = (int)(uint)_slots[slot] - 1;
            ReadOnlySpan<ulong> wanted = PiecesOf(candidate);
            for (int i = 0; i < wanted.Length; i++)
            {
                if (i == hashed)
                {
                    pieces[hashed++] = PieceHash.Of(bytes.Slice(i * _basis.PieceLength, _basis.PieceLength), _key);
                }
                if (pieces[i] != wanted[i])
                {
                    break;
                }
                if (i == wanted.Length - 1)
                {
                    return candidate;
                }
            }
        }
        return -1;
    }

    public bool AreEqual(int block, int other) => _basis.Weak[block] == _basis.Weak[other] && PiecesOf(block).SequenceEqual(PiecesOf(other));

    private ReadOnlySpan<ulong> PiecesOf(int block) => _basis.Pieces.AsSpan(block * _basis.PiecesInBlock, _basis.PiecesInBlock);

    private void Enter(int block)
    {
        uint sum = _basis.Weak[block];
        int slot = (int)(sum * Spread >> _slotShift);
        for (int probes = 0; probes < MaxProbes; probes++, slot = (slot + 1) & (_slots.Length - 1))
        {
            if (_slots[slot] == 0)
            {
                _slots[slot] = ((ulong)sum << 32) | (uint)(block + 1);
                _filter[sum * FilterSpread >> _filterShift] |= (1u << (int)(sum >> FirstBit)) | (1u << (int)(sum >> SecondBit)) | (1u << (int)(sum >> ThirdBit));
                return;
            }
            // Of equal blocks any will do; the encoder looks for the better placed one itself.
            if ((uint)(_slots[slot] >> 32) == sum && AreEqual((int)(uint)_slots[slot] - 1, block))
            {
                return;
            }
        }
    }
}
