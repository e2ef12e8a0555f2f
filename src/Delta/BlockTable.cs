using System.Numerics;
using System.Runtime.CompilerServices;

namespace Mirror.Delta;

/// <summary>
/// Finds the full blocks of a basis by their weak sum. Most sums are of no block: a bitmap of 16 bits a block, small enough for the cache, says so with one load
/// in about 15 of 16 cases; then chains in a hash table. Memory: 12 to 16 bytes a block.
/// </summary>
internal sealed class BlockTable
{
    // Blocks that share a chain. Equal blocks are entered once, so only prepared data reach the bound; it keeps such data from costing more than time.
    private const int MaxChain = 16;

    private const int FilterBitsPerBlock = 16;
    private const uint Spread = 0x9E37_79B1;

    private readonly BlockHash[] _blocks;
    private readonly BlockKey _key;
    private readonly ulong[] _filter;
    private readonly int _filterShift;
    private readonly int[] _heads;
    private readonly int[] _next;
    private readonly int _headShift;

    public BlockTable(BlockSignature basis, BlockKey key)
    {
        _blocks = basis.Blocks;
        _key = key;
        int count = basis.FullBlocks;
        int filterBits = Math.Clamp(BitOperations.Log2((uint)Math.Max(count - 1, 1)) + 1 + BitOperations.Log2(FilterBitsPerBlock), 6, 28);
        _filter = new ulong[1 << (filterBits - 6)];
        _filterShift = 32 - filterBits;
        int headBits = Math.Max(BitOperations.Log2((uint)Math.Max(count - 1, 1)) + 1, 1);
        _heads = new int[1 << headBits];
        _headShift = 32 - headBits;
        _next = new int[count];
        // Backwards, so that the first of equal blocks is entered last and stands first in its chain.
        for (int i = count - 1; i >= 0; i--)
        {
            Enter(i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MayContain(uint sum)
    {
        uint bit = unchecked(sum * Spread) >> _filterShift;
        return (_filter[bit >> 6] >> (int)(bit & 63) & 1) != 0;
    }

    /// <summary>
    /// Slides the sum of the block at <paramref name="at"/> on by at least a byte, until it may be of a block (true) or the block touches the window's end.
    /// </summary>
    public bool Roll(ReadOnlySpan<byte> window, int blockLength, uint leavingWeight, ref int at, ref uint sum)
    {
        ReadOnlySpan<ulong> filter = _filter;
        int shift = _filterShift;
        uint rolled = sum;
        ReadOnlySpan<byte> leaving = window[at..^blockLength];
        ReadOnlySpan<byte> entering = window[(at + blockLength)..];
        for (int i = 0; i < leaving.Length; i++)
        {
            rolled = RollingSum.Slide(rolled, leaving[i], entering[i], leavingWeight);
            uint bit = unchecked(rolled * Spread) >> shift;
            if ((filter[(int)(bit >> 6)] >> (int)(bit & 63) & 1) != 0)
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

    /// <summary>The first of the basis's blocks with the sum and the strong hash of <paramref name="block"/>; −1: none.</summary>
    public int Find(uint sum, ReadOnlySpan<byte> block)
    {
        StrongHash strong = default;
        bool hashed = false;
        for (int i = _heads[Chain(sum)] - 1; i >= 0; i = _next[i] - 1)
        {
            if (_blocks[i].Weak != sum)
            {
                continue;
            }
            if (!hashed)
            {
                strong = StrongHash.Of(block, _key);
                hashed = true;
            }
            if (_blocks[i].Strong == strong)
            {
                return i;
            }
        }
        return -1;
    }

    private uint Chain(uint sum) => unchecked(sum * Spread) >> _headShift;

    private void Enter(int block)
    {
        ref int head = ref _heads[Chain(_blocks[block].Weak)];
        int length = 0;
        for (int i = head - 1; i >= 0; i = _next[i] - 1)
        {
            // Of equal blocks any will do; the encoder looks for the better placed one itself.
            if (++length == MaxChain || _blocks[i] == _blocks[block])
            {
                return;
            }
        }
        _next[block] = head;
        head = block + 1;
        uint bit = unchecked(_blocks[block].Weak * Spread) >> _filterShift;
        _filter[bit >> 6] |= 1UL << (int)(bit & 63);
    }
}
