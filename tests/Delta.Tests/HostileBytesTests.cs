using CsCheck;
using static Mirror.Delta.Tests.Deltas;

namespace Mirror.Delta.Tests;

/// <summary>Deltas and signatures that were cut, changed or made up: refused by name, or a wrong result within its bounds; never anything else.</summary>
public sealed class HostileBytesTests
{
    private const int MaxLength = 64 << 10;

    private static readonly Gen<(byte[] Basis, byte[] Delta)> Damaged =
        Gen.Select(Contents.History(2), Gen.Int[0, 3], Gen.Int[0, int.MaxValue], Gen.Byte.Array[1, 20], (h, how, place, noise) =>
        {
            byte[] delta = Encode(h[0], h[1]);
            int at = place % delta.Length;
            return (h[0], how switch
            {
                0 => delta[..at],
                1 => [.. delta, .. noise],
                2 => [.. delta[..at], .. noise, .. delta[at..]],
                _ => delta.Select((b, i) => i == at ? (byte)(b ^ noise[0]) : b).ToArray(),
            });
        });

    [Fact]
    public void A_delta_cut_short_is_refused() =>
        Gen.Select(Contents.History(2), Gen.Int[0, int.MaxValue]).Sample(
            (h, place) =>
            {
                byte[] delta = Encode(h[0], h[1]);
                Assert.Throws<DeltaFormatException>(() => Apply(h[0], delta[..(place % delta.Length)]));
            },
            iter: 1000);

    [Fact]
    public void A_damaged_delta_is_refused_or_yields_no_more_than_allowed() =>
        Damaged.Sample(
            d =>
            {
                if (Try(() => Apply(d.Basis, d.Delta, MaxLength)) is { } yielded)
                {
                    Assert.InRange(yielded.Length, 0, MaxLength);
                }
            },
            iter: 2000);

    [Fact]
    public void Bytes_out_of_the_blue_are_refused_or_yield_no_more_than_allowed() =>
        Gen.Select(Contents.Any, Gen.Byte.Array[0, 60]).Sample(
            (basis, bytes) =>
            {
                if (Try(() => Apply(basis, bytes, MaxLength)) is { } yielded)
                {
                    Assert.InRange(yielded.Length, 0, MaxLength);
                }
            },
            iter: 2000);

    [Fact]
    public void Damaged_deltas_compose_to_something_bounded_or_are_refused() =>
        Gen.Select(Damaged, Damaged).Sample(
            (x, y) =>
            {
                if (Try(() => Compose(x.Delta, y.Delta, MaxLength)) is { } composed && Try(() => Apply(x.Basis, composed, MaxLength)) is { } yielded)
                {
                    Assert.InRange(yielded.Length, 0, MaxLength);
                }
            },
            iter: 1000);

    [Fact]
    public void A_damaged_delta_is_refused_or_inverted_to_a_well_formed_one() =>
        Gen.Select(Damaged, Contents.Any).Sample(
            (d, newContent) =>
            {
                if (Try(() => Invert(d.Basis, newContent, d.Delta)) is { } reverse)
                {
                    Assert.Equal(d.Basis.Length, Apply(newContent, reverse, d.Basis.Length).Length);
                }
            },
            iter: 1000);

    [Fact]
    public void A_damaged_signature_is_refused_or_harmless() =>
        Gen.Select(Contents.History(2), Gen.Int[0, int.MaxValue], Gen.Byte[1, 255], Gen.Bool).Sample(
            (h, place, flip, cut) =>
            {
                byte[] stored = Store(Sign(h[0]));
                int at = place % stored.Length;
                byte[] damaged = cut ? stored[..at] : stored.Select((b, i) => i == at ? (byte)(b ^ flip) : b).ToArray();
                if (TryParse(damaged) is { } signature)
                {
                    (byte[] delta, ContentDigest digest) = EncodeFrom(signature, h[1]);
                    Assert.Equal(h[1].Length, digest.Length);
                    Assert.Equal(h[1].Length, Operations(delta).Sum(op => op.Length));
                }
            },
            iter: 1000);

    [Theory]
    [InlineData("", "cut short")]
    [InlineData("01", "cut short")]
    [InlineData("010100", "that is none: kind 0, length 0")]
    [InlineData("02000103 00", "that is none: kind 1, length 0")]
    [InlineData("020007 00 00", "that is none: kind 3, length 1")]
    [InlineData("010104", "cut short")]
    [InlineData("010004 00", "literal of 1 bytes in a segment with 0 left")]
    [InlineData("0102044141 00", "1 bytes of no literal")]
    [InlineData("02000500 00 00", "follow the delta's end mark")]
    [InlineData("0200 0501 00", "outside its basis")]
    [InlineData("0200 0514 00", "outside its basis")]
    [InlineData("0200 2D00 00", "outside its basis")]
    [InlineData("0200 0600 0200 2900 00", "at offset 0 from 1")]
    [InlineData("0A00 05FFFFFFFFFFFFFFFF7F 00", "outside its basis")]
    [InlineData("0A00 FDFFFFFFFFFFFFFF7F00 00", "yields more than")]
    [InlineData("0100 05 00", "malformed number in the operations")]
    [InlineData("0300 058000 00", "malformed number in the operations")]
    [InlineData("8000", "malformed number at")]
    [InlineData("FFFFFFFFFFFFFFFFFF01", "malformed number at")]
    [InlineData("818004 00", "it may have 65536 and 262144")]
    [InlineData("01 818010 00", "it may have 65536 and 262144")]
    public void A_malformed_delta_is_refused_with_what_is_wrong(string delta, string complaint)
    {
        byte[] bytes = Convert.FromHexString(delta.Replace(" ", "", StringComparison.Ordinal));
        DeltaFormatException refused = Assert.Throws<DeltaFormatException>(() => Apply(new byte[10], bytes));
        Assert.Contains(complaint, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_than_the_allowed_length_is_refused_before_it_is_written()
    {
        byte[] content = Deltas.Random(100_000, 1);
        byte[] delta = Encode(content, content);
        MemoryStream target = new();
        await Assert.ThrowsAsync<DeltaFormatException>(() =>
            FileDelta.ApplyAsync(new MemoryStream(content), new MemoryStream(delta), target, content.Length - 1, default));
        Assert.Equal(0, target.Length);
        Assert.Equal(content, Apply(content, delta, content.Length));
    }

    [Fact]
    public void A_composition_that_would_grow_without_bound_is_refused_quickly()
    {
        // A few bytes that yield 8^20 of them, when composed in turn: every copy of everything is again eight copies of everything.
        byte[] composed = CopyAllEightTimes(1);
        long length = 8;
        for (; length < MaxLength; length *= 8)
        {
            composed = Compose(composed, CopyAllEightTimes(length), length * 8);
        }
        Assert.Equal(length, Operations(composed).Sum(op => op.Length));
        Assert.Throws<DeltaFormatException>(() => Compose(composed, CopyAllEightTimes(length), length));
    }

    [Fact]
    public void A_delta_of_another_content_is_not_inverted()
    {
        byte[] content = Deltas.Random(5_000, 1);
        DeltaFormatException refused = Assert.Throws<DeltaFormatException>(() => Invert(content, content[1..], Encode(content, content[2..])));
        Assert.Contains("do not belong together", refused.Message, StringComparison.Ordinal);
    }

    private static byte[] CopyAllEightTimes(long length)
    {
        MemoryStream delta = new();
        using DeltaWriter writer = new(delta);
        for (int i = 0; i < 8; i++)
        {
            writer.Copy(0, length);
        }
        writer.Finish();
        return delta.ToArray();
    }

    private static byte[]? Try(Func<byte[]> act)
    {
        try
        {
            return act();
        }
        catch (DeltaFormatException)
        {
            return null;
        }
    }

    private static BlockSignature? TryParse(byte[] bytes)
    {
        try
        {
            return BlockSignature.Parse(bytes);
        }
        catch (DeltaFormatException)
        {
            return null;
        }
    }
}
