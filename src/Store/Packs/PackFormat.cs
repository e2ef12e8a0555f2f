using System.Buffers.Binary;
using System.IO.Hashing;

namespace Mirror.Store.Packs;

/// <summary>The fixed parts of a pack file (docs/format.md, "Pack"): sizes, limits and the header of each frame.</summary>
internal static class PackFormat
{
    public const ushort Major = 1;

    /// <summary>Since 1 changes can have moves. A reader of 0 refuses such a record, as it refuses every field it does not know, and reads all others.</summary>
    public const ushort Minor = 1;

    public const int FileHeaderLength = 16;
    public const int MaxRawFrame = 1 << 20;
    public const int TrailerLength = 32;

    // Bounds on what a reader is ready to hold in memory, far beyond any real site: tens of millions of entries, or of contents, in one pack.
    public const long MaxChangesBytes = 4L << 30;
    public const long MaxIndexBytes = 2L << 30;

    public static ReadOnlySpan<byte> Magic => [0x89, (byte)'M', (byte)'I', (byte)'R', (byte)'P', (byte)'K', 0x0D, 0x0A];
    public static ReadOnlySpan<byte> EndMagic => "MIRPKEND"u8;
}

internal enum FrameKind : byte
{
    Header = 1,
    Data = 2,
    Changes = 3,
    Index = 4,
    Trailer = 5,
}

internal enum FrameCodec : byte
{
    Raw = 0,
    Zstd = 1,
}

/// <summary>Where a frame is and what it holds, as the index says it.</summary>
internal readonly record struct FramePlace(long Offset, int Stored, int Raw, FrameKind Kind)
{
    public long End => Offset + FrameHeader.Length + Stored;
}

/// <summary>The twenty bytes before a frame's stored bytes.</summary>
internal readonly record struct FrameHeader(FrameKind Kind, FrameCodec Codec, int Stored, int Raw, ulong Checksum)
{
    public const int Length = 20;

    /// <summary>What the checksum covers of the header itself, and the tag of an encrypted frame too.</summary>
    public const int CheckedLength = 12;

    /// <summary>Writes the header of the frame that lies at <paramref name="offset"/> of the file, with the checksum over it, its place and its stored bytes.</summary>
    public static void Write(Span<byte> destination, FrameKind kind, FrameCodec codec, int raw, ReadOnlySpan<byte> stored, long offset)
    {
        WriteChecked(destination, kind, codec, stored.Length, raw);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[CheckedLength..], ChecksumOf(destination, stored, offset));
    }

    /// <summary>Writes the header but for its checksum: what a frame is encrypted under.</summary>
    public static void WriteChecked(Span<byte> destination, FrameKind kind, FrameCodec codec, int stored, int raw)
    {
        destination[0] = (byte)kind;
        destination[1] = (byte)codec;
        destination[2] = 0;
        destination[3] = 0;
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], (uint)stored);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], (uint)raw);
    }

    /// <summary>Null and the header, every length of it within its limit; or what is wrong with it.</summary>
    /// <param name="tag">How many of the stored bytes are a tag.</param>
    public static string? Parse(ReadOnlySpan<byte> bytes, int tag, out FrameHeader header)
    {
        header = default;
        if (bytes.Length < Length)
        {
            return "it is cut short";
        }

        var kind = (FrameKind)bytes[0];
        var codec = (FrameCodec)bytes[1];
        var stored = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        var raw = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (kind is < FrameKind.Header or > FrameKind.Trailer || bytes[2] != 0 || bytes[3] != 0)
        {
            return "it does not begin as a frame does";
        }

        if (raw is 0 or > PackFormat.MaxRawFrame)
        {
            return $"it claims {raw} bytes; a frame holds 1 to {PackFormat.MaxRawFrame}";
        }

        var sound = codec switch
        {
            FrameCodec.Raw => stored == raw + tag,
            FrameCodec.Zstd => stored > tag && stored < raw + tag,
            _ => false,
        };
        if (!sound)
        {
            return $"it claims {stored} stored bytes of {raw} in codec {(byte)codec}";
        }

        header = new FrameHeader(kind, codec, (int)stored, (int)raw, BinaryPrimitives.ReadUInt64LittleEndian(bytes[CheckedLength..]));
        return null;
    }

    public static bool IsChecksumRight(ReadOnlySpan<byte> header, ReadOnlySpan<byte> stored, long offset) =>
        BinaryPrimitives.ReadUInt64LittleEndian(header[CheckedLength..]) == ChecksumOf(header, stored, offset);

    private static ulong ChecksumOf(ReadOnlySpan<byte> header, ReadOnlySpan<byte> stored, long offset)
    {
        var place = XxHash3.HashToUInt64(header[..CheckedLength], offset);
        return XxHash3.HashToUInt64(stored, unchecked((long)place));
    }
}
