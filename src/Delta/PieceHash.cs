using System.IO.Hashing;

namespace Mirror.Delta;

/// <summary>
/// The strong hash of a piece: 64 bits of its keyed XXH3. A block that was found elsewhere is believed when all its pieces agree; a piece alone only where it continues a
/// match. The key puts a false match out of reach of others, and the SHA-256 of the whole content settles it all the same; so more bits are not worth their room.
/// </summary>
internal static class PieceHash
{
    public static ulong Of(ReadOnlySpan<byte> piece, BlockKey key) => XxHash3.HashToUInt64(piece, unchecked((long)key.Seed));
}
