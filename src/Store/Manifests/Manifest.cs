namespace Mirror.Store.Manifests;

/// <summary>From one manifest to another: entries that are new or differ, and paths that are gone. Both sorted.</summary>
public sealed record ManifestDelta(IReadOnlyList<Entry> Put, IReadOnlyList<EntryPath> Removed)
{
    public bool IsEmpty => Put.Count == 0 && Removed.Count == 0;
}

/// <summary>The sorted entries of a version. Immutable. The root directory is an entry too (the empty path).</summary>
public sealed class Manifest
{
    public static Manifest Empty { get; } = new();

    /// <param name="sorted">In manifest order, each path once, each parent present and a directory.</param>
    /// <exception cref="InvalidDataException">Order, duplicates or a missing parent.</exception>
    public static Manifest FromSorted(IReadOnlyList<Entry> sorted) => throw new NotImplementedException();

    public IReadOnlyList<Entry> Entries => throw new NotImplementedException();

    public Entry? Find(EntryPath path) => throw new NotImplementedException();

    /// <summary>A path that holds this content, if any.</summary>
    public Entry? FindContent(ContentHash hash) => throw new NotImplementedException();

    /// <summary>Bytes of all files, hard-link groups counted once.</summary>
    public long TotalBytes => throw new NotImplementedException();

    /// <summary>Root of the Merkle tree by directory; cached.</summary>
    public ContentHash Root => throw new NotImplementedException();

    public Manifest Apply(ManifestDelta delta) => throw new NotImplementedException();

    public static ManifestDelta Diff(Manifest from, Manifest to) => throw new NotImplementedException();
}
