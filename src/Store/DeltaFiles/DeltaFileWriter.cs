using Mirror.Delta;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Mirror.Store.DeltaFiles;

/// <summary>Writes a delta file as one forward stream: header, then compressed the delta and a trailer that names the target.</summary>
public sealed class DeltaFileWriter : IAsyncDisposable
{
    /// <summary>Of the first twelve levels the fastest is within a tenth of the smallest on deltas of dumps, and the smallest of the first four.</summary>
    private const int CompressionLevel = 1;

    private readonly CompressionStream compressed;

    /// <param name="output">Stays the caller's.</param>
    /// <param name="basisLength">Length in bytes of the content that the delta applies to.</param>
    /// <param name="hash">Which hash of the target will be given in the end.</param>
    public DeltaFileWriter(Stream output, long basisLength, WholeHash hash)
    {
        output.Write(DeltaFile.Header(basisLength, hash));
        compressed = new CompressionStream(output, CompressionLevel, leaveOpen: true);
        compressed.SetParameter(ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
    }

    /// <summary>Takes the delta (FileDelta format).</summary>
    public Stream Delta => compressed;

    /// <summary>To be called when the delta is written: what it yields.</summary>
    public async Task CompleteAsync(long targetLength, byte[] hash)
    {
        compressed.Write(DeltaFile.Trailer(targetLength, hash));
        await compressed.DisposeAsync();
    }

    public ValueTask DisposeAsync() => compressed.DisposeAsync();
}
