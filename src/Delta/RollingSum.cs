using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mirror.Delta;

/// <summary>
/// The weak hash of a block: its bytes as the digits of a number in base <see cref="Base"/>, modulo 2^32. It slides by one byte in two multiplications, of which only
/// one waits for the byte before, or by eight at once, and 64 digits at a time are summed side by side. Unlike Adler's sum it spreads well on short blocks and on text.
/// </summary>
internal static class RollingSum
{
    // Odd, and 5 modulo 8: then its powers repeat as late as they can.
    private const uint Base = 0x2C1B_3C6D;

    private const int Stride = 64;

    private static readonly uint BaseToStride = Power(Stride);

    // Constants, so that sliding loads nothing.
    private const uint Base2 = unchecked(Base * Base);
    private const uint Base3 = unchecked(Base2 * Base);
    private const uint Base4 = unchecked(Base2 * Base2);
    private const uint Base5 = unchecked(Base4 * Base);
    private const uint Base6 = unchecked(Base4 * Base2);
    private const uint Base7 = unchecked(Base4 * Base3);
    private const uint Base8 = unchecked(Base4 * Base4);
    private static readonly uint[] StrideWeights = [.. Enumerable.Range(0, Stride).Select(i => Power(Stride - 1 - i))];

    /// <summary>Weight by which a byte leaves a block of <paramref name="blockLength"/> bytes.</summary>
    public static uint LeavingWeight(int blockLength) => Power(blockLength);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Slide(uint sum, byte leaving, byte entering, uint leavingWeight) =>
        unchecked((sum * Base) + (entering - (leaving * leavingWeight)));

    /// <summary>
    /// The next eight sums at once: element i is that of the block i + 1 bytes on. What the eight bytes that leave and the eight that enter contribute is summed up in
    /// three doublings, which wait for no sum before; so one multiplication in eight steps is all that waits.
    /// </summary>
    /// <param name="sum">Becomes the last of the eight.</param>
    /// <param name="leaving">First of eight bytes that leave.</param>
    /// <param name="entering">First of eight bytes that enter.</param>
    /// <param name="leavingWeight">In every element.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> SlideEight(ref uint sum, ref byte leaving, ref byte entering, Vector256<uint> leavingWeight)
    {
        Vector256<uint> steps = Eight(ref entering) - (Eight(ref leaving) * leavingWeight);
        steps += Vector256.Shuffle(steps, Vector256.Create(8u, 0, 1, 2, 3, 4, 5, 6)) * Vector256.Create(Base);
        steps += Vector256.Shuffle(steps, Vector256.Create(8u, 8, 0, 1, 2, 3, 4, 5)) * Vector256.Create(Base2);
        steps += Vector256.Shuffle(steps, Vector256.Create(8u, 8, 8, 8, 0, 1, 2, 3)) * Vector256.Create(Base4);
        Vector256<uint> sums = steps + (Vector256.Create(sum) * Vector256.Create(Base, Base2, Base3, Base4, Base5, Base6, Base7, Base8));
        // The last one again, by itself: the next eight wait for four cycles then, not for twenty.
        sum = unchecked((sum * Base8) + steps.GetElement(7));
        return sums;
    }

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

    // Eight accumulators of eight lanes: lane i holds the digits at i, i + 64, i + 128 … as a number in base Base^64. Eight, because a product takes ten cycles and one can begin in each.
    private static uint OfStrides(ReadOnlySpan<byte> strides)
    {
        Vector256<uint> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        Vector256<uint> step = Vector256.Create(BaseToStride);
        ref byte first = ref MemoryMarshal.GetReference(strides);
        for (int at = 0; at < strides.Length; at += Stride)
        {
            Widen(Vector256.LoadUnsafe(ref first, (nuint)at), out Vector256<uint> a1, out Vector256<uint> b1, out Vector256<uint> c1, out Vector256<uint> d1);
            Widen(Vector256.LoadUnsafe(ref first, (nuint)at + 32), out Vector256<uint> e1, out Vector256<uint> f1, out Vector256<uint> g1, out Vector256<uint> h1);
            a = (a * step) + a1;
            b = (b * step) + b1;
            c = (c * step) + c1;
            d = (d * step) + d1;
            e = (e * step) + e1;
            f = (f * step) + f1;
            g = (g * step) + g1;
            h = (h * step) + h1;
        }
        ref uint weights = ref MemoryMarshal.GetArrayDataReference(StrideWeights);
        return Vector256.Sum(
            (a * Vector256.LoadUnsafe(ref weights)) + (b * Vector256.LoadUnsafe(ref weights, 8)) +
            (c * Vector256.LoadUnsafe(ref weights, 16)) + (d * Vector256.LoadUnsafe(ref weights, 24)) +
            (e * Vector256.LoadUnsafe(ref weights, 32)) + (f * Vector256.LoadUnsafe(ref weights, 40)) +
            (g * Vector256.LoadUnsafe(ref weights, 48)) + (h * Vector256.LoadUnsafe(ref weights, 56)));
    }

    // Eight bytes, each an element.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Eight(ref byte first)
    {
        Vector128<byte> bytes = Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref first)).AsByte();
        if (Avx2.IsSupported)
        {
            return Avx2.ConvertToVector256Int32(bytes).AsUInt32();
        }
        Vector128<ushort> wide = Vector128.WidenLower(bytes);
        return Vector256.Create(Vector128.WidenLower(wide), Vector128.WidenUpper(wide));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen(Vector256<byte> bytes, out Vector256<uint> a, out Vector256<uint> b, out Vector256<uint> c, out Vector256<uint> d)
    {
        (Vector256<ushort> low, Vector256<ushort> high) = Vector256.Widen(bytes);
        (a, b) = Vector256.Widen(low);
        (c, d) = Vector256.Widen(high);
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
