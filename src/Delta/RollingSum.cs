using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Mirror.Delta;

/// <summary>
/// The weak hash of a block: its bytes as the digits of a number in base <see cref="Base"/>, modulo 2^32. It slides by one byte in two multiplications, of which only
/// one waits for the byte before, and 32 digits at a time are summed side by side. Unlike Adler's sum it spreads well on short blocks and on text.
/// </summary>
internal static class RollingSum
{
    // Odd, and 5 modulo 8: then its powers repeat as late as they can.
    private const uint Base = 0x2C1B_3C6D;

    private const int Stride = 32;

    private static readonly uint BaseToStride = Power(Stride);
    private static readonly uint[] StrideWeights = [.. Enumerable.Range(0, Stride).Select(i => Power(Stride - 1 - i))];

    /// <summary>Weight by which a byte leaves a block of <paramref name="blockLength"/> bytes.</summary>
    public static uint LeavingWeight(int blockLength) => Power(blockLength);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Slide(uint sum, byte leaving, byte entering, uint leavingWeight) =>
        unchecked((sum * Base) + (entering - (leaving * leavingWeight)));

    public static uint Of(ReadOnlySpan<byte> block)
    {
        uint sum = 0;
        int done = 0;
        if (Vector256.IsHardwareAccelerated && block.Length >= Stride)
        {
            done = block.Length & ~(Stride - 1);
            sum = OfStrides(block[..done]);
        }
        for (; done < block.Length; done++)
        {
            sum = unchecked((sum * Base) + block[done]);
        }
        return sum;
    }

    // Four accumulators of eight lanes: lane i holds the digits at i, i + 32, i + 64 … as a number in base Base^32.
    private static uint OfStrides(ReadOnlySpan<byte> strides)
    {
        Vector256<uint> a = default, b = default, c = default, d = default;
        Vector256<uint> step = Vector256.Create(BaseToStride);
        ref byte first = ref MemoryMarshal.GetReference(strides);
        for (int at = 0; at < strides.Length; at += Stride)
        {
            (Vector256<ushort> low, Vector256<ushort> high) = Vector256.Widen(Vector256.LoadUnsafe(ref first, (nuint)at));
            (Vector256<uint> low0, Vector256<uint> low1) = Vector256.Widen(low);
            (Vector256<uint> high0, Vector256<uint> high1) = Vector256.Widen(high);
            a = (a * step) + low0;
            b = (b * step) + low1;
            c = (c * step) + high0;
            d = (d * step) + high1;
        }
        ref uint weights = ref MemoryMarshal.GetArrayDataReference(StrideWeights);
        return Vector256.Sum(
            (a * Vector256.LoadUnsafe(ref weights)) + (b * Vector256.LoadUnsafe(ref weights, 8)) +
            (c * Vector256.LoadUnsafe(ref weights, 16)) + (d * Vector256.LoadUnsafe(ref weights, 24)));
    }

    private static uint Power(int exponent)
    {
        uint power = 1;
        uint square = Base;
        for (int rest = exponent; rest > 0; rest >>= 1)
        {
            power = (rest & 1) != 0 ? unchecked(power * square) : power;
            square = unchecked(square * square);
        }
        return power;
    }
}
