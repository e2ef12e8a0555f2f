using System.Buffers.Binary;
using Mirror.Delta;

namespace Mirror.Store.DeltaFiles;

/// <summary>The fixed parts of a delta file (docs/format.md, "Delta file"): one delta between two files, for people who want just that.</summary>
internal static class DeltaFile
{
    public const int HeaderLength = 24;
    public const int TrailerLength = 40;

    private const ushort Major = 1;

    private static ReadOnlySpan<byte> Magic => [0x89, (byte)'M', (byte)'I', (byte)'R', (byte)'D', (byte)'L', 0x0D, 0x0A];

    public static byte[] Header(long basisLength, WholeHash hash)
    {
        var header = new byte[HeaderLength];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), Major);
        header[12] = (byte)hash;
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), basisLength);
        return header;
    }

    /// <summary>Null and the length of the basis; or what is wrong.</summary>
    public static string? Parse(ReadOnlySpan<byte> header, out long basisLength, out WholeHash hash)
    {
        (basisLength, hash) = (0, default);
        if (header.Length < HeaderLength)
        {
            return $"it is cut short: {header.Length} bytes are less than its header";
        }

        if (!header.StartsWith(Magic))
        {
            return "it does not begin as a delta file does";
        }

        var major = BinaryPrimitives.ReadUInt16LittleEndian(header[8..]);
        if (major > Major)
        {
            return $"it was made by a newer Mirror: format {major}, this one reads {Major}; upgrade";
        }

        basisLength = BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
        hash = (WholeHash)header[12];
        return major == 0 || basisLength < 0 || hash is not (WholeHash.Sha256 or WholeHash.XxHash128) || BinaryPrimitives.ReadUInt16LittleEndian(header[10..]) != 0
            || header[13..16].ContainsAnyExcept((byte)0)
            ? "its header makes no sense" : null;
    }

    public static byte[] Trailer(long targetLength, ReadOnlySpan<byte> hash)
    {
        var trailer = new byte[TrailerLength];
        BinaryPrimitives.WriteInt64LittleEndian(trailer, targetLength);
        hash.CopyTo(trailer.AsSpan(8));
        return trailer;
    }

    public static (long TargetLength, byte[] Hash) ParseTrailer(ReadOnlySpan<byte> trailer) =>
        (BinaryPrimitives.ReadInt64LittleEndian(trailer), trailer[8..TrailerLength].ToArray());
}
