namespace Mirror.Store.Manifests;

/// <summary>A directory with all that lay below it: what was <see cref="From"/> is now <see cref="To"/>.</summary>
public readonly record struct DirectoryMove(EntryPath From, EntryPath To);
