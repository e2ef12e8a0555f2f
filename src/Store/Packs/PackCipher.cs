using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Mirror.Store.Packs;

/// <summary>
/// Encrypts and opens the frames of one pack. A frame is bound to its pack by the key, to its place by the nonce, to its own header and the file's by the associated
/// data: it opens there, as that, or not at all.
/// </summary>
internal sealed class PackCipher : IDisposable
{
    public const int TagLength = 16;

    private readonly AesGcm aes;
    private readonly byte[] associated;

    public PackCipher(PackKey key, PackPreamble preamble)
    {
        aes = key.OfPack(preamble.Salt);
        associated = [.. preamble.Bytes, .. new byte[FrameHeader.CheckedLength]];
    }

    /// <param name="header">The frame's header; its checksum is not looked at.</param>
    /// <param name="offset">Where the frame lies. Never twice the same for one pack.</param>
    /// <param name="stored">What to encrypt, in place, and room for the tag behind it.</param>
    public void Seal(ReadOnlySpan<byte> header, long offset, Span<byte> stored)
    {
        Span<byte> nonce = stackalloc byte[AesGcm.NonceByteSizes.MaxSize];
        Bind(header, offset, nonce);
        var body = stored[..^TagLength];
        aes.Encrypt(nonce, body, body, stored[^TagLength..], associated);
    }

    /// <summary>Decrypts in place; false when the frame is not what the owner of the key put there.</summary>
    public bool TryOpen(ReadOnlySpan<byte> header, long offset, Span<byte> stored)
    {
        Span<byte> nonce = stackalloc byte[AesGcm.NonceByteSizes.MaxSize];
        Bind(header, offset, nonce);
        var body = stored[..^TagLength];
        try
        {
            aes.Decrypt(nonce, body, stored[^TagLength..], body, associated);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    public void Dispose() => aes.Dispose();

    private void Bind(ReadOnlySpan<byte> header, long offset, Span<byte> nonce)
    {
        header[..FrameHeader.CheckedLength].CopyTo(associated.AsSpan(PackPreamble.EncryptedLength));
        nonce.Clear();
        BinaryPrimitives.WriteInt64LittleEndian(nonce[(nonce.Length - sizeof(long))..], offset);
    }
}
