using System.Security.Cryptography;
using System.Text;

namespace Mirror.Store.Packs;

/// <summary>A pack is encrypted, and none of the keys at hand is the one: nothing is wrong with the pack.</summary>
public sealed class PackKeyException(string message) : PackFormatException(message);

/// <summary>
/// A master key that opens encrypted packs. It encrypts nothing itself: each pack has a key of its own, derived from it and the pack's salt, so that nonces cannot meet
/// however many packs there are.
/// </summary>
public sealed class PackKey
{
    public const int Length = 32;
    internal const int SaltLength = 32;
    internal const int IdLength = 16;

    private static readonly byte[] idInfo = Encoding.ASCII.GetBytes("mirror pack key id");
    private static readonly byte[] framesInfo = Encoding.ASCII.GetBytes("mirror pack frames");

    private readonly byte[] secret;
    private readonly byte[] id;

    private PackKey(byte[] secret)
    {
        this.secret = secret;
        id = HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, IdLength, info: idInfo);
    }

    /// <summary>Names the key without giving it away; what a pack says of the key that opens it.</summary>
    public string Id => Convert.ToHexStringLower(id);

    internal ReadOnlySpan<byte> IdBytes => id;

    /// <exception cref="ArgumentException">Not 32 bytes.</exception>
    public static PackKey From(ReadOnlySpan<byte> secret) => secret.Length == Length
        ? new PackKey(secret.ToArray())
        : throw new ArgumentException($"A pack key has {Length} bytes, not {secret.Length}.", nameof(secret));

    /// <summary>Reads a key file: one line of 64 hexadecimal digits.</summary>
    /// <exception cref="InvalidDataException">It is something else.</exception>
    public static PackKey ReadFile(string path)
    {
        // One byte more than the longest that can be right, so that a device or a large file is not read through.
        Span<byte> text = stackalloc byte[(2 * Length) + 3];
        int length;
        using (var file = File.OpenRead(path))
        {
            length = file.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
        }

        var line = Encoding.ASCII.GetString(text[..length]).TrimEnd('\r', '\n');
        text.Clear();
        if (line.Length != 2 * Length || !line.All(char.IsAsciiHexDigit))
        {
            throw new InvalidDataException(
                $"The key file {path} is not one line of {2 * Length} hexadecimal digits. `openssl rand -hex {Length}` prints a new key; an old one must be brought back from where it is kept.");
        }

        return new PackKey(Convert.FromHexString(line));
    }

    /// <summary>The id only: a key never shows.</summary>
    public override string ToString() => Id;

    internal AesGcm OfPack(ReadOnlySpan<byte> salt)
    {
        Span<byte> key = stackalloc byte[Length];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, key, salt, framesInfo);
        var aes = new AesGcm(key, PackCipher.TagLength);
        CryptographicOperations.ZeroMemory(key);
        return aes;
    }
}
