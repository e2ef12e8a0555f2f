using System.Buffers.Binary;
using CsCheck;
using Google.Protobuf;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Records;
using Mirror.Store.Versions;
using ZstdSharp;

namespace Mirror.Store.Tests.Packs;

public sealed class PackDamageTests : IDisposable
{
    private readonly PackSamples samples = new();

    public void Dispose() => samples.Dispose();

    [Fact]
    public async Task A_pack_cut_short_anywhere_is_refused()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync());

        for (var length = 0; length < bytes.Length; length++)
        {
            var path = samples.Save(bytes[..length]);
            var refusal = Assert.Throws<PackFormatException>(() => PackReader.Open(path));
            Assert.Contains(path, refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_flipped_bit_anywhere_is_refused_or_changes_nothing()
    {
        var whole = await samples.WriteSmallAsync();
        var meaning = PackSamples.MeaningOf(whole);
        var bytes = await File.ReadAllBytesAsync(whole);
        var unnoticed = new List<int>();

        for (var at = 0; at < bytes.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                bytes[at] ^= (byte)(1 << bit);
                var path = samples.Save(bytes);
                try
                {
                    Assert.Equal(meaning, PackSamples.MeaningOf(path));
                    unnoticed.Add(at);
                }
                catch (PackFormatException)
                {
                    // Refused: what the test is about. Any other exception fails it.
                }

                File.Delete(path);
                bytes[at] ^= (byte)(1 << bit);
            }
        }

        // Only the minor format number says nothing.
        Assert.All(unnoticed, at => Assert.InRange(at, 10, 11));
    }

    [Fact]
    public async Task Bytes_behind_the_end_are_refused()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync());
        Assert.Throws<PackFormatException>(() => PackReader.Open(samples.Save([.. bytes, 0])));
        Assert.Throws<PackFormatException>(() => PackReader.Open(samples.Save([.. bytes, .. bytes])));
    }

    [Fact]
    public async Task A_newer_format_is_refused_with_advice()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync());
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(8), 2);
        var path = samples.Save(bytes);

        var refusal = Assert.Throws<PackFormatException>(() => PackReader.Open(path));

        Assert.Contains("made by a newer Mirror: format 2, this one reads 1; upgrade", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, PackReader.SafePrefix(path));
    }

    [Fact]
    public async Task A_frame_moved_to_another_place_is_refused()
    {
        // Two frames of noise of the same length: exchanged, their bytes and lengths are still right.
        var path = await samples.WriteAsync([PackSamples.Noise(2 << 20, 1)]);
        var bytes = await File.ReadAllBytesAsync(path);
        var length = (1 << 20) + FrameHeader.Length;
        var start = PackFormat.FileHeaderLength;
        start += FrameHeader.Length + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(start + 4));
        byte[] exchanged = [.. bytes[..start], .. bytes[(start + length)..(start + (2 * length))], .. bytes[start..(start + length)], .. bytes[(start + (2 * length))..]];

        using var reader = PackReader.Open(samples.Save(exchanged));
        var refusal = Assert.Throws<PackFormatException>(() => reader.VerifyFrames(CancellationToken.None));
        Assert.Contains($"at byte {start}", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<PackFormatException>(() => PackSamples.ReadBlob(reader, reader.Blobs.Single().Hash));
    }

    [Fact]
    public async Task The_safe_prefix_is_all_whole_frames_at_every_cut()
    {
        var bytes = await File.ReadAllBytesAsync(await samples.WriteSmallAsync());
        var borders = new List<int> { 0, PackFormat.FileHeaderLength };
        while (borders[^1] < bytes.Length)
        {
            borders.Add(borders[^1] + FrameHeader.Length + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(borders[^1] + 4)));
        }

        Assert.Equal(bytes.Length, borders[^1]);
        for (var length = 0; length <= bytes.Length; length++)
        {
            var expected = borders.Last(border => border <= length);
            Assert.Equal(expected, PackReader.SafePrefix(samples.Save(bytes[..length])));
            byte[] rotten = [.. bytes[..length], .. Enumerable.Repeat((byte)0xA5, 100)];
            Assert.Equal(expected, PackReader.SafePrefix(samples.Save(rotten)));
        }
    }

    [Fact]
    public void A_frame_that_unfolds_to_more_than_it_says_is_refused()
    {
        using var compressor = new Compressor(3);
        var bomb = compressor.Wrap(new byte[1 << 20]).ToArray();
        var refusal = Assert.Throws<PackFormatException>(() => Verify(new Forgery { Data = (bomb, 1000) }));
        Assert.Contains("does not decompress to the 1000 bytes", refusal.Message, StringComparison.Ordinal);

        var less = compressor.Wrap(new byte[999]).ToArray();
        Assert.Throws<PackFormatException>(() => Verify(new Forgery { Data = (less, 1000) }));
        Verify(new Forgery { Data = (compressor.Wrap(new byte[1000]).ToArray(), 1000) });
    }

    [Fact]
    public void A_sound_forgery_is_accepted_so_that_the_lies_below_are_what_is_refused() => Verify(new Forgery());

    [Fact]
    public void Blobs_outside_the_data_or_in_each_others_way_are_refused()
    {
        var (a, b) = (PackRecords.Encode(PackSamples.Hash("a")), PackRecords.Encode(PackSamples.Hash("b")));
        Refuse("reaches beyond", forgery => forgery.Index.Blobs.Add(new BlobRecord { Sha256 = a, Offset = 990, Length = 11 }));
        Refuse("no file has", forgery => forgery.Index.Blobs.Add(new BlobRecord { Sha256 = a, Offset = long.MaxValue, Length = 1 }));
        Refuse("no file has", forgery => forgery.Index.Blobs.Add(new BlobRecord { Sha256 = a, Offset = ulong.MaxValue, Length = 2 }));
        Refuse("overlaps", forgery => forgery.Index.Blobs.Add([new BlobRecord { Sha256 = a, Length = 11 }, new BlobRecord { Sha256 = b, Offset = 10, Length = 5 }]));
        Refuse("there twice", forgery => forgery.Index.Blobs.Add([new BlobRecord { Sha256 = a, Length = 11 }, new BlobRecord { Sha256 = a, Offset = 11, Length = 5 }]));
        Refuse("its own basis", forgery => forgery.Index.Blobs.Add(new BlobRecord { Sha256 = a, Basis = a, Length = 11 }));
        Refuse("a SHA-256 has 32", forgery => forgery.Index.Blobs.Add(new BlobRecord { Sha256 = ByteString.CopyFrom(1, 2, 3), Length = 11 }));
        Refuse("has no SHA-256", forgery => forgery.Index.Blobs.Add(new BlobRecord { Length = 11 }));
    }

    [Fact]
    public void Paths_that_leave_the_root_come_twice_or_out_of_order_are_refused()
    {
        var file = EntryRecords.Encode(PackSamples.File("b", [1]));
        Refuse("out of order", forgery => forgery.Changes.Put.Add([file, EntryRecords.Encode(PackSamples.File("a", [1]))]));
        Refuse("out of order", forgery => forgery.Changes.Put.Add([file, file]));
        Refuse("out of order", forgery => forgery.Changes.Removed.Add([ByteString.CopyFromUtf8("b"), ByteString.CopyFromUtf8("a")]));
        Refuse("both put and removed", forgery =>
        {
            forgery.Changes.Put.Add(file);
            forgery.Changes.Removed.Add([ByteString.CopyFromUtf8("a"), ByteString.CopyFromUtf8("b")]);
        });
        Refuse("'..'", forgery => forgery.Changes.Removed.Add(ByteString.CopyFromUtf8("a/../../etc")));
        Refuse("absolute", forgery => forgery.Changes.Put.Add(new EntryMessage(file) { Path = ByteString.CopyFromUtf8("/etc/passwd") }));
    }

    [Fact]
    public void Records_that_say_more_than_this_program_knows_are_refused()
    {
        // Field 1000, a varint: a newer writer's field, at the top and inside a nested record.
        byte[] unknown = [0xC0, 0x3E, 0x01];
        Refuse("does not know", forgery => forgery.Index.MergeFrom(unknown));
        Refuse("does not know", forgery => forgery.Index.Version.MergeFrom(unknown));
        Refuse("does not know", forgery => forgery.Changes.MergeFrom(unknown));
        Refuse("does not know", forgery => forgery.Header.To.MergeFrom(unknown));
    }

    [Fact]
    public void Versions_that_cannot_be_are_refused()
    {
        Refuse("no root hash", forgery => forgery.Index.Version.Root = ByteString.Empty);
        Refuse("no chain hash", forgery => forgery.Index.Version.Chain = ByteString.Empty);
        Refuse("all zeros", forgery => forgery.Index.Version.Root = ByteString.CopyFrom(new byte[32]));
        Refuse("not older", forgery => forgery.Index.Version.Parent = new VersionIdRecord { Epoch = 1, Sequence = 2 });
        Refuse("counts", forgery => forgery.Index.Version.Bytes = ulong.MaxValue);
        Refuse("finer", forgery => forgery.Index.Version.TimeUnixNs = 1);
        Refuse("a name without", forgery => forgery.Index.Version.Site = "");
        Refuse("leads to 1.3", forgery => forgery.Header.To.Sequence = 3);
        Refuse("leads to 1.2 of other", forgery => forgery.Header.Site = "other");
        Refuse("not both", forgery => forgery.Header.From = null);
        Refuse("0.0", forgery => forgery.Header.From = new VersionIdRecord());
        Refuse("once, in its first", forgery => forgery.Index.Version = null);
        Refuse("leads from nothing", forgery =>
        {
            forgery.Header.From = null;
            forgery.Header.FromRoot = ByteString.Empty;
            forgery.Changes.Removed.Add(ByteString.CopyFromUtf8("a"));
        });
    }

    [Fact]
    public void An_index_that_lists_other_frames_than_there_are_is_refused()
    {
        Refuse("where one at 16 must come", forgery => forgery.Frames = frames => frames.RemoveAt(0));
        Refuse("must come", forgery => forgery.Frames = frames => frames.Add(frames[^1]));
        Refuse("must come", forgery => forgery.Frames = frames => frames[1].FileOffset--);
        Refuse("must come", forgery => forgery.Frames = frames => frames[1].Raw = (1 << 20) + 1);
        Refuse("must come", forgery => forgery.Frames = frames => frames[1].Kind = (uint)FrameKind.Index);
        Refuse("must come", forgery => forgery.Frames = frames => frames[1].Kind = 258);
        Refuse("do not end where", forgery => forgery.Frames = frames => frames[^1].Stored--);
        Refuse("the trailer says", forgery => forgery.Frames = frames => frames[1].Raw++);
        Refuse("the trailer says", forgery => forgery.Frames = frames => frames.RemoveAt(frames.Count - 1));
        Refuse("another frame than", forgery => forgery.Frames = frames => frames[2].Raw++);
    }

    [Fact]
    public void Records_with_any_bytes_in_them_are_read_or_refused()
    {
        var path = samples.NewPath();
        var read = 0;
        var refused = 0;
        Gen.Int.Sample(
            seed =>
            {
                var random = new Random(seed);
                var forgery = new Forgery { Garble = FrameKind.Header + random.Next(3) switch { 0 => 0, 1 => 2, _ => 3 }, Random = random };
                forgery.Index.Blobs.Add([
                    new BlobRecord { Sha256 = PackRecords.Encode(PackSamples.Hash("a")), Length = 300, Size = 5 },
                    new BlobRecord { Sha256 = PackRecords.Encode(PackSamples.Hash("b")), Basis = PackRecords.Encode(PackSamples.Hash("c")), Offset = 300, Length = 700, Size = 9 },
                ]);
                forgery.Changes.Put.Add([EntryRecords.Encode(PackSamples.Folder("")), EntryRecords.Encode(PackSamples.File("a", [1]) with { Owner = "www" })]);
                forgery.Changes.Removed.Add(ByteString.CopyFromUtf8("gone"));
                File.WriteAllBytes(path, forgery.ToBytes());
                try
                {
                    PackSamples.MeaningOf(path);
                    read++;
                }
                catch (PackFormatException)
                {
                    refused++;
                }
            },
            iter: 10_000, threads: 1);

        // Neither may be all there is: other hashes and names are as good as the first, broken structure is not.
        Assert.InRange(read, 100, 9_900);
        Assert.InRange(refused, 100, 9_900);
    }

    private void Refuse(string reason, Action<Forgery> lie)
    {
        var forgery = new Forgery();
        lie(forgery);
        var refusal = Assert.Throws<PackFormatException>(() => Verify(forgery));
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }

    private void Verify(Forgery forgery) => PackSamples.MeaningOf(samples.Save(forgery.ToBytes()));

    /// <summary>A pack with right checksums that says what a test wants: every lie must be found by its meaning.</summary>
    private sealed class Forgery
    {
        public PackHeaderRecord Header { get; } = PackRecords.Encode(PackSamples.Header());

        public ChangesRecord Changes { get; } = new();

        public PackIndexRecord Index { get; } = new() { Version = VersionRecords.Encode(PackSamples.Version()) };

        public (byte[] Stored, int Raw) Data { get; set; } = (new byte[1000], 1000);

        /// <summary>The kind of record to spoil after it was encoded, under a right checksum.</summary>
        public FrameKind? Garble { get; init; }

        public Random Random { get; init; } = new(0);

        public Action<IList<FrameRecord>> Frames { get; set; } = _ => { };

        public byte[] ToBytes()
        {
            if (Changes.CalculateSize() == 0)
            {
                Changes.Put.Add(EntryRecords.Encode(PackSamples.Folder("")));
            }

            using var output = new MemoryStream();
            output.Write(PackPreamble.New(null).Bytes);
            Append(output, FrameKind.Header, Header.ToByteArray());
            Append(output, FrameKind.Data, Data.Stored, Data.Raw);
            Append(output, FrameKind.Changes, Changes.ToByteArray());
            Frames(Index.Frames);
            var offset = output.Length;
            Append(output, FrameKind.Index, Index.ToByteArray(), list: false);
            Append(output, FrameKind.Trailer, new PackTrailer(offset, 3, 1, Data.Raw).ToBytes(), list: false);
            return output.ToArray();
        }

        private void Append(MemoryStream output, FrameKind kind, byte[] stored, int? raw = null, bool list = true)
        {
            for (var count = kind == Garble ? Random.Next(1, 4) : 0; count > 0; count--)
            {
                stored[Random.Next(stored.Length)] = (byte)Random.Next(256);
            }

            var place = new FramePlace(output.Length, stored.Length, raw ?? stored.Length, kind);
            var header = new byte[FrameHeader.Length];
            FrameHeader.Write(header, kind, place.Raw == place.Stored ? FrameCodec.Raw : FrameCodec.Zstd, place.Raw, stored, place.Offset);
            output.Write(header);
            output.Write(stored);
            if (list)
            {
                Index.Frames.Add(new FrameRecord { FileOffset = (ulong)place.Offset, Stored = (uint)place.Stored, Raw = (uint)place.Raw, Kind = (uint)kind });
            }
        }
    }
}
