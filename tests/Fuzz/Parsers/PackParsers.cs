using Google.Protobuf;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Records;
using Mirror.Store.Versions;
using ZstdSharp;

namespace Mirror.Fuzz.Parsers;

/// <summary>A pack in a file, read through and through: opened, every frame, the changes, every blob to its end and applied.</summary>
internal abstract class PackFileParser(string name) : Parser(name, typeof(PackFormatException))
{
    // Two frames of a mebibyte and four more in the reader's cache, from the pool; and a zstd decoder's tables.
    public override (long Fixed, int PerByte) Allocation => (12 << 20, 256);

    protected int ReadPack(byte[] pack)
    {
        var file = Scratch();
        file.Write(pack);
        var safe = PackReader.SafePrefix(file.Path);
        Promise(safe >= 0 && safe <= pack.Length, "the safe prefix is longer than the file");
        using var reader = PackReader.Open(file.Path);
        reader.VerifyFrames(CancellationToken.None);
        Promise(safe == pack.Length, "a pack that reads well is not a safe prefix of itself");
        var changes = reader.ReadChanges();
        Promise(changes.Moves.Zip(changes.Moves.Skip(1)).All(pair => pair.First.From < pair.Second.From), "moves out of order");
        Promise(changes.Put.Zip(changes.Put.Skip(1)).All(pair => pair.First.Path < pair.Second.Path), "changes out of order");
        var applied = 0;
        foreach (var blob in reader.Blobs)
        {
            applied += ReadBlob(reader, blob) ? 1 : 0;
        }

        return HashCode.Combine(reader.Blobs.Count, Rough(changes.Put.Count), Rough(changes.Removed.Count), Rough(changes.Moves.Count), reader.Header.Partial, applied);
    }

    private static bool ReadBlob(PackReader reader, BlobInfo blob)
    {
        using var delta = reader.OpenDelta(blob.Hash);
        using var bytes = new MemoryStream();
        delta.CopyTo(bytes);
        Promise(bytes.Length == blob.StoredBytes, "a blob is not as long as its index says");
        return Deltas.TryApply(Deltas.Basis, bytes.ToArray()) is not null;
    }
}

/// <summary>Whole files.</summary>
internal sealed class PackBytes() : PackFileParser("pack")
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [PackForge.Written(fromNothing: false), PackForge.Written(fromNothing: true)];

    public override byte[] Mended(byte[] input) => PackForge.Mended(input);

    public override int Read(byte[] input) => ReadPack(input);
}

/// <summary>One part of a pack that is otherwise right; the first byte says which: header, changes, index, or the data stream.</summary>
internal sealed class PackPart() : PackFileParser("pack-part")
{
    private static readonly byte[] header = PackRecords.Encode(PackForge.Header).ToByteArray();
    private static readonly byte[] changes = Changes(PackForge.SampleEntries, ["link", "z"]);
    private static readonly byte[][] deltas = [.. Deltas.Targets.Skip(1).Take(4).Select(target => Deltas.Encode(Deltas.Basis, target))];
    private static readonly byte[] data = [.. deltas.SelectMany(delta => delta)];

    public override IReadOnlyList<byte[]> Seeds { get; } =
        [[0, .. header], [1, .. changes], [1, .. Changes([PackForge.Folder("q")], [])], [1, .. Changes([PackForge.Folder("q")], ["z"], [("a", "q/a")])], [2, .. Index()], [3, .. data]];

    public override int Read(byte[] input)
    {
        var part = input.AsSpan(Math.Min(1, input.Length)).ToArray();
        return ReadPack((input.Length == 0 ? 0 : input[0] % 4) switch
        {
            0 => PackForge.Forged(part, data, changes, Blobs(data.Length)),
            1 => PackForge.Forged(header, data, part, Blobs(data.Length)),
            2 => PackForge.Forged(header, data, changes, [], index: part),
            _ => PackForge.Forged(header, part, changes, Blobs(part.Length)),
        });
    }

    public static byte[] Changes(IEnumerable<Entry> put, IEnumerable<string> removed, IEnumerable<(string From, string To)>? moved = null)
    {
        var record = new ChangesRecord();
        record.Put.AddRange(put.Select(EntryRecords.Encode));
        record.Removed.AddRange(removed.Select(ByteString.CopyFromUtf8));
        record.Moved.AddRange((moved ?? []).Select(move => new MoveRecord { OldPath = ByteString.CopyFromUtf8(move.From), NewPath = ByteString.CopyFromUtf8(move.To) }));
        return record.ToByteArray();
    }

    /// <summary>The blobs, with the last one as long as the data are.</summary>
    private static IEnumerable<BlobRecord> Blobs(int length)
    {
        ulong offset = 0;
        for (var at = 0; at < deltas.Length; at++)
        {
            var room = (ulong)length - offset;
            var taken = at == deltas.Length - 1 ? room : Math.Min(room, (ulong)deltas[at].Length);
            yield return new BlobRecord
            {
                Sha256 = PackRecords.Encode(PackForge.HashOf(Deltas.Targets[at + 1])), Basis = PackRecords.Encode(PackForge.HashOf(Deltas.Basis)),
                Offset = offset, Length = taken, Size = (ulong)Deltas.Targets[at + 1].Length,
            };
            offset += taken;
        }
    }

    /// <summary>The index of exactly the pack that it will stand in.</summary>
    private static byte[] Index()
    {
        var record = new PackIndexRecord { Version = VersionRecords.Encode(PackForge.Version) };
        record.Blobs.AddRange(Blobs(data.Length));
        ulong offset = 16;
        foreach (var (kind, length) in new[] { (1u, header.Length), (2u, data.Length), (3u, changes.Length) })
        {
            record.Frames.Add(new FrameRecord { FileOffset = offset, Stored = (uint)length, Raw = (uint)length, Kind = kind });
            offset += 20 + (ulong)length;
        }

        return record.ToByteArray();
    }
}

/// <summary>The compressed bytes of a data frame, under a right checksum; the first three bytes say how long they claim to be.</summary>
internal sealed class PackZstd() : PackFileParser("pack-zstd")
{
    private static readonly byte[] header = PackRecords.Encode(PackForge.Header).ToByteArray();
    private static readonly byte[] changes = PackPart.Changes([PackForge.Folder("q")], []);

    public override IReadOnlyList<byte[]> Seeds { get; } = [.. Samples()];

    public override int Read(byte[] input)
    {
        if (input.Length < 4)
        {
            return 0;
        }

        var raw = 1 + ((input[0] | (input[1] << 8) | (input[2] << 16)) % (1 << 20));
        BlobRecord[] blobs = [new() { Sha256 = PackRecords.Encode(PackForge.HashOf([1])), Length = (ulong)raw, Size = 1 }];
        return ReadPack(PackForge.Forged(header, [], changes, blobs, zstd: (input[3..], raw)));
    }

    private static IEnumerable<byte[]> Samples()
    {
        foreach (var level in new[] { 1, 3, 19 })
        {
            using var compressor = new Compressor(level);
            byte[][] contents =
            [
                new byte[100_000], new byte[1 << 20], [.. Deltas.Basis, .. Deltas.Basis[..4000]], [.. Enumerable.Range(0, 9000).Select(i => (byte)(i * i >> 7))],
                System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 900).Select(i => $"row {i * 7919 % 1000}; "))),
            ];
            foreach (var content in contents)
            {
                var packed = compressor.Wrap(content).ToArray();
                if (packed.Length < content.Length)
                {
                    var claim = content.Length - 1;
                    yield return [(byte)claim, (byte)(claim >> 8), (byte)(claim >> 16), .. packed];
                }
            }
        }
    }
}
