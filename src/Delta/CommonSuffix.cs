using System.Buffers.Binary;
using System.Numerics;

namespace Mirror.Delta;

/// <summary>The counterpart of the library's common prefix.</summary>
internal static class CommonSuffix
{
    public static int Length(ReadOnlySpan<byte> x, ReadOnlySpan<byte> y)
    {
        int limit = Math.Min(x.Length, y.Length);
        x = x[^limit..];
        y = y[^limit..];
        int length = 0;
        for (; length + sizeof(ulong) <= limit; length += sizeof(ulong))
        {
            // Read so that the last byte of the eight is the highest of the number.
            ulong differing = BinaryPrimitives.ReadUInt64LittleEndian(x[(limit - length - sizeof(ulong))..]) ^
                BinaryPrimitives.ReadUInt64LittleEndian(y[(limit - length - sizeof(ulong))..]);
            if (differing != 0)
            {
                return length + (BitOperations.LeadingZeroCount(differing) / 8);
            }
        }
        while (length < limit && x[limit - length - 1] == y[limit - length - 1])
        {
            length++;
        }
        return length;
    }
}
