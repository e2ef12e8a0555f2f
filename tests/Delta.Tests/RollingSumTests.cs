using System.Runtime.Intrinsics;
using CsCheck;

namespace Mirror.Delta.Tests;

public sealed class RollingSumTests
{
    [Fact]
    public void Sliding_over_a_content_yields_the_sum_of_every_block() =>
        Gen.Select(Gen.Byte.Array[1, 300], Gen.Int[1, 300]).Sample(
            (content, length) =>
            {
                length = Math.Min(length, content.Length);
                uint sum = RollingSum.Of(content.AsSpan(0, length));
                for (int at = 1; at + length <= content.Length; at++)
                {
                    sum = RollingSum.Slide(sum, content[at - 1], content[at + length - 1], RollingSum.LeavingWeight(length));
                    Assert.Equal(RollingSum.Of(content.AsSpan(at, length)), sum);
                }
            },
            iter: 200);

    [Fact]
    public void Sliding_by_eight_yields_what_eight_slides_yield() =>
        Gen.Select(Gen.Byte.Array[9, 300], Gen.Int[1, 292]).Sample(
            (content, length) =>
            {
                length = Math.Min(length, content.Length - 8);
                uint sum = RollingSum.Of(content.AsSpan(0, length));
                Vector256<uint> sums = RollingSum.SlideEight(ref sum, ref content[0], ref content[length], Vector256.Create(RollingSum.LeavingWeight(length)));
                Assert.Equal(Enumerable.Range(1, 8).Select(at => RollingSum.Of(content.AsSpan(at, length))), Enumerable.Range(0, 8).Select(i => sums[i]));
                Assert.Equal(sums[7], sum);
            },
            iter: 500);

    [Fact]
    public void The_sum_is_the_number_whose_digits_are_the_bytes() =>
        Gen.Byte.Array[0, 200].Sample(
            content =>
            {
                uint expected = content.Aggregate(0u, (sum, digit) => unchecked((sum * 0x2C1B_3C6D) + digit));
                Assert.Equal(expected, RollingSum.Of(content));
            },
            iter: 200);
}
