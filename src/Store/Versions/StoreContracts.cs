using Mirror.Store.Manifests;

namespace Mirror.Store.Versions;

/// <summary>A store problem the operator must know of: says what, where, and what to do next.</summary>
public class StoreException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Contents a pack neither brings nor finds in the tree: ask for a fill.</summary>
public sealed class MissingContentException(string message, IReadOnlyList<ContentHash> hashes) : StoreException(message)
{
    public IReadOnlyList<ContentHash> Hashes { get; } = hashes;
}

/// <summary>Another process has the store open. Waiting for it may be all that is needed.</summary>
public sealed class StoreInUseException(string message, Exception? inner = null) : StoreException(message, inner);

/// <summary>The store is open only to be read, or lies where nothing can be written.</summary>
public sealed class ReadOnlyStoreException(string message, Exception? inner = null) : StoreException(message, inner);

/// <param name="Restorable">Every byte of it can be rebuilt from this store alone (while capturing: as of the last capture).</param>
/// <param name="Note">Empty, or why the version is special: <c>unhealthy: …</c>, <c>diverged: …</c>, <c>diverged, given up: …</c>.</param>
public sealed record KeptVersion(VersionRecord Record, bool Restorable, string Note);

/// <summary>Where the live tree is and which version it started from.</summary>
/// <param name="Tree">Directory apps run in: a slot, or the site's root before it was adopted.</param>
/// <param name="Slot"><c>a</c>, <c>b</c>, or <c>live</c> for a root that never was a slot.</param>
public sealed record LiveTree(string Tree, string Slot, VersionId Version);

public sealed record StoreFinding(string What, string Remedy);

/// <summary>Progress of long work: what is being done, and how far (bytes or items).</summary>
public sealed record StoreProgress(string Step, long Done, long Total);
