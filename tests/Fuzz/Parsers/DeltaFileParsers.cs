using System.Text;
using Mirror.Delta;
using Mirror.Store.DeltaFiles;
using Mirror.Store.Packs;
using ZstdSharp;

namespace Mirror.Fuzz.Parsers;

/// <summary>
/// Delta files that are applied. The input is the file before compression, so that the delta and the trailer are reached; compressed, unless its last byte is odd, or with an odd one as it is: for
/// the decompressor. What is accepted has the length and the hash that it says.
/// </summary>
internal sealed class DeltaFileApply() : Parser("delta-file", typeof(DeltaFormatException))
{
    private const int MaxBuilt = 1 << 20;

    public override IReadOnlyList<byte[]> Seeds { get; } = [.. Samples()];

    // A decompressor with its window, and the buffers of a patch.
    public override (long Fixed, int PerByte) Allocation => (8 << 20, 64);

    public override int Read(byte[] input)
    {
        var built = new Built();
        try
        {
            using var reader = new DeltaFileReader(new MemoryStream(Stored(input)), "input");
            var (length, hash) = reader.ApplyAsync(new MemoryStream(Deltas.Basis), built, default).GetAwaiter().GetResult();
            Promise(built.Length == length, "it yields another length than it reports");
            Same(reader.Target.Hash.AsSpan(0, hash.Length), hash, "a wrong hash was accepted");
            return HashCode.Combine(reader.Hash, Rough(length));
        }
        catch (TooMuch)
        {
            return Rough(MaxBuilt);
        }
    }

    private static byte[] Stored(byte[] input)
    {
        if (input.Length < DeltaFile.HeaderLength + 1)
        {
            return input;
        }

        var payload = input.AsSpan(DeltaFile.HeaderLength..^1);
        if (input[^1] % 2 == 1)
        {
            return input[..^1];
        }

        using var compressor = new Compressor(1);
        return [.. input[..DeltaFile.HeaderLength], .. compressor.Wrap(payload)];
    }

    private static IEnumerable<byte[]> Samples()
    {
        foreach (var target in Deltas.Targets)
        {
            foreach (var kind in Enum.GetValues<WholeHash>())
            {
                var delta = new MemoryStream();
                var digest = FileDelta.EncodeAsync(new MemoryStream(target), Deltas.Sign(Deltas.Basis), Deltas.Key, delta, default, kind).GetAwaiter().GetResult();
                byte[] payload = [.. delta.ToArray(), .. DeltaFile.Trailer(digest.Length, digest.Hash)];
                byte[] header = DeltaFile.Header(Deltas.Basis.Length, kind);
                using var compressor = new Compressor(1);
                yield return [.. header, .. payload, 0];
                yield return [.. header, .. compressor.Wrap(payload), 1];
            }
        }
    }

    /// <summary>A few bytes may lawfully copy the same range again and again: who applies a delta file has a disk to fill, and this has not.</summary>
    private sealed class Built : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (Length + buffer.Length > MaxBuilt)
            {
                throw new TooMuch();
            }

            base.Write(buffer);
        }
    }

    private sealed class TooMuch : Exception;
}

/// <summary>Signature files, from a file and from a pipe.</summary>
internal sealed class SignatureFileParser() : Parser("signature-file", typeof(DeltaFormatException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [.. Deltas.Targets.Select(Stored)];

    // A pipe is read through a buffer.
    public override (long Fixed, int PerByte) Allocation => (1 << 20, 64);

    public override int Read(byte[] input)
    {
        var file = SignatureFile.ReadAsync(new MemoryStream(input), "input", default).GetAwaiter().GetResult();
        var again = new MemoryStream();
        file.WriteTo(again);
        Same(input, again.ToArray(), "a signature file has one encoding, and this is another");
        return HashCode.Combine(Rough(file.Signature.ContentLength), file.Signature.BlockLength);
    }

    private static byte[] Stored(byte[] content)
    {
        var stored = new MemoryStream();
        new SignatureFile(Deltas.Key, Deltas.Sign(content)).WriteTo(stored);
        return stored.ToArray();
    }
}

/// <summary>Key files of packs.</summary>
internal sealed class KeyFileParser() : Parser("key-file", typeof(InvalidDataException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        .. new[] { "\n", "\r\n", "" }.Select(end => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(Deltas.Content(PackKey.Length, 5)) + end)),
        Encoding.ASCII.GetBytes(Convert.ToHexString(Deltas.Content(PackKey.Length, 6))),
    ];

    public override int MaxLength => 256;

    public override int Read(byte[] input)
    {
        var file = Scratch("key");
        file.Write(input);
        var id = PackKey.ReadFile(file.Path).Id;
        Promise(id.Length == 32 && !Encoding.ASCII.GetString(input).Contains(id, StringComparison.OrdinalIgnoreCase), "the id gives the key away");
        return input.Length;
    }
}
