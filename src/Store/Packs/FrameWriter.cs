using System.Buffers;
using ZstdSharp;

namespace Mirror.Store.Packs;

/// <summary>Cuts nothing itself: compresses, checksums and writes the frames it is given, one after another, and remembers where each one is.</summary>
internal sealed class FrameWriter(Stream output) : IDisposable
{
    // Below this zstd's own header eats what it saves.
    private const int SmallestWorthCompressing = 32;

    private readonly Compressor compressor = new(PackFormat.CompressionLevel);
    private byte[] packet = ArrayPool<byte>.Shared.Rent(PackFormat.FileHeaderLength + FrameHeader.Length + PackFormat.MaxRawFrame);
    private bool broken;

    public List<FramePlace> Places { get; } = [];

    /// <summary>Where the next frame begins, counted from the start of the pack.</summary>
    public long Offset { get; private set; }

    public void Write(FrameKind kind, ReadOnlySpan<byte> raw)
    {
        var sealedFrame = Seal(kind, raw, out var place);
        broken = true;
        output.Write(packet, 0, sealedFrame);
        Advance(place);
    }

    public async ValueTask WriteAsync(FrameKind kind, ReadOnlyMemory<byte> raw, CancellationToken cancellation)
    {
        var sealedFrame = Seal(kind, raw.Span, out var place);
        broken = true;
        await output.WriteAsync(packet.AsMemory(0, sealedFrame), cancellation);
        Advance(place);
    }

    public Task FlushAsync(CancellationToken cancellation) => output.FlushAsync(cancellation);

    public void Dispose()
    {
        compressor.Dispose();
        if (packet.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(packet);
            packet = [];
        }
    }

    private int Seal(FrameKind kind, ReadOnlySpan<byte> raw, out FramePlace place)
    {
        ObjectDisposedException.ThrowIf(packet.Length == 0, this);
        if (broken)
        {
            throw new InvalidOperationException("An earlier write of this pack failed: what follows would not be found. Write the pack anew.");
        }

        if (raw.Length is 0 or > PackFormat.MaxRawFrame)
        {
            throw new ArgumentOutOfRangeException(nameof(raw), raw.Length, $"A frame holds 1 to {PackFormat.MaxRawFrame} bytes.");
        }

        // The file header travels with the first frame: a pack's first write is never only half of what makes it a pack.
        var start = 0;
        if (Offset == 0)
        {
            PackFormat.WriteFileHeader(packet);
            start = PackFormat.FileHeaderLength;
        }

        var body = packet.AsSpan(start + FrameHeader.Length);
        var codec = FrameCodec.Zstd;
        var compressible = kind != FrameKind.Trailer && raw.Length >= SmallestWorthCompressing;
        if (!compressible || !compressor.TryWrap(raw, body[..(raw.Length - 1)], out var stored))
        {
            raw.CopyTo(body);
            stored = raw.Length;
            codec = FrameCodec.Raw;
        }

        place = new FramePlace(Offset + start, stored, raw.Length, kind);
        FrameHeader.Write(packet.AsSpan(start), kind, codec, raw.Length, body[..stored], place.Offset);
        return start + FrameHeader.Length + stored;
    }

    private void Advance(FramePlace place)
    {
        broken = false;
        Places.Add(place);
        Offset = place.End;
    }
}
