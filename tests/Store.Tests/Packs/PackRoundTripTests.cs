using CsCheck;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;

namespace Mirror.Store.Tests.Packs;

public sealed class PackRoundTripTests : IDisposable
{
    private readonly PackSamples samples = new();

    public void Dispose() => samples.Dispose();

    [Fact]
    public async Task A_pack_reads_back_as_it_was_written()
    {
        var changes = new ManifestDelta(
            [
                PackSamples.Folder(""),
                PackSamples.Folder("a"),
                PackSamples.File("a/b", [1, 2, 3]),
                new Entry { Path = EntryPath.Parse("link"), Type = EntryType.Symlink, Mode = 0x1FF, LinkTarget = [0xFF, 0x2F, 0x41], Owner = "www", Uid = 33 },
            ],
            [EntryPath.Parse("gone"), EntryPath.Parse("gone/below")]);
        var path = await samples.WriteAsync([[1, 2, 3], []], changes);

        using var reader = PackReader.Open(path);
        var read = reader.ReadChanges();

        Assert.Equal(PackSamples.Header(), reader.Header);
        Assert.Equal(PackSamples.Version(), reader.Version);
        Assert.Equal(changes.Put, read.Put);
        Assert.Equal(changes.Removed, read.Removed);
        Assert.Equal([3, 0], reader.Blobs.Select(blob => (int)blob.StoredBytes));
        Assert.Equal([1, 2, 3], PackSamples.ReadBlob(reader, PackSamples.Hash([1, 2, 3])));
        Assert.Empty(PackSamples.ReadBlob(reader, PackSamples.Hash([])));
        Assert.Null(reader.Find(PackSamples.Hash("other")));
    }

    [Fact]
    public void Any_blobs_read_back_in_any_order()
    {
        var large = Gen.Int[0, 3 << 20].Select(Gen.Bool, Gen.Int).Select((length, compressible, seed) => Content(length, compressible, seed));
        var small = Gen.Int[0, 2000].Select(Gen.Bool, Gen.Int).Select((length, compressible, seed) => Content(length, compressible, seed));
        Gen.Select(large.Array[0, 2], small.Array[0, 300], Gen.Int).Sample(
            (big, many, seed) =>
            {
                var blobs = big.Concat(many).DistinctBy(bytes => PackSamples.Hash(bytes)).ToArray();
                new Random(seed).Shuffle(blobs);
                var path = samples.WriteAsync(blobs).GetAwaiter().GetResult();

                using var reader = PackReader.Open(path);
                reader.VerifyFrames(CancellationToken.None);
                new Random(seed + 1).Shuffle(blobs);
                foreach (var bytes in blobs)
                {
                    Assert.Equal(PackSamples.Hash(bytes), PackSamples.Hash(PackSamples.ReadBlob(reader, PackSamples.Hash(bytes))));
                }

                Assert.Equal(blobs.Length, reader.Blobs.Count);
                Assert.Equal(new FileInfo(path).Length, PackReader.SafePrefix(path));
                File.Delete(path);
            },
            iter: 25, threads: 1);
    }

    [Fact]
    public async Task More_changes_and_blobs_than_a_frame_holds_read_back()
    {
        var put = Enumerable.Range(0, 30_000).Select(i => PackSamples.File($"file-{i:d6}", [(byte)i, (byte)(i >> 8), 7])).ToArray();
        var removed = Enumerable.Range(0, 30_000).Select(i => EntryPath.Parse($"gone-{new string('x', 40)}-{i:d6}")).ToArray();
        var blobs = Enumerable.Range(0, 25_000).Select(i => BitConverter.GetBytes(i)).ToArray();
        var path = await samples.WriteAsync(blobs, new ManifestDelta(put, removed));

        using var reader = PackReader.Open(path);
        var changes = reader.ReadChanges();

        Assert.Equal(put, changes.Put);
        Assert.Equal(removed, changes.Removed);
        Assert.Equal(blobs.Length, reader.Blobs.Count);
        Assert.Equal(blobs[24_999], PackSamples.ReadBlob(reader, PackSamples.Hash(blobs[24_999])));
    }

    [Fact]
    public async Task Moves_read_back_as_they_were_written_however_many()
    {
        var moves = Enumerable.Range(0, 20_000).Select(i => new DirectoryMove(EntryPath.Parse($"from-{i:d6}-{new string('x', 30)}"), EntryPath.Parse($"to-{i:d6}"))).ToArray();
        var changes = new PackChanges(moves, [PackSamples.File("file", [1])], [EntryPath.Parse("gone")]);
        var path = samples.NewPath();
        await using (var output = File.Create(path))
        await using (var writer = new PackWriter(output, PackSamples.Header()))
        {
            await writer.CompleteAsync(PackSamples.Version(), changes, CancellationToken.None);
        }

        using var reader = PackReader.Open(path);
        var read = reader.ReadChanges();

        Assert.Equal(moves, read.Moves);
        Assert.Equal(changes.Put, read.Put);
        Assert.Equal(changes.Removed, read.Removed);
    }

    [Theory]
    [InlineData("a", "")]
    [InlineData("", "a")]
    [InlineData("a", "a")]
    [InlineData("b a", "x y")]
    [InlineData("a a", "x y")]
    [InlineData("a b", "x x")]
    public async Task Moves_that_no_version_can_make_are_not_written(string from, string to)
    {
        var moves = from.Split(' ').Zip(to.Split(' '), (old, now) => new DirectoryMove(EntryPath.Parse(old), EntryPath.Parse(now))).ToList();
        await using var writer = new PackWriter(new MemoryStream(), PackSamples.Header());
        await Assert.ThrowsAsync<ArgumentException>(() => writer.CompleteAsync(PackSamples.Version(), new PackChanges(moves, [], []), CancellationToken.None));

        await using var first = new PackWriter(new MemoryStream(), PackSamples.Header(fromNothing: true));
        var move = new DirectoryMove(EntryPath.Parse("a"), EntryPath.Parse("b"));
        await Assert.ThrowsAsync<ArgumentException>(() => first.CompleteAsync(PackSamples.Version(), new PackChanges([move], [], []), CancellationToken.None));
    }

    [Fact]
    public async Task A_blob_can_be_read_from_any_place_backwards_and_forwards()
    {
        var bytes = PackSamples.Noise(7 << 20, 1);
        var path = await samples.WriteAsync([PackSamples.Noise(300, 2), bytes, PackSamples.Noise(300, 3)]);
        using var reader = PackReader.Open(path);
        using var delta = reader.OpenDelta(PackSamples.Hash(bytes));
        var random = new Random(4);
        var part = new byte[1000];

        for (var i = 0; i < 200; i++)
        {
            var at = random.Next(bytes.Length - part.Length);
            delta.Position = at;
            delta.ReadExactly(part);
            Assert.True(part.AsSpan().SequenceEqual(bytes.AsSpan(at, part.Length)));
        }

        Assert.Equal(bytes.Length, delta.Seek(0, SeekOrigin.End));
        Assert.Equal(0, delta.Read(part));
    }

    [Fact]
    public async Task Identical_contents_are_written_once()
    {
        var bytes = PackSamples.Noise(1000, 1);
        var once = await samples.WriteAsync([bytes]);
        var twice = await samples.WriteAsync([bytes, bytes]);

        Assert.Equal(File.ReadAllBytes(once), File.ReadAllBytes(twice));
    }

    [Theory]
    [InlineData(1000, false)]
    [InlineData(3 << 20, true)]
    public async Task A_blob_given_up_is_not_in_the_pack(int length, bool costsRoom)
    {
        var path = samples.NewPath();
        await using (var output = File.Create(path))
        {
            await using var writer = new PackWriter(output, PackSamples.Header());
            await WriteBlobAsync(writer, [1, 2, 3]);
            await using (var blob = writer.BeginBlob())
            {
                await blob.Delta.WriteAsync(PackSamples.Noise(length, 1));
            }

            await WriteBlobAsync(writer, [4, 5, 6]);
            await writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([], []), CancellationToken.None);
        }

        var without = await samples.WriteAsync([[1, 2, 3], [4, 5, 6]]);
        Assert.Equal(costsRoom, new FileInfo(path).Length > new FileInfo(without).Length);
        using var reader = PackReader.Open(path);
        Assert.Equal([1, 2, 3], PackSamples.ReadBlob(reader, PackSamples.Hash([1, 2, 3])));
        Assert.Equal([4, 5, 6], PackSamples.ReadBlob(reader, PackSamples.Hash([4, 5, 6])));
        Assert.Equal(2, reader.Blobs.Count);
    }

    [Fact]
    public async Task A_blob_copied_from_another_pack_is_the_same_blob()
    {
        var bytes = PackSamples.Noise(2 << 20, 1);
        using var source = PackReader.Open(await samples.WriteAsync([[1], bytes]));
        var path = samples.NewPath();
        await using (var output = File.Create(path))
        {
            await using var writer = new PackWriter(output, PackSamples.Header());
            await writer.CopyBlobAsync(source, PackSamples.Hash(bytes), CancellationToken.None);
            await writer.CopyBlobAsync(source, PackSamples.Hash(bytes), CancellationToken.None);
            await Assert.ThrowsAsync<KeyNotFoundException>(() => writer.CopyBlobAsync(source, PackSamples.Hash("none"), CancellationToken.None));
            await writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([], []), CancellationToken.None);
        }

        using var copy = PackReader.Open(path);
        Assert.Equal(source.Find(PackSamples.Hash(bytes)), Assert.Single(copy.Blobs));
        Assert.Equal(bytes, PackSamples.ReadBlob(copy, PackSamples.Hash(bytes)));
    }

    [Fact]
    public async Task Synchronous_and_asynchronous_writes_make_the_same_pack()
    {
        var bytes = PackSamples.Noise(5 << 19, 1);
        var path = samples.NewPath();
        await using (var output = File.Create(path))
        {
            await using var writer = new PackWriter(output, PackSamples.Header());
            await using var blob = writer.BeginBlob();
            for (var at = 0; at < bytes.Length; at += 70_001)
            {
                blob.Delta.Write(bytes.AsSpan(at, Math.Min(70_001, bytes.Length - at)));
            }

            await blob.CompleteAsync(PackSamples.Hash(bytes), default, bytes.Length);
            await writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([], []), CancellationToken.None);
        }

        Assert.Equal(await File.ReadAllBytesAsync(await samples.WriteAsync([bytes])), await File.ReadAllBytesAsync(path));
    }

    [Fact]
    public async Task A_pack_whose_output_failed_once_cannot_be_completed()
    {
        await using var output = new FullDisk();
        await using var writer = new PackWriter(output, PackSamples.Header());
        await using (var blob = writer.BeginBlob())
        {
            await Assert.ThrowsAsync<IOException>(async () => await blob.Delta.WriteAsync(PackSamples.Noise(8 << 20, 1)));
        }

        output.Full = false;
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([], []), CancellationToken.None));
    }

    [Fact]
    public async Task The_writer_refuses_what_a_reader_would()
    {
        await using var writer = new PackWriter(new MemoryStream(), PackSamples.Header(fromNothing: true));
        var empty = new ManifestDelta([], []);
        await using (var blob = writer.BeginBlob())
        {
            Assert.Throws<InvalidOperationException>(() => writer.BeginBlob());
            await Assert.ThrowsAsync<ArgumentException>(async () => await blob.CompleteAsync(default, default, 0));
            await Assert.ThrowsAsync<ArgumentException>(async () => await blob.CompleteAsync(PackSamples.Hash("a"), PackSamples.Hash("b"), 0));
        }

        await Assert.ThrowsAsync<ArgumentException>(() => writer.CompleteAsync(PackSamples.Version(PackSamples.One), empty, CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(
            () => writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([PackSamples.Folder("b"), PackSamples.Folder("a")], []), CancellationToken.None));
        await Assert.ThrowsAsync<ArgumentException>(
            () => writer.CompleteAsync(PackSamples.Version(), new ManifestDelta([], [EntryPath.Parse("a")]), CancellationToken.None));
        await writer.CompleteAsync(PackSamples.Version(), empty, CancellationToken.None);
        Assert.Throws<InvalidOperationException>(() => writer.BeginBlob());
        Assert.Throws<ArgumentException>(() => new PackWriter(new MemoryStream(), PackSamples.Header() with { To = default }));
        Assert.Throws<ArgumentException>(() => new PackWriter(new MemoryStream(), PackSamples.Header() with { FromRoot = default }));
    }

    private static byte[] Content(int length, bool compressible, int seed)
    {
        var bytes = PackSamples.Noise(length, seed);
        if (compressible)
        {
            for (var i = 0; i < length; i++)
            {
                bytes[i] = (byte)('a' + (bytes[i] & 3));
            }
        }

        return bytes;
    }

    private static async Task WriteBlobAsync(PackWriter writer, byte[] bytes)
    {
        await using var blob = writer.BeginBlob();
        await blob.Delta.WriteAsync(bytes);
        await blob.CompleteAsync(PackSamples.Hash(bytes), default, bytes.Length);
    }

    private sealed class FullDisk : MemoryStream
    {
        public bool Full { get; set; } = true;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            Full && Length > 0 ? throw new IOException("No space left on device") : base.WriteAsync(buffer, cancellationToken);
    }
}
