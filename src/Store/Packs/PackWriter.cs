using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.Packs;

/// <summary>From which version a pack leads to which. <see cref="From"/> none: from nothing, its entries are the whole manifest.</summary>
/// <param name="Partial">Some contents of <see cref="To"/> are neither in <see cref="From"/> nor in the pack; only a tree that has them can apply it.</param>
public sealed record PackHeader(string Site, VersionId From, ContentHash FromRoot, VersionId To, bool Partial);

/// <summary>
/// Writes a pack as one forward stream of checksummed frames: header, blobs, changes, index, trailer (docs/format.md). A blob is a content by its SHA-256,
/// whole or as a delta from another content; identical contents are written once.
/// </summary>
public sealed class PackWriter : IAsyncDisposable
{
    public PackWriter(Stream output, PackHeader header) => throw new NotImplementedException();

    public bool Contains(ContentHash hash) => throw new NotImplementedException();

    /// <summary>Opens a blob; write the delta (FileDelta format; a whole content is a delta without a basis) to <see cref="PackBlob.Delta"/>. One at a time.</summary>
    public PackBlob BeginBlob() => throw new NotImplementedException();

    /// <summary>Copies a blob of another pack as it is.</summary>
    public Task CopyBlobAsync(PackReader source, ContentHash hash, CancellationToken cancellation) => throw new NotImplementedException();

    /// <summary>Ends the pack: changes, index with the version, trailer. The output is flushed, not synced.</summary>
    public Task CompleteAsync(VersionRecord version, ManifestDelta changes, CancellationToken cancellation) => throw new NotImplementedException();

    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

/// <summary>A blob being written. Its hash is known only at the end of the one pass over the content.</summary>
public sealed class PackBlob : IAsyncDisposable
{
    public Stream Delta => throw new NotImplementedException();

    /// <param name="basis">Content the delta copies from; none for a whole.</param>
    /// <param name="size">Length of the content in bytes.</param>
    public ValueTask CompleteAsync(ContentHash hash, ContentHash basis, long size) => throw new NotImplementedException();

    /// <summary>Without <see cref="CompleteAsync"/> the blob is not in the index, and what it wrote costs room at most.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
