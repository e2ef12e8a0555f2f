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
    // Measured in frames of 1 MiB, MB/s of one core: level 1 takes source text to 1/4.2 at about 245, libraries to 1/2.6 at 145, a dump to 1/16.5 at 590. Level 3 gains
    // 8 % of the text, 10 % of the libraries and loses 4 % of the dump, at a third to a half of the speed: too little, where somebody waits for a whole site.
    // Deltas are small, and what remains in them is hard: level 6 takes 10 % more off those of text and dumps than level 1. No level finds more in random digits.
    private const int FastLevel = 1;
    private const int ThoroughLevel = 6;

    // Below this zstd's own header eats what it saves.
    private const int SmallestWorthCompressing = 32;

    // A sample is taken of frames that cost more to compress than it does: slices from all over the frame, so that a text among pictures is most likely seen.
    private const int SmallestWorthSampling = 128 << 10;
    private const int Slices = 8;
    private const int SliceLength = 2 << 10;

    // Costs a thirtieth of a millisecond, and saves half a one (level 1) to two and a half (level 6) for each mebibyte that does not shrink.
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
