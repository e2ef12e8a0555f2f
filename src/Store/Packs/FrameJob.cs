using System.Buffers;
using Mirror.Delta;
using ZstdSharp;

namespace Mirror.Store.Packs;

/// <summary>One frame on its way: filled by the writer, packed on any thread, sealed for its place. Used again and again.</summary>
internal sealed class FrameJob : IDisposable
{
    // The headers stand before the stored bytes in one buffer, so that a frame is one write; the file header too, before the first.
    private const int HeaderAt = PackPreamble.EncryptedLength;
    private const int StoredAt = HeaderAt + FrameHeader.Length;

    private readonly FrameCompressor compressor = new();
    private readonly byte[] packet = ArrayPool<byte>.Shared.Rent(StoredAt + PackFormat.MaxRawFrame + PackCipher.TagLength);

    private FrameKind kind;
    private FrameCodec codec;
    private int packed;
    private int rawLength;

    /// <summary>The bytes a packing in the background takes; exchanged for an empty one when a full one is handed over.</summary>
    public byte[] Raw { get; set; } = ArrayPool<byte>.Shared.Rent(PackFormat.MaxRawFrame);

    public Task Packing { get; private set; } = Task.CompletedTask;

    /// <summary>Compresses the first bytes of <see cref="Raw"/> on another thread.</summary>
    public void Begin(FrameKind frame, int length, CompressionEffort effort) =>
        Packing = Beside.RunAsync(() => Pack(frame, Raw.AsSpan(0, length), effort));

    public void Pack(FrameKind frame, ReadOnlySpan<byte> raw, CompressionEffort effort)
    {
        if (raw.Length is 0 or > PackFormat.MaxRawFrame)
        {
            throw new ArgumentOutOfRangeException(nameof(raw), raw.Length, $"A frame holds 1 to {PackFormat.MaxRawFrame} bytes.");
        }

        kind = frame;
        rawLength = raw.Length;
        var body = packet.AsSpan(StoredAt);
        codec = FrameCodec.Zstd;
        if (frame == FrameKind.Trailer || !compressor.TryCompress(raw, body[..(raw.Length - 1)], effort, out packed))
        {
            raw.CopyTo(body);
            packed = raw.Length;
            codec = FrameCodec.Raw;
        }
    }

    /// <summary>The packed frame as bytes to write at <paramref name="position"/>; a pack's first frame brings the file header along, so that its first write makes it a pack.</summary>
    public ReadOnlyMemory<byte> Seal(long position, PackPreamble preamble, PackCipher? cipher, out FramePlace place)
    {
        var start = HeaderAt;
        if (position == 0)
        {
            start -= preamble.Length;
            preamble.Bytes.CopyTo(packet.AsSpan(start));
        }

        var offset = position + HeaderAt - start;
        var header = packet.AsSpan(HeaderAt, FrameHeader.Length);
        var stored = packet.AsSpan(StoredAt, packed + preamble.TagLength);
        if (cipher is not null)
        {
            FrameHeader.WriteChecked(header, kind, codec, stored.Length, rawLength);
            cipher.Seal(header, offset, stored);
        }

        FrameHeader.Write(header, kind, codec, rawLength, stored, offset);
        place = new FramePlace(offset, stored.Length, rawLength, kind);
        return packet.AsMemory(start, StoredAt + stored.Length - start);
    }

    /// <summary>Only when nothing is being packed.</summary>
    public void Dispose()
    {
        compressor.Dispose();
        ArrayPool<byte>.Shared.Return(packet);
        ArrayPool<byte>.Shared.Return(Raw);
    }
}
