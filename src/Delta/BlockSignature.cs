using System.Buffers;

namespace Mirror.Delta;

/// <summary>Weak and strong hashes of a content's blocks: all that must be kept of it to encode its successor.</summary>
public sealed class BlockSignature
{
    /// <summary>Block length in bytes for a content of <paramref name="contentLength"/> bytes.</summary>
    public static int BlockLengthFor(long contentLength) => throw new NotImplementedException();

    public static Task<ContentDigest> SignAsync(Stream content, long expectedLength, BlockKey key, CancellationToken cancellation) => throw new NotImplementedException();

    public void WriteTo(IBufferWriter<byte> output) => throw new NotImplementedException();

    /// <exception cref="DeltaFormatException">The bytes are no signature, or of an unknown major version.</exception>
    public static BlockSignature Parse(ReadOnlyMemory<byte> bytes) => throw new NotImplementedException();
}
