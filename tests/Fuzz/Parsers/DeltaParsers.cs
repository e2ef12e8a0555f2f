using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using Mirror.Delta;

namespace Mirror.Fuzz.Parsers;

/// <summary>Contents, and the delta's algebra on arrays, for the parsers of deltas.</summary>
internal static class Deltas
{
    public const int MaxYield = 64 << 10;
    public static readonly BlockKey Key = new(0xF022);

    public static readonly byte[] Basis = Content(6_000, 1);

    /// <summary>Edits of all kinds, in blocks and between them, and contents that have nothing in common.</summary>
    public static readonly IReadOnlyList<byte[]> Targets =
    [
        Basis, [], [7], [.. Basis[..3000], 1, 2, 3, .. Basis[3000..]], [.. Basis[2048..], .. Basis[..2048]], [.. Basis[..512], .. Basis[..512], .. Basis[..1024]], Content(700, 2),
        [.. Basis[..1500], .. Content(90, 3), .. Basis[1600..4000], .. Content(9, 4), .. Basis[4000..]], new byte[5000],
    ];

    public static byte[] Content(int length, int seed)
    {
        var bytes = new byte[length];
        var random = new Random(seed);
        random.NextBytes(bytes);

        // Half of it has a short period: blocks that look alike.
        for (var at = length / 2; at < length; at++)
        {
            bytes[at] = bytes[at % 37];
        }

        return bytes;
    }

    public static BlockSignature Sign(byte[] content) => BlockSignature.SignAsync(new MemoryStream(content), content.Length, Key, default).GetAwaiter().GetResult().Signature;

    public static byte[] Store(BlockSignature signature)
    {
        var bytes = new ArrayBufferWriter<byte>();
        signature.WriteTo(bytes);
        return bytes.WrittenSpan.ToArray();
    }

    public static byte[] Encode(byte[] basis, byte[] target) => EncodeFrom(Sign(basis), target).Delta;

    public static (byte[] Delta, ContentDigest Digest) EncodeFrom(BlockSignature? basis, byte[] target)
    {
        var delta = new MemoryStream();
        var digest = FileDelta.EncodeAsync(new MemoryStream(target), basis, Key, delta, default).GetAwaiter().GetResult();
        return (delta.ToArray(), digest);
    }

    public static byte[] Apply(byte[] basis, byte[] delta, long maxLength = MaxYield)
    {
        var target = new MemoryStream();
        var (length, sha256) = FileDelta.ApplyAsync(new MemoryStream(basis), new MemoryStream(delta), target, maxLength, default).GetAwaiter().GetResult();
        var bytes = target.ToArray();
        if (length != bytes.Length || length > maxLength || !sha256.AsSpan().SequenceEqual(SHA256.HashData(bytes)))
        {
            throw new BrokenPromiseException("what was written is longer than allowed, or not what was reported");
        }

        return bytes;
    }

    public static byte[]? TryApply(byte[] basis, byte[] delta)
    {
        try
        {
            return Apply(basis, delta);
        }
        catch (DeltaFormatException)
        {
            return null;
        }
    }

    public static byte[] Invert(byte[] old, byte[] next, byte[] forward)
    {
        var reverse = new MemoryStream();
        FileDelta.InvertAsync(new MemoryStream(old), new MemoryStream(next), new MemoryStream(forward), reverse, default).GetAwaiter().GetResult();
        return reverse.ToArray();
    }

    public static byte[] Compose(byte[] first, byte[] second)
    {
        var composed = new MemoryStream();
        FileDelta.ComposeAsync(new MemoryStream(first), new MemoryStream(second), composed, MaxYield, default).GetAwaiter().GetResult();
        return composed.ToArray();
    }
}

/// <summary>What the primary keeps of contents in its index.</summary>
internal sealed class SignatureParser() : Parser("signature", typeof(DeltaFormatException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [.. Deltas.Targets.Select(target => Deltas.Store(Deltas.Sign(target)))];

    public override int Read(byte[] input)
    {
        var signature = BlockSignature.Parse(input);
        Same(input, Deltas.Store(signature), "a signature has one encoding, and this is another");
        Promise(signature.ContentLength >= 0 && signature.BlockLength > 0, "a length that cannot be");
        return HashCode.Combine(Rough(signature.ContentLength), signature.BlockLength);
    }
}

/// <summary>
/// Encoding against a signature that lies: the delta may be useless, but it is a delta of the right length, and the digest is right. Of blocks whose strong hashes are right the weak ones are believed: such a lie
/// goes on to the new signature, where it finds less, and never something wrong.
/// </summary>
internal sealed class SignatureUse() : Parser("signature-use", typeof(DeltaFormatException))
{
    private static readonly byte[] target = Deltas.Targets[3];
    private static readonly byte[] sha256 = SHA256.HashData(target);

    public override IReadOnlyList<byte[]> Seeds { get; } = [.. Deltas.Targets.Select(content => Deltas.Store(Deltas.Sign(content)))];

    // An encoder's window and tables besides.
    public override (long Fixed, int PerByte) Allocation => (16 << 20, 256);

    public override int Read(byte[] input)
    {
        var signature = BlockSignature.Parse(input);
        if (signature.BlockLength > 64 << 10)
        {
            return Rough(signature.BlockLength);
        }

        var (delta, digest) = Deltas.EncodeFrom(signature, target);
        Promise(digest.Length == target.Length && digest.Hash.AsSpan().SequenceEqual(sha256), "the digest is of something else");
        SameButForLies(Deltas.Sign(target), digest.Signature, input);
        return HashCode.Combine(signature.BlockLength, Rough(delta.Length));
    }

    private static void SameButForLies(BlockSignature expected, BlockSignature found, byte[] lying)
    {
        const string Else = "the new signature is of something else";
        var right = Deltas.Store(expected);
        var stored = Deltas.Store(found);
        Promise(right.Length == stored.Length, Else);
        var pieces = (int)((expected.ContentLength + expected.PieceLength - 1) / expected.PieceLength);
        var weakTo = right.Length - (pieces * sizeof(ulong));
        var weakFrom = weakTo - ((int)(expected.ContentLength / expected.BlockLength) * sizeof(uint));
        Same(right.AsSpan(0, weakFrom), stored.AsSpan(0, weakFrom), Else);
        Same(right.AsSpan(weakTo), stored.AsSpan(weakTo), Else);
        for (var at = weakFrom; at < weakTo; at += sizeof(uint))
        {
            var weak = stored.AsSpan(at, sizeof(uint));
            Promise(weak.SequenceEqual(right.AsSpan(at, sizeof(uint))) || lying.AsSpan().IndexOf(weak) >= 0, Else);
        }
    }
}

/// <summary>A delta that is applied: bounded, and what it yields is what it reports.</summary>
internal sealed class DeltaApply() : Parser("delta", typeof(DeltaFormatException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
        [.. Deltas.Targets.Select(target => Deltas.Encode(Deltas.Basis, target)), Deltas.EncodeFrom(null, Deltas.Targets[6]).Delta];

    public override (long Fixed, int PerByte) Allocation => (4 << 20, 64);

    public override int Read(byte[] input) => Rough(Deltas.Apply(Deltas.Basis, input).Length);
}

/// <summary>A delta that is inverted. When it really leads from the old content to the new one, the reverse leads back; when it does not, it may be refused, or lead to something as long.</summary>
internal sealed class DeltaInvert() : Parser("delta-invert", typeof(DeltaFormatException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } = [.. Deltas.Targets.Select(target => Deltas.Encode(Deltas.Basis, target))];

    public override (long Fixed, int PerByte) Allocation => (8 << 20, 256);

    public override int Read(byte[] input)
    {
        if (Deltas.TryApply(Deltas.Basis, input) is { } target)
        {
            var reverse = Deltas.Invert(Deltas.Basis, target, input);
            Same(Deltas.Basis, Deltas.Apply(target, reverse), "the reverse does not lead back");
            return HashCode.Combine(Rough(target.Length), Rough(reverse.Length));
        }

        var lie = Deltas.Invert(Deltas.Basis, Deltas.Targets[3], input);
        Promise(Deltas.Apply(Deltas.Targets[3], lie).Length == Deltas.Basis.Length, "the reverse leads to another length");
        return -1;
    }
}

/// <summary>Two deltas, the length of the first before them. When they can be applied in turn, their composition does the same.</summary>
internal sealed class DeltaCompose() : Parser("delta-compose", typeof(DeltaFormatException))
{
    public override IReadOnlyList<byte[]> Seeds { get; } =
    [
        .. from middle in Deltas.Targets
           from last in Deltas.Targets
           select Joined(Deltas.Encode(Deltas.Basis, middle), Deltas.Encode(middle, last)),
    ];

    public override (long Fixed, int PerByte) Allocation => (8 << 20, 256);

    public override int Read(byte[] input)
    {
        var length = input.Length < 2 ? 0 : Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(input), input.Length - 2);
        byte[] first = input[Math.Min(2, input.Length)..][..length];
        byte[] second = input[Math.Min(2 + length, input.Length)..];
        var middle = Deltas.TryApply(Deltas.Basis, first);
        var last = middle is null ? null : Deltas.TryApply(middle, second);
        byte[] composed;
        try
        {
            composed = Deltas.Compose(first, second);
        }
        catch (DeltaFormatException) when (last is not null)
        {
            throw new BrokenPromiseException("two deltas that can be applied in turn cannot be composed");
        }

        if (last is not null)
        {
            Same(last, Deltas.Apply(Deltas.Basis, composed), "the composition does something else than both in turn");
        }

        return HashCode.Combine(Rough(first.Length), Rough(composed.Length), last is null);
    }

    private static byte[] Joined(byte[] first, byte[] second)
    {
        var bytes = new byte[2 + first.Length + second.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)first.Length);
        first.CopyTo(bytes, 2);
        second.CopyTo(bytes, 2 + first.Length);
        return bytes;
    }
}
