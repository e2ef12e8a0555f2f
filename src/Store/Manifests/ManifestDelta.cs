namespace Mirror.Store.Manifests;

/// <summary>From one manifest to another: entries that are new or differ, and paths that are gone. Both sorted.</summary>
public sealed record ManifestDelta(IReadOnlyList<Entry> Put, IReadOnlyList<EntryPath> Removed)
{
    public bool IsEmpty => Put.Count == 0 && Removed.Count == 0;
}
