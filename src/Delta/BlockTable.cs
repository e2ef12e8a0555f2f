using System.Numerics;

namespace Mirror.Delta;

/// <summary>
/// Finds the blocks of a basis by their weak sum. Nearly all sums that rolling yields are of no block, and memory is far away: so a filter of 16 bits a
/// block, small enough for the cache, answers 99 of 100 with one load; for the others one probe in an open table mostly does. Memory: 14 to 28 bytes a block.
/// </summary>
internal sealed class BlockTable
{
    // Probes for one sum. Equal blocks are entered once, so only prepared data come near; it keeps such data from costing more than time.
    private const int MaxProbes = 32;

    private const int FilterBitsPerBlock = 16;
    private const ulong Spread = 0x9E37_79B9_7F4A_7C15;

    private readonly BlockSignature _basis;
    private readonly BlockKey _key;
    private readonly ulong[] _filter;
    private readonly int _filterShift;

    // Weak sum in the high half, block number + 1 in the low one; 0 is free.
    private readonly ulong[] _slots;
    private readonly int _slotShift;

    public BlockTable(BlockSignature basis, BlockKey key)
    {
        _basis = basis;
        _key = key;
        int count = basis.Weak.Length;
        _filter = new ulong[Math.Max(2, BitOperations.RoundUpToPowerOf2((ulong)count * FilterBitsPerBlock / 64))];
        _filterShift = 64 - BitOperations.Log2((uint)_filter.Length);
        // Between a third and two thirds full.
        _slots = new ulong[Math.Max(2, BitOperations.RoundUpToPowerOf2((ulong)(count * 3L / 2)))];
        _slotShift = 64 - BitOperations.Log2((uint)_slots.Length);
        for (int i = 0; i < count; i++)
        {
            Enter(i);
        }
    }

    public bool MayContain(uint sum)
    {
        ulong spread = sum * Spread;
        return IsIn(_filter[spread >> _filterShift], spread);
    }

    /// <summary>
    /// Slides the sum of the block at <paramref name="at"/> on by at least a byte, until it may be of a block (true) or the block touches the window's end.
    /// </summary>
    public bool Roll(ReadOnlySpan<byte> window, uint leavingWeight, ref int at, ref uint sum)
    {
        ReadOnlySpan<ulong> filter = _filter;
        int shift = _filterShift;
        uint rolled = sum;
        ReadOnlySpan<byte> leaving = window[at..^_basis.BlockLength];
        ReadOnlySpan<byte> entering = window.Slice(at + _basis.BlockLength, leaving.Length);
        for (int i = 0; i < leaving.Length; i++)
        {
            rolled = RollingSum.Slide(rolled, leaving[i], entering[i], leavingWeight);
            ulong spread = rolled * Spread;
            if (IsIn(filter[(int)(spread >> shift)], spread))
            {
                at += i + 1;
                sum = rolled;
                return true;
            }
        }
        at += leaving.Length;
        sum = rolled;
        return false;
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
        ulong spread = sum * Spread;
        int slot = (int)(spread >> _slotShift);
        for (int probes = 0; probes < MaxProbes; probes++, slot = (slot + 1) & (_slots.Length - 1))
        {
            if (_slots[slot] == 0)
            {
                _slots[slot] = ((ulong)sum << 32) | (uint)(block + 1);
                _filter[spread >> _filterShift] |= Bits(spread);
                return;
            }
            // Of equal blocks any will do; the encoder looks for the better placed one itself.
            if ((uint)(_slots[slot] >> 32) == sum && AreEqual((int)(uint)_slots[slot] - 1, block))
            {
                return;
            }
        }
    }

    // Three of a word's bits stand for a sum; taken from the middle of the product, where it is well mixed, below those that chose the word.
    private static ulong Bits(ulong spread) => (1UL << (int)(spread >> 24)) | (1UL << (int)(spread >> 30)) | (1UL << (int)(spread >> 36));

    private static bool IsIn(ulong word, ulong spread) =>
        ((word >> (int)(spread >> 24)) & (word >> (int)(spread >> 30)) & (word >> (int)(spread >> 36)) & 1) != 0;
}
