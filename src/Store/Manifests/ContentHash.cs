using System.Buffers.Binary;

namespace Mirror.Store.Manifests;

/// <summary>A plain SHA-256, so that <c>sha256sum -c</c> can check a mirror. <c>default</c> (all zeros) means "none".</summary>
public readonly record struct ContentHash(ulong A, ulong B, ulong C, ulong D)
{
    public const int Length = 32;

    public bool IsNone => (A | B | C | D) == 0;

    public static ContentHash From(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Length)
        {
            throw new InvalidDataException($"A SHA-256 has {Length} bytes; got {bytes.Length}.");
        }

        return new ContentHash(
            BinaryPrimitives.ReadUInt64BigEndian(bytes),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]));
    }

    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, A);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], B);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], C);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], D);
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Length];
        CopyTo(bytes);
        return bytes;
    }

    public override string ToString() => Convert.ToHexStringLower(ToArray());
}
