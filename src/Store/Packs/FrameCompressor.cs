using ZstdSharp;

namespace Mirror.Store.Packs;

/// <summary>How hard a frame is worth compressing.</summary>
internal enum CompressionEffort
{
    /// <summary>Whole contents and records: there may be much of them, and somebody waits.</summary>
    Fast,

    /// <summary>Deltas: a small part of what was read to make them.</summary>
    Thorough,
}

/// <summary>
/// zstd, a frame at a time, and none for what is compressed already: judged by the bytes of a sample, never by a name.
/// </summary>
internal sealed class FrameCompressor : IDisposable
{
    // Level 1 is what keeps up with reading; deltas are small beside what was read for them, and level 6 takes a tenth and more off most of theirs.
    private const int FastLevel = 1;
    private const int ThoroughLevel = 6;

    // Below this zstd's own header eats what it saves.
    private const int SmallestWorthCompressing = 32;

    // A sample is taken of frames that cost more to compress than it does: slices from all over the frame, so that a text among pictures is most likely seen.
    private const int SmallestWorthSampling = 128 << 10;
    private const int Slices = 8;
    private const int SliceLength = 2 << 10;

    // What shrinks by less than a sixty-fourth is not worth the reader's time either.
    private const int SampleRoom = (Slices * SliceLength) - (Slices * SliceLength / 64);

    private readonly Compressor fast = new(FastLevel);
    private readonly byte[] sample = new byte[Slices * SliceLength];
    private readonly byte[] sampleRoom = new byte[SampleRoom];
    private Compressor? thorough;

    /// <summary>False when the frame does not fit the room, or does not seem worth it.</summary>
    public bool TryCompress(ReadOnlySpan<byte> raw, Span<byte> room, CompressionEffort effort, out int length)
    {
        length = 0;
        if (raw.Length < SmallestWorthCompressing || (raw.Length >= SmallestWorthSampling && !SampleShrinks(raw)))
        {
            return false;
        }

        var compressor = effort == CompressionEffort.Fast ? fast : thorough ??= new Compressor(ThoroughLevel);
        return compressor.TryWrap(raw, room, out length);
    }

    public void Dispose()
    {
        fast.Dispose();
        thorough?.Dispose();
    }

    private bool SampleShrinks(ReadOnlySpan<byte> raw)
    {
        for (var slice = 0; slice < Slices; slice++)
        {
            var at = (int)((long)(raw.Length - SliceLength) * slice / (Slices - 1));
            raw.Slice(at, SliceLength).CopyTo(sample.AsSpan(slice * SliceLength));
        }

        return fast.TryWrap(sample, sampleRoom, out _);
    }
}
