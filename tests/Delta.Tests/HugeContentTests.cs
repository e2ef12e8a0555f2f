using System.Security.Cryptography;
using Mirror.Testing;
using static Mirror.Delta.Tests.Deltas;

namespace Mirror.Delta.Tests;

/// <summary>
/// Places and lengths beyond 4 GiB. The short form never reads that much: deltas of the huge contents are written by hand, and what comes out is looked at through windows,
/// a delta that picks a few small pieces. The long form goes the whole way.
/// </summary>
public sealed class HugeContentTests
{
    private const long Gib = 1L << 30;
    private const int Window = 100;

    // Around 2^32, at the end, at odd places far beyond.
    private static readonly long[] places = [4 * Gib - 50, 4 * Gib - 4, 4 * Gib, 4 * Gib + 1, 5 * Gib + 12_345, 9 * Gib - Window];

    private readonly MarkedZeros _old = new(9 * Gib, 7, 4 * Gib - 20, 4 * Gib - 2, 4 * Gib + 40, 5 * Gib + 12_400, 9 * Gib - 8);

    [Fact]
    public async Task Bytes_beyond_4_GiB_are_copied_from_their_places()
    {
        byte[] delta = Windows(places);
        Assert.Equal(Expected(_old, places), await ApplyAsync(_old, delta));
    }

    [Fact]
    public async Task A_copy_that_ends_at_the_basis_end_is_taken_and_one_byte_more_refused()
    {
        byte[] last = Written(writer => writer.Copy(9 * Gib - 1, 1));
        Assert.Equal(_old.Bytes((9 * Gib) - 1, 1), await ApplyAsync(_old, last));
        byte[] beyond = Written(writer => writer.Copy(9 * Gib - 1, 2));
        await Assert.ThrowsAsync<DeltaFormatException>(() => ApplyAsync(_old, beyond));
        byte[] whole = Written(writer => writer.Copy(0, 9 * Gib));
        await Assert.ThrowsAsync<DeltaFormatException>(() => ApplyAsync(_old, whole, maxLength: 9 * Gib - 1));
    }

    [Fact]
    public async Task A_rotation_of_9_GiB_inverts_and_composes_by_its_operations_alone()
    {
        // new = old without its first 5 GiB + 3, then these.
        const long turn = (5 * Gib) + 3;
        byte[] forward = Written(writer =>
        {
            writer.Copy(turn, (9 * Gib) - turn);
            writer.Copy(0, turn);
        });
        using Rotated rotated = new(_old, turn);
        MemoryStream reverse = new();
        await FileDelta.InvertAsync(_old, rotated, new MemoryStream(forward), reverse, default);

        byte[] windows = Windows(places);
        Assert.Equal(Expected(rotated, places), await ApplyAsync(_old, Compose(forward, windows)));
        Assert.Equal(Expected(_old, places), await ApplyAsync(rotated, Compose(reverse.ToArray(), windows)));

        // There and back again.
        Assert.Equal(Expected(_old, places), await ApplyAsync(_old, Compose(Compose(forward, reverse.ToArray()), windows)));
        Assert.Equal(Expected(_old, places), await ApplyAsync(_old, Compose(forward, Compose(reverse.ToArray(), windows))));
    }

    [Fact]
    public async Task A_small_content_is_found_again_in_a_huge_one()
    {
        // 9 GiB out of a mebibyte again and again, and its last bytes once, at the very end.
        byte[] small = Deltas.Random((1 << 20) + 33, 4);
        byte[] forward = Written(writer =>
        {
            for (long at = 0; at < 9 * Gib; at += 1 << 20)
            {
                writer.Copy(0, 1 << 20);
            }
            writer.Copy(1 << 20, 33);
        });
        using Repeated huge = new(small, 1 << 20, 9 << 10);
        MemoryStream reverse = new();
        await FileDelta.InvertAsync(new MemoryStream(small), huge, new MemoryStream(forward), reverse, default);

        Assert.InRange(reverse.Length, 3, 64);
        Assert.Equal(small, await ApplyAsync(huge, reverse.ToArray()));
        Assert.Equal(small, Apply(small, Compose(forward, reverse.ToArray()), small.Length));
    }

    [Fact]
    public async Task Lengths_that_add_up_beyond_all_bounds_are_refused_not_wrapped()
    {
        byte[] half = Written(writer =>
        {
            for (int i = 0; i < 4; i++)
            {
                writer.Copy(i % 2, 1L << 58);
            }
        });
        byte[] tooMuch = Compose(half, Written(writer => writer.Copy((1L << 60) - 1, 1)));
        await Assert.ThrowsAsync<DeltaFormatException>(() => ApplyAsync(_old, tooMuch));
        byte[] beyond = Written(writer =>
        {
            for (int i = 0; i < 5; i++)
            {
                writer.Copy(i % 2, 1L << 58);
            }
        });
        Assert.Throws<DeltaFormatException>(() => Compose(beyond, tooMuch));
    }

    [LongFact]
    public async Task A_sparse_file_of_more_than_4_GiB_goes_all_the_way()
    {
        // One mark moved, one gone, one new, and all behind it shifted by a few bytes.
        long[] marks = [3, Gib, (4 * Gib) + 99, (4 * Gib) + 2_000_000];
        MarkedZeros old = new((4 * Gib) + 3_000_001, marks);
        MarkedZeros next = new((4 * Gib) + 3_000_018, 3, Gib + 1, (2 * Gib) + 5, (4 * Gib) + 2_000_000);
        MarkedZeros last = new((4 * Gib) + 1_000, 3, (4 * Gib) + 100);
        BlockSignature signature = (await BlockSignature.SignAsync(old, old.Length, Key, default)).Signature;

        (byte[] forward, ContentDigest digest) = await EncodeAsync(next, signature);
        (byte[] onward, _) = await EncodeAsync(last, digest.Signature);
        Assert.InRange(forward.Length, 1, 4 << 20);

        await AssertYieldsAsync(old, forward, next, digest.Hash);
        MemoryStream reverse = new();
        await FileDelta.InvertAsync(old, next, new MemoryStream(forward), reverse, default);
        await AssertYieldsAsync(next, reverse.ToArray(), old);
        await AssertYieldsAsync(old, Compose(forward, onward), last);
    }

    private static async Task AssertYieldsAsync(MadeUp basis, byte[] delta, MadeUp expected, byte[]? sha256 = null)
    {
        basis.Position = 0;
        (long length, byte[] seen) = await FileDelta.ApplyAsync(basis, new MemoryStream(delta), new Compared(expected), expected.Length, default);
        Assert.Equal(expected.Length, length);
        Assert.Equal(sha256 ?? seen, seen);
    }

    private static async Task<(byte[] Delta, ContentDigest Digest)> EncodeAsync(MarkedZeros target, BlockSignature basis)
    {
        MemoryStream delta = new();
        target.Position = 0;
        ContentDigest digest = await FileDelta.EncodeAsync(target, basis, Key, delta, default);
        Assert.Equal(target.Length, digest.Length);
        return (delta.ToArray(), digest);
    }

    /// <summary>The only place here that knows how a delta is written by hand.</summary>
    private static byte[] Written(Action<DeltaWriter> write)
    {
        MemoryStream delta = new();
        using DeltaWriter writer = new(delta);
        write(writer);
        writer.Finish();
        return delta.ToArray();
    }

    private static byte[] Windows(long[] places) => Written(writer =>
    {
        foreach (long place in places)
        {
            writer.Copy(place, Window);
            writer.Literal("|"u8);
        }
    });

    private static byte[] Expected(MadeUp content, long[] places) => [.. places.SelectMany(place => (byte[])[.. content.Bytes(place, Window), (byte)'|'])];

    private static async Task<byte[]> ApplyAsync(Stream basis, byte[] delta, long maxLength = 1 << 30)
    {
        MemoryStream target = new();
        (long length, byte[] sha256) = await FileDelta.ApplyAsync(basis, new MemoryStream(delta), target, maxLength, default);
        Assert.Equal(target.Length, length);
        Assert.Equal(SHA256.HashData(target.ToArray()), sha256);
        return target.ToArray();
    }
}
