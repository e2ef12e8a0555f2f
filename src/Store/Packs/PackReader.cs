using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.Packs;

/// <summary>A pack that cannot be trusted or understood: cut short, flipped bits, over a bound, of a newer format. Names the file and the place.</summary>
public sealed class PackFormatException(string message) : Exception(message);

/// <param name="Basis">None: the delta holds the whole content.</param>
/// <param name="StoredBytes">Bytes of the delta before compression.</param>
public sealed record BlobInfo(ContentHash Hash, ContentHash Basis, long Size, long StoredBytes);

/// <summary>Random access to a pack file. Opening checks the trailer and the index; each frame's checksum is checked when it is read. Safe for one reader at a time.</summary>
public sealed class PackReader : IDisposable
{
    /// <exception cref="PackFormatException"/>
    public static PackReader Open(string path) => throw new NotImplementedException();

    public PackHeader Header => throw new NotImplementedException();
    public VersionRecord Version => throw new NotImplementedException();
    public IReadOnlyCollection<BlobInfo> Blobs => throw new NotImplementedException();

    public BlobInfo? Find(ContentHash hash) => throw new NotImplementedException();

    public ManifestDelta ReadChanges() => throw new NotImplementedException();

    /// <summary>The blob's delta as a forward stream; seekable when it is small enough to be held (1 MiB), else not.</summary>
    public Stream OpenDelta(ContentHash hash) => throw new NotImplementedException();

    /// <summary>Reads every frame and checks it.</summary>
    /// <exception cref="PackFormatException"/>
    public void VerifyFrames(CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>How many bytes from the start are whole frames with good checksums: where an interrupted transfer may resume. Bounded by the file's length.</summary>
    public static long SafePrefix(string path) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
