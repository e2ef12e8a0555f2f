using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Mirror.Store.Packs;

/// <summary>The file header of a pack: which format, and whether it is encrypted, and for which key. All that can be read of an encrypted one without its key.</summary>
internal sealed class PackPreamble
{
    public const int EncryptedLength = PackFormat.FileHeaderLength + PackKey.SaltLength + PackKey.IdLength;
    private const uint EncryptedFlag = 1;
    private const int FlagsAt = 12;
    private const int SaltAt = PackFormat.FileHeaderLength;
    private const int KeyIdAt = SaltAt + PackKey.SaltLength;

    private readonly byte[] bytes;

    private PackPreamble(byte[] bytes) => this.bytes = bytes;

    public ReadOnlySpan<byte> Bytes => bytes;

    /// <summary>Where the first frame begins.</summary>
    public int Length => bytes.Length;

    public bool IsEncrypted => bytes.Length == EncryptedLength;

    /// <summary>How many of each frame's stored bytes are its tag.</summary>
    public int TagLength => IsEncrypted ? PackCipher.TagLength : 0;

    public ReadOnlySpan<byte> Salt => bytes.AsSpan(SaltAt, PackKey.SaltLength);

    public ReadOnlySpan<byte> KeyId => bytes.AsSpan(KeyIdAt, PackKey.IdLength);

    /// <summary>Of a new pack, with a salt of its own when there is a key.</summary>
    public static PackPreamble New(PackKey? key)
    {
        var bytes = new byte[key is null ? PackFormat.FileHeaderLength : EncryptedLength];
        PackFormat.Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(8), PackFormat.Major);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(10), PackFormat.Minor);
        if (key is not null)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(FlagsAt), EncryptedFlag);
            RandomNumberGenerator.Fill(bytes.AsSpan(SaltAt, PackKey.SaltLength));
            key.IdBytes.CopyTo(bytes.AsSpan(KeyIdAt));
        }

        return new PackPreamble(bytes);
    }

    /// <summary>Null and the preamble when this program can read what follows; else the reason why not.</summary>
    /// <param name="start">The first bytes of a file, as many as there are up to <see cref="EncryptedLength"/>.</param>
    public static string? Parse(ReadOnlySpan<byte> start, out PackPreamble? preamble)
    {
        preamble = null;
        var shown = start[..Math.Min(start.Length, PackFormat.Magic.Length)];
        if (!shown.SequenceEqual(PackFormat.Magic[..shown.Length]))
        {
            return "it is not a pack: it does not begin as one does";
        }

        if (start.Length < PackFormat.FileHeaderLength)
        {
            return $"it is cut short: {start.Length} bytes are less than the header of a pack";
        }

        var major = BinaryPrimitives.ReadUInt16LittleEndian(start[8..]);
        if (major > PackFormat.Major)
        {
            return $"it was made by a newer Mirror: format {major}, this one reads {PackFormat.Major}; upgrade";
        }

        if (major == 0)
        {
            return "its format number is 0";
        }

        var flags = BinaryPrimitives.ReadUInt32LittleEndian(start[FlagsAt..]);
        if ((flags & ~EncryptedFlag) != 0)
        {
            return $"it has flags this Mirror does not know (0x{flags:x8}); upgrade";
        }

        var length = flags == 0 ? PackFormat.FileHeaderLength : EncryptedLength;
        if (start.Length < length)
        {
            return $"it is cut short: {start.Length} bytes are less than the header of an encrypted pack";
        }

        preamble = new PackPreamble(start[..length].ToArray());
        return null;
    }
}
