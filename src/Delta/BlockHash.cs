using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace Mirror.Delta;

/// <summary>
/// The two hashes of a block: a weak one that can roll, and 96 of the 128 bits of its keyed XXH3. With those bits a false match is out of reach of chance,
/// the key puts it out of reach of others, and the SHA-256 of the whole content settles it all the same; so the rest is not worth its room.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct BlockHash(uint Weak, StrongHash Strong)
{
    /// <summary>Bytes of one hash in a stored signature.</summary>
    public const int StoredLength = 16;
}

[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal readonly record struct StrongHash(ulong Low, uint High)
{
    public static StrongHash Of(ReadOnlySpan<byte> block, BlockKey key)
    {
        UInt128 hash = XxHash128.HashToUInt128(block, unchecked((long)key.Seed));
        return new((ulong)hash, (uint)(hash >> 64));
    }
}
