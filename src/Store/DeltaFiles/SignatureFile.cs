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

    /// <param name="input">Read to its end; not seekable, it is held in memory first.</param>
    /// <param name="name">Of the file, for errors.</param>
    /// <exception cref="DeltaFormatException">It is no signature file, or a newer one.</exception>
    public static async Task<SignatureFile> ReadAsync(Stream input, string name, CancellationToken cancellation)
    {
        var header = new byte[HeaderLength];
        var read = await input.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, cancellation);
        if (!header.AsSpan(0, read).StartsWith(Magic))
        {
            throw new DeltaFormatException($"{name} is no signature file. Make one with `mirror delta sign`.");
        }

        if (read < HeaderLength)
        {
            throw new DeltaFormatException($"The signature {name} is cut short: {read} bytes are less than its header. Sign the file again.");
        }

        var key = new BlockKey(BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(8)));
        if (input.CanSeek)
        {
            return new SignatureFile(key, BlockSignature.Read(input));
        }

        using var held = new MemoryStream();
        await HoldAsync(input, held, name, cancellation);
        return new SignatureFile(key, BlockSignature.Parse(held.GetBuffer().AsMemory(0, (int)held.Length)));
    }

    // A stream that goes on for ever is refused at the bound of a signature.
    private static async Task HoldAsync(Stream input, MemoryStream held, string name, CancellationToken cancellation)
    {
        const int longest = 1 << 30;
        var buffer = new byte[256 << 10];
        int read;
        while ((read = await input.ReadAsync(buffer, cancellation)) > 0)
        {
            if (held.Length + read > longest)
            {
                throw new DeltaFormatException($"{name} is longer than any signature that comes through a pipe. Give a file.");
            }

            held.Write(buffer, 0, read);
        }
    }
}
