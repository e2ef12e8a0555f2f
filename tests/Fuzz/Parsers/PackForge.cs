using System.Buffers.Binary;
using System.IO.Hashing;
using Google.Protobuf;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Records;
using Mirror.Store.Versions;

namespace Mirror.Fuzz.Parsers;

/// <summary>Packs frame by frame, as docs/format.md describes them: any part can be a lie, under a right checksum.</summary>
internal static class PackForge
{
    private const int FileHeader = 16;
    private const int FrameHead = 20;
    private const int Checked = 12;

    public static readonly VersionId From = new(1, 6);
    public static readonly VersionId To = new(1, 7);

    /// <summary>What the forged packs start from.</summary>
    public static readonly Manifest Start = Manifest.FromSorted(
    [
        Folder(""), Folder("a"), File("a/b", Deltas.Basis), File("a/c", Deltas.Targets[6]), File("a/d", Deltas.Targets[6]) with { HardlinkOf = EntryPath.Parse("a/c") },
        Folder("dir"), Folder("dir/sub"), File("dir/sub/x", []), Link("link", "a/b"), File("z", [1]),
    ]);

    public static readonly IReadOnlyList<Entry> SampleEntries =
    [
        Folder(""), Folder("new"), File("new/file", Deltas.Targets[3]) with { Owner = "www-data", Group = "gr\u00fcn", Uid = 33, Gid = 33, Sparse = true },
        File("new/link", Deltas.Targets[3]) with { Owner = "www-data", Group = "gr\u00fcn", Uid = 33, Gid = 33, Sparse = true, HardlinkOf = EntryPath.Parse("new/file") },
        File("new/odd\nname", Deltas.Basis) with { Path = EntryPath.Parse([.. "new/odd\n"u8, 0xff, 0xfe]), Unstable = true, Xattrs = [new Xattr("user.a", [0, 1]), new Xattr("user.b", [])] },
        Link("new/pipe", "x") with { Type = EntryType.Fifo, LinkTarget = [] }, Link("new/symlink", "../../etc"),
        Link("new/tty", "x") with { Type = EntryType.CharacterDevice, LinkTarget = [], DeviceMajor = 5, DeviceMinor = 1 },
    ];

    public static VersionRecord Version { get; } = new(
        "wiki", To, From, new DateTimeOffset(2024, 2, 29, 12, 0, 0, TimeSpan.Zero).AddTicks(7), "node-1", HashOf([9]), 3, 4711, ["pages"], HashOf([8]));

    public static PackHeader Header { get; } = new("wiki", From, Start.Root, To, Partial: false);

    public static ContentHash HashOf(byte[] content) => ContentHash.From(System.Security.Cryptography.SHA256.HashData(content));

    /// <summary>A pack as the writer makes it.</summary>
    public static byte[] Written(bool fromNothing)
    {
        using var output = new MemoryStream();
        var header = fromNothing ? Header with { From = default, FromRoot = default } : Header;
        var writer = new PackWriter(output, header);
        foreach (var target in Deltas.Targets.DistinctBy(HashOf))
        {
            if (fromNothing || HashOf(target) != HashOf(Deltas.Basis))
            {
                var blob = writer.BeginBlob();
                blob.Delta.Write(fromNothing ? Deltas.EncodeFrom(null, target).Delta : Deltas.Encode(Deltas.Basis, target));
                blob.CompleteAsync(HashOf(target), fromNothing ? default : HashOf(Deltas.Basis), target.Length).AsTask().GetAwaiter().GetResult();
            }
        }

        writer.CompleteAsync(Version, new ManifestDelta(SampleEntries, fromNothing ? [] : [EntryPath.Parse("link"), EntryPath.Parse("z")]), default).GetAwaiter().GetResult();
        writer.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return output.ToArray();
    }

    /// <summary>A pack of these frames; its index is right unless it is given. Nothing is compressed but what <paramref name="zstd"/> says is.</summary>
    public static byte[] Forged(byte[] header, byte[] data, byte[] changes, IEnumerable<BlobRecord> blobs, byte[]? index = null, (byte[] Stored, int Raw)? zstd = null)
    {
        using var output = new MemoryStream();
        output.Write([0x89, (byte)'M', (byte)'I', (byte)'R', (byte)'P', (byte)'K', 0x0D, 0x0A, 1, 0, 0, 0, 0, 0, 0, 0]);
        var frames = new List<FrameRecord>();
        Append(1, header, header.Length, 0);
        var length = zstd?.Raw ?? data.Length;
        if (length > 0)
        {
            Append(2, zstd?.Stored ?? data, length, (byte)(zstd is null ? 0 : 1));
        }

        Append(3, changes, changes.Length, 0);
        var (place, count) = (output.Length, frames.Count);
        if (index is null)
        {
            var record = new PackIndexRecord { Version = VersionRecords.Encode(Version) };
            record.Blobs.AddRange(blobs);
            record.Frames.AddRange(frames);
            index = record.ToByteArray();
        }

        Append(4, index, index.Length, 0);
        var trailer = new byte[32];
        BinaryPrimitives.WriteInt64LittleEndian(trailer, place);
        BinaryPrimitives.WriteInt32LittleEndian(trailer.AsSpan(8), count);
        BinaryPrimitives.WriteInt32LittleEndian(trailer.AsSpan(12), 1);
        BinaryPrimitives.WriteInt64LittleEndian(trailer.AsSpan(16), length);
        "MIRPKEND"u8.CopyTo(trailer.AsSpan(24));
        Append(5, trailer, trailer.Length, 0);
        return output.ToArray();

        void Append(byte kind, byte[] stored, int raw, byte codec)
        {
            if (stored.Length == 0)
            {
                return;
            }

            frames.Add(new FrameRecord { FileOffset = (ulong)output.Length, Stored = (uint)stored.Length, Raw = (uint)raw, Kind = kind });
            var frame = new byte[FrameHead + stored.Length];
            (frame[0], frame[1]) = (kind, codec);
            BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(4), (uint)stored.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(8), (uint)raw);
            stored.CopyTo(frame, FrameHead);
            Seal(frame, output.Length);
            output.Write(frame);
        }
    }

    /// <summary>Makes the checksums of all frames right, as far as frames can be followed.</summary>
    public static byte[] Mended(byte[] pack)
    {
        byte[] mended = [.. pack];
        for (long at = FileHeader; at + FrameHead <= mended.Length;)
        {
            var stored = BinaryPrimitives.ReadUInt32LittleEndian(mended.AsSpan((int)at + 4));
            var end = at + FrameHead + stored;
            if (end > mended.Length)
            {
                break;
            }

            Seal(mended.AsSpan((int)at, (int)(end - at)), at);
            at = end;
        }

        return mended;
    }

    private static void Seal(Span<byte> frame, long offset)
    {
        var place = XxHash3.HashToUInt64(frame[..Checked], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[Checked..], XxHash3.HashToUInt64(frame[FrameHead..], unchecked((long)place)));
    }

    public static Entry Folder(string path) => new() { Path = EntryPath.Parse(path), Type = EntryType.Directory, Mode = 0x1ED };

    public static Entry File(string path, byte[] content) => new()
    {
        Path = EntryPath.Parse(path), Type = EntryType.File, Mode = 0x1A4, Size = content.Length, Hash = HashOf(content), MtimeUnixNs = 1_700_000_000_123_456_789,
    };

    private static Entry Link(string path, string target) => new()
    {
        Path = EntryPath.Parse(path), Type = EntryType.Symlink, Mode = 0x1FF, LinkTarget = System.Text.Encoding.UTF8.GetBytes(target),
    };
}
