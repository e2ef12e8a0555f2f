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
                Assert.Equal(signature.ContentLength, parsed.ContentLength);
                Assert.Equal(signature.BlockLength, parsed.BlockLength);
                Assert.Equal(signature.Blocks, parsed.Blocks);
            },
            iter: 200);

    [Fact]
    public void A_signature_takes_sixteen_bytes_a_block() =>
        Assert.InRange(Store(Sign(Deltas.Random(1_000_000, 1))).Length, 977 * 16, (977 * 16) + 16);

    [Fact]
    public async Task Another_key_yields_other_strong_hashes()
    {
        byte[] content = Deltas.Random(5_000, 1);
        BlockSignature other = (await BlockSignature.SignAsync(new MemoryStream(content), content.Length, new(Key.Seed + 1), default)).Signature;
        Assert.All(Sign(content).Blocks.Zip(other.Blocks), pair => Assert.NotEqual(pair.First.Strong, pair.Second.Strong));
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
            Assert.True(length / blockLength <= Math.Max(1L << 19, 16 * Math.Sqrt(length)), $"{length} bytes in blocks of {blockLength}");
            before = blockLength;
        }
        Assert.Equal(512, BlockSignature.BlockLengthFor(0));
        Assert.Equal(2 << 10, BlockSignature.BlockLengthFor((1L << 30) - 1));
        Assert.Equal(4 << 10, BlockSignature.BlockLengthFor(1L << 30));
        Assert.Equal(8 << 10, BlockSignature.BlockLengthFor(4L << 30));
        Assert.Equal(1 << 20, BlockSignature.BlockLengthFor(long.MaxValue));
    }

    [Theory]
    [InlineData("", "Not a block signature")]
    [InlineData("4D5347", "Not a block signature")]
    [InlineData("4D534801", "Not a block signature")]
    [InlineData("4D534702", "format version 2")]
    [InlineData("4D534701", "ends within its header")]
    [InlineData("4D53470180", "ends within its header")]
    [InlineData("4D5347010101", "blocks of 1 bytes")]
    [InlineData("4D534701018004", "needs 1 hashes")]
    [InlineData("4D534701FFFFFFFFFFFFFFFF7F8004", "needs 18014398509481984 hashes")]
    public void A_malformed_signature_is_refused_with_what_is_wrong(string stored, string complaint)
    {
        DeltaFormatException refused = Assert.Throws<DeltaFormatException>(() => BlockSignature.Parse(Convert.FromHexString(stored)));
        Assert.Contains(complaint, refused.Message, StringComparison.Ordinal);
    }
}
