using System.IO.Hashing;
using System.Numerics;

namespace Mirror.Delta;

/// <summary>
/// The strong hash of a piece: 64 bits of its keyed XXH3. A block that was found elsewhere is believed when all its pieces agree; a piece alone only where it continues a
/// match. The key puts a false match out of reach of others, and the hash of the whole content settles it all the same; so more bits are not worth their room.
/// </summary>
internal static class PieceHash
{
    // Up to here XXH3 uses the seed as it is. For more it derives a secret from it, which takes as long as hashing 256 bytes does: two halves are twice as fast.
    private const int LongestCheap = 240;

    public static ulong Of(ReadOnlySpan<byte> piece, BlockKey key)
    {
        long seed = unchecked((long)key.Seed);
        if (piece.Length is <= LongestCheap or > 2 * LongestCheap)
        {
            return XxHash3.HashToUInt64(piece, seed);
        }
        int half = piece.Length / 2;
        return XxHash3.HashToUInt64(piece[..half], seed) ^ BitOperations.RotateLeft(XxHash3.HashToUInt64(piece[half..], ~seed), 1);
    }
}
