using System.Buffers;
using System.Security.Cryptography;

namespace Mirror.Delta.Tests;

/// <summary>The algebra on byte arrays, and the deltas' operations made visible.</summary>
internal static class Deltas
{
    public static readonly BlockKey Key = new(0x5EED_0F_B10C);

    public static BlockSignature Sign(byte[] content) => SignDigest(content).Signature;

    public static ContentDigest SignDigest(byte[] content) =>
        BlockSignature.SignAsync(new MemoryStream(content), content.Length, Key, default).GetAwaiter().GetResult();

    public static byte[] Encode(byte[] basis, byte[] target) => EncodeFrom(Sign(basis), target).Delta;

    public static (byte[] Delta, ContentDigest Digest) EncodeFrom(BlockSignature? basis, byte[] target)
    {
        MemoryStream delta = new();
        ContentDigest digest = FileDelta.EncodeAsync(new MemoryStream(target), basis, Key, delta, default).GetAwaiter().GetResult();
        return (delta.ToArray(), digest);
    }

    public static byte[] EncodeExact(byte[] basis, byte[] target)
    {
        MemoryStream delta = new();
        FileDelta.EncodeExactAsync(new MemoryStream(target), Sign(basis), new MemoryStream(basis), Key, delta, default).GetAwaiter().GetResult();
        return delta.ToArray();
    }

    public static byte[] Apply(byte[] basis, byte[] delta, long maxLength = long.MaxValue)
    {
        MemoryStream target = new();
        (long length, byte[] sha256) =
            FileDelta.ApplyAsync(new MemoryStream(basis), new MemoryStream(delta), target, maxLength, default).GetAwaiter().GetResult();
        byte[] written = target.ToArray();
        Assert.Equal(written.Length, length);
        Assert.Equal(SHA256.HashData(written), sha256);
        return written;
    }

    public static byte[] Invert(byte[] oldContent, byte[] newContent, byte[] forward)
    {
        MemoryStream reverse = new();
        FileDelta.InvertAsync(new MemoryStream(oldContent), new MemoryStream(newContent), new MemoryStream(forward), reverse, default).GetAwaiter().GetResult();
        return reverse.ToArray();
    }

    public static byte[] Compose(byte[] first, byte[] second, long maxLength = long.MaxValue)
    {
        MemoryStream composed = new();
        FileDelta.ComposeAsync(new MemoryStream(first), new MemoryStream(second), composed, maxLength, default).GetAwaiter().GetResult();
        return composed.ToArray();
    }

    public static byte[] Store(BlockSignature signature)
    {
        ArrayBufferWriter<byte> stored = new();
        signature.WriteTo(stored);
        return stored.WrittenSpan.ToArray();
    }

    public static List<DeltaOp> Operations(byte[] delta)
    {
        List<DeltaOp> operations = [];
        using DeltaReader reader = new(new MemoryStream(delta), long.MaxValue, long.MaxValue);
        while (reader.Next() is { IsEnd: false } op)
        {
            operations.Add(op.IsCopy ? op : Literal(op.Length));
        }
        return operations;
    }

    public static DeltaOp Copy(long offset, long length) => new(true, offset, length);

    public static DeltaOp Literal(long length) => new(false, 0, length);

    public static long LiteralBytes(byte[] delta) => Operations(delta).Where(op => !op.IsCopy).Sum(op => op.Length);

    public static byte[] Random(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
