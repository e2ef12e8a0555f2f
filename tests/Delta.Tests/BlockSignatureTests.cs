using CsCheck;
using static Mirror.Delta.Tests.Deltas;

namespace Mirror.Delta.Tests;

public sealed class BlockSignatureTests
{
    [Fact]
    public void A_stored_signature_parses_back_to_what_was_written() =>
        Contents.Any.Sample(
            content =>
            {
                BlockSignature signature = Sign(content);
                BlockSignature parsed = BlockSignature.Parse(Store(signature));
                Assert.Equal(Store(signature), Store(BlockSignature.Read(new MemoryStream(Store(signature)))));
                Assert.Equal(signature.ContentLength, parsed.ContentLength);
                Assert.Equal(signature.BlockLength, parsed.BlockLength);
                Assert.Equal(signature.PieceLength, parsed.PieceLength);
                Assert.Equal(signature.Weak, parsed.Weak);
                Assert.Equal(signature.Pieces, parsed.Pieces);
            },
            iter: 200);

    [Fact]
    public void A_signature_takes_four_bytes_a_block_and_eight_a_piece() =>
        Assert.InRange(Store(Sign(Deltas.Random(1_000_000, 1))).Length, (976 * 4) + (3907 * 8), (976 * 4) + (3907 * 8) + 16);

    [Fact]
    public async Task A_signature_alone_is_the_one_that_comes_with_the_digest()
    {
        byte[] content = Deltas.Random(1_000_000, 1);
        Assert.Equal(Store(Sign(content)), Store(await BlockSignature.OfAsync(new MemoryStream(content), content.Length, Key, default)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5_000)]
    [InlineData(1_000_000)]
    [InlineData(1_310_720)]
    public async Task A_content_is_known_by_its_signature_and_nothing_else_is(int length)
    {
        byte[] content = Deltas.Random(length, 1);
        BlockSignature signature = Sign(content);

        Assert.True(await signature.IsOfAsync(new MemoryStream(content), Key, default));
        Assert.False(await signature.IsOfAsync(new MemoryStream([.. content, 0]), Key, default));
        foreach (int at in new[] { 0, length / 2, length - 1 }.Where(at => at >= 0 && at < length))
        {
            byte[] other = [.. content];
            other[at] ^= 1;
            Assert.False(await signature.IsOfAsync(new MemoryStream(other), Key, default));
            Assert.False(await signature.IsOfAsync(new MemoryStream(content[..at]), Key, default));
        }
        Assert.Equal(length == 0, await signature.IsOfAsync(new MemoryStream(content), new(Key.Seed + 1), default));
    }

    [Fact]
    public async Task A_delta_that_makes_something_else_than_was_signed_is_told()
    {
        byte[] basis = Deltas.Random(1_200_000, 1);
        byte[] target = [.. basis];
        target[700_000] ^= 1;
        byte[] delta = Encode(basis, target);

        foreach ((byte[] signed, bool same) in new[] { (target, true), (basis, false), (target[..^1], false), ([.. target, 0], false) })
        {
            MemoryStream written = new();
            bool found;
            try
            {
                found = await FileDelta.ApplyAsync(new MemoryStream(basis), new MemoryStream(delta), written, Sign(signed), Key, default);
            }
            catch (DeltaFormatException)
            {
                found = false; // It yields more than was signed.
            }
            Assert.Equal(same, found);
            Assert.True(!same || written.ToArray().AsSpan().SequenceEqual(target));
        }
    }

    [Fact]
    public async Task Another_key_yields_other_strong_hashes()
    {
        byte[] content = Deltas.Random(5_000, 1);
        BlockSignature other = (await BlockSignature.SignAsync(new MemoryStream(content), content.Length, new(Key.Seed + 1), default)).Signature;
        Assert.All(Sign(content).Pieces.Zip(other.Pieces), pair => Assert.NotEqual(pair.First, pair.Second));
    }

    [Fact]
    public async Task A_content_of_another_length_than_expected_is_signed_whole()
    {
        byte[] content = Deltas.Random(500_000, 1);
        BlockSignature signature = (await BlockSignature.SignAsync(new MemoryStream(content), 10, Key, default)).Signature;
        Assert.Equal(content.Length, signature.ContentLength);
        Assert.Equal(content, Apply(content, EncodeFrom(signature, content).Delta));
        Assert.Equal(0, LiteralBytes(EncodeFrom(signature, content).Delta));
    }

    [Fact]
    public void Block_lengths_grow_with_the_root_and_keep_signatures_small()
    {
        long before = 0;
        for (long length = 1; length <= 1L << 44; length *= 2)
        {
            int blockLength = BlockSignature.BlockLengthFor(length);
            Assert.InRange(blockLength, Math.Max(before, 512), 1 << 20);
            Assert.True(length / blockLength <= Math.Max(1L << 20, 16 * Math.Sqrt(length)), $"{length} bytes in blocks of {blockLength}");
            before = blockLength;
        }
        Assert.Equal(512, BlockSignature.BlockLengthFor(0));
        Assert.Equal(1 << 10, BlockSignature.BlockLengthFor((1L << 30) - 1));
        Assert.Equal(4 << 10, BlockSignature.BlockLengthFor(1L << 30));
        Assert.Equal(8 << 10, BlockSignature.BlockLengthFor(4L << 30));
        Assert.Equal(1 << 20, BlockSignature.BlockLengthFor(long.MaxValue));
    }

    [Theory]
    [InlineData("", "Not a block signature")]
    [InlineData("4D5347", "Not a block signature")]
    [InlineData("4D534802", "Not a block signature")]
    [InlineData("4D534701", "format version 1")]
    [InlineData("4D534702", "ends within its header")]
    [InlineData("4D53470280", "ends within its header")]
    [InlineData("4D53470201018001", "blocks of 1 bytes")]
    [InlineData("4D5347020180048101", "in pieces of 129")]
    [InlineData("4D534702018080408001", "in pieces of 128")]
    [InlineData("4D5347020180048001", "needs 0 weak and 1 strong hashes")]
    [InlineData("4D534702FFFFFFFFFFFFFFFF7F80048001", "needs 18014398509481983 weak and 72057594037927936 strong hashes")]
    public void A_malformed_signature_is_refused_with_what_is_wrong(string stored, string complaint)
    {
        DeltaFormatException refused = Assert.Throws<DeltaFormatException>(() => BlockSignature.Parse(Convert.FromHexString(stored)));
        Assert.Contains(complaint, refused.Message, StringComparison.Ordinal);
    }
}
