using System.Buffers.Binary;
using System.Security.Cryptography;
using Mirror.Delta;

namespace Mirror.Store.DeltaFiles;

/// <summary>A block signature with the key it was made with (docs/format.md, "Signature file"): all a diff needs to know of the old file.</summary>
public sealed record SignatureFile(BlockKey Key, BlockSignature Signature)
{
    private const int HeaderLength = 16;

    private static ReadOnlySpan<byte> Magic => [0x89, (byte)'M', (byte)'I', (byte)'R', (byte)'S', (byte)'G', 0x0D, 0x0A];

    /// <summary>A key of its own for each signature: nobody can prepare blocks that collide under it.</summary>
    public static BlockKey NewKey() => new(BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(ulong))));

    public void WriteTo(Stream output)
    {
        Span<byte> header = stackalloc byte[HeaderLength];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], Key.Seed);
        output.Write(header);
        Signature.WriteTo(output);
    }

    /// <exception cref="DeltaFormatException">It is no signature file, or a newer one.</exception>
    public static async Task<SignatureFile> ReadAsync(Stream input, string name, CancellationToken cancellation)
    {
        // At least as long as its content's hashes; a stream that goes on for ever is refused at the bound of a signature.
        const long longest = 2L << 30;
        using var bytes = new MemoryStream(input.CanSeek ? (int)Math.Clamp(input.Length - input.Position, 0, longest / 2) : 0);
        var buffer = new byte[256 << 10];
        int read;
        while ((read = await input.ReadAsync(buffer, cancellation)) > 0)
        {
            if (bytes.Length + read >= longest - buffer.Length || (bytes.Length == 0 && !buffer.AsSpan(0, read).StartsWith(Magic[..Math.Min(read, Magic.Length)])))
            {
                throw new DeltaFormatException($"{name} is no signature file. Make one with `mirror delta sign`.");
            }

            bytes.Write(buffer, 0, read);
        }

        if (bytes.Length < HeaderLength)
        {
            throw new DeltaFormatException($"The signature {name} is cut short: {bytes.Length} bytes are less than its header. Sign the file again.");
        }

        var stored = bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
        return new SignatureFile(new BlockKey(BinaryPrimitives.ReadUInt64LittleEndian(stored.Span[8..])), BlockSignature.Parse(stored[HeaderLength..]));
    }
}
