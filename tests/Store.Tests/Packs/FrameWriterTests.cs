using System.Buffers.Binary;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;

namespace Mirror.Store.Tests.Packs;

public sealed class FrameWriterTests : IDisposable
{
    private readonly PackSamples samples = new();

    public void Dispose() => samples.Dispose();

    [Fact]
    public async Task What_is_compressed_already_is_not_compressed_again_and_text_beside_it_is()
    {
        var picture = PackSamples.Noise(1 << 20, 1);
        var text = Enumerable.Range(0, 1 << 20).Select(i => (byte)('a' + (i * i % 17))).ToArray();
        var mixed = PackSamples.Noise(1 << 20, 2);
        text.AsSpan(0, 1 << 18).CopyTo(mixed.AsSpan(300_000));
        var path = await samples.WriteAsync([picture, text, mixed]);

        var frames = DataFrames(await File.ReadAllBytesAsync(path));

        Assert.Equal(3, frames.Count);
        Assert.Equal(FrameCodec.Raw, frames[0].Codec);
        Assert.Equal(FrameCodec.Zstd, frames[1].Codec);
        Assert.InRange(frames[1].Stored, 1, 100_000);
        Assert.Equal(FrameCodec.Zstd, frames[2].Codec);
        Assert.InRange(frames[2].Stored, 1, 900_000);
        using var reader = PackReader.Open(path);
        Assert.Equal(mixed, PackSamples.ReadBlob(reader, PackSamples.Hash(mixed)));
        var data = Assert.Single(reader.Totals(), kind => kind.Kind == "data");
        Assert.Equal((3, 2, 3L << 20), (data.Frames, data.Compressed, data.Raw));
    }

    [Fact]
    public async Task Deltas_are_compressed_harder_than_whole_contents_also_after_a_blob_was_given_up()
    {
        var lines = string.Concat(Enumerable.Range(0, 40_000).Select(i => $"{i}\t{i * 7919 % 10_000}\t{(i * 31 % 97) - 40}\n"));
        var bytes = System.Text.Encoding.ASCII.GetBytes(lines);
        var whole = await LengthAsync(bytes, false, false);
        var delta = await LengthAsync(bytes, true, false);

        Assert.True(delta < whole, $"{delta} and {whole} bytes");
        Assert.Equal(delta, await LengthAsync(bytes, true, true));
        Assert.Equal(whole, await LengthAsync(bytes, false, true));
    }

    [Fact]
    public async Task Deltas_without_end_are_compressed_like_whole_contents_after_the_first_of_them()
    {
        var line = System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 40_000).Select(i => $"{i}\t{i * 7919 % 10_000}\t{(i * 31 % 97) - 40}\n")));
        var mebibyte = Enumerable.Range(0, 1 << 20).Select(i => line[i % line.Length]).ToArray();
        var path = samples.NewPath();
        await using (var output = File.Create(path))
        {
            await using var writer = new PackWriter(output, PackSamples.Header());
            await using var blob = writer.BeginBlob(isDelta: true);
            for (var i = 0; i < 20; i++)
            {
                await blob.Delta.WriteAsync(mebibyte);
            }

            await blob.CompleteAsync(PackSamples.Hash("new"), PackSamples.Hash("old"), 20 << 20);
            await writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([], []), CancellationToken.None);
        }

        var lengths = DataFrames(await File.ReadAllBytesAsync(path)).Select(frame => frame.Stored).ToList();

        Assert.All(lengths[..16], length => Assert.Equal(lengths[0], length));
        Assert.All(lengths[16..], length => Assert.True(length > lengths[0], $"{length} and {lengths[0]} bytes"));
        Assert.Equal(20, lengths.Count);
    }

    [Fact]
    public async Task A_pack_is_the_same_whichever_threads_compressed_it()
    {
        var bytes = PackSamples.Noise(9 << 20, 1).Select((b, i) => (byte)(i % 1000 < 700 ? 0x78 : b)).ToArray();
        var first = await File.ReadAllBytesAsync(await samples.WriteAsync([bytes, PackSamples.Noise(3 << 20, 2)]));
        for (var again = 0; again < 5; again++)
        {
            Assert.Equal(first, await File.ReadAllBytesAsync(await samples.WriteAsync([bytes, PackSamples.Noise(3 << 20, 2)])));
        }
    }

    [Fact]
    public async Task A_writer_given_up_in_the_middle_leaves_its_threads_out_of_what_comes_next()
    {
        for (var i = 0; i < 20; i++)
        {
            await using var output = new MemoryStream();
            await using var writer = new PackWriter(output, PackSamples.Header());
            await using var blob = writer.BeginBlob();
            await blob.Delta.WriteAsync(new byte[(3 << 20) + i]);
        }

        var bytes = PackSamples.Noise(6 << 20, 5);
        using var reader = PackReader.Open(await samples.WriteAsync([bytes]));
        Assert.Equal(bytes, PackSamples.ReadBlob(reader, PackSamples.Hash(bytes)));
    }

    [Fact]
    public async Task A_cancelled_write_leaves_a_pack_that_cannot_be_completed()
    {
        await using var output = new FileStream(samples.NewPath(), FileMode.CreateNew);
        await using var writer = new PackWriter(output, PackSamples.Header());
        await using (var blob = writer.BeginBlob())
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await blob.Delta.WriteAsync(PackSamples.Noise(8 << 20, 1), new CancellationToken(true)));
        }

        await Assert.ThrowsAsync<InvalidOperationException>(() => writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([], []), CancellationToken.None));
    }

    private async Task<long> LengthAsync(byte[] bytes, bool isDelta, bool giveUpFirst)
    {
        var path = samples.NewPath();
        await using (var output = File.Create(path))
        {
            await using var writer = new PackWriter(output, PackSamples.Header());
            if (giveUpFirst)
            {
                await using var given = writer.BeginBlob(!isDelta);
                await given.Delta.WriteAsync(PackSamples.Noise(900_000, 1));
            }

            await using (var blob = writer.BeginBlob(isDelta))
            {
                await blob.Delta.WriteAsync(bytes);
                await blob.CompleteAsync(PackSamples.Hash(bytes), isDelta ? PackSamples.Hash("basis") : default, bytes.Length);
            }

            await writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([], []), CancellationToken.None);
        }

        using var reader = PackReader.Open(path);
        return Assert.Single(reader.Totals(), kind => kind.Kind == "data").Stored;
    }

    private static List<FrameHeader> DataFrames(byte[] pack)
    {
        var frames = new List<FrameHeader>();
        for (var at = PackFormat.FileHeaderLength; at < pack.Length; at += FrameHeader.Length + BinaryPrimitives.ReadInt32LittleEndian(pack.AsSpan(at + 4)))
        {
            Assert.Null(FrameHeader.Parse(pack.AsSpan(at), 0, out var header));
            if (header.Kind == FrameKind.Data)
            {
                frames.Add(header);
            }
        }

        return frames;
    }
}
