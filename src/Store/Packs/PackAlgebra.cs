using System.Security.Cryptography;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.Packs;

/// <summary>
/// What can be done with packs besides applying them: turn one round, and join two. Neither searches for differences again where a pack already knows them.
/// Results are ordinary packs; a wrong one cannot pass for right, since applying checks every content and the root.
/// </summary>
public static class PackAlgebra
{
    // Below this a signature costs more than the delta saves.
    private const long SmallestWorthSigning = 4096;

    /// <summary>
    /// Writes the pack B→A while both trees are at hand: a content that A has and B has not comes from the forward pack's own delta, inverted; else as a delta from what B has at the same path; else whole.
    /// </summary>
    /// <param name="forward">The pack that led to B: from A, or from nothing (a fill, that was staged over A).</param>
    /// <param name="older">The record of A.</param>
    /// <param name="olderManifest">The manifest of A.</param>
    /// <param name="newerManifest">The manifest of B.</param>
    /// <param name="openOlder">Opens a content of A for reading; seekable.</param>
    /// <param name="openNewer">Opens a content of B for reading; seekable.</param>
    /// <param name="key">For signatures that live no longer than this call, and of those that are found.</param>
    /// <param name="findSignature">Of contents of A: what is kept of them is quicker to compare with than their SHA-256. Null, or none: that is computed.</param>
    /// <param name="forwardMoves">Directories that moved, as the forward pack says it: they moved back, and need not be searched. Null when that was not read.</param>
    /// <param name="output">Receives the pack; stays the caller's.</param>
    /// <exception cref="StoreException">A content is not what its manifest says: writing it down would make the damage permanent.</exception>
    public static async Task InvertAsync(
        PackReader forward, VersionRecord older, Manifest olderManifest, Manifest newerManifest,
        Func<ContentHash, Stream> openOlder, Func<ContentHash, Stream> openNewer, BlockKey key, Stream output, CancellationToken cancellation,
        Func<ContentHash, BlockSignature?>? findSignature = null, IReadOnlyList<DirectoryMove>? forwardMoves = null)
    {
        RequireRoot(olderManifest, older.Root, older.Id);
        RequireRoot(newerManifest, forward.Version.Root, forward.Version.Id);
        if (!forward.Header.From.IsNone && forward.Header.From != older.Id)
        {
            throw new ArgumentException($"The pack {forward.Path} leads from {forward.Header.From}: its reverse cannot lead to {older.Id}.", nameof(older));
        }

        // Only entries that differ can hold a content the other side lacks: both sets are as large as the change.
        var changes = Manifest.Diff(newerManifest, olderManifest);
        var lost = ContentsOf(changes.Put);
        lost.ExceptWith(newerManifest.PresentOf(lost));
        var successors = SuccessorsIn(forward, ContentsOf(Manifest.Diff(olderManifest, newerManifest).Put));

        var packed = PackChanges.Between(newerManifest, changes, PackChanges.Reversed(forwardMoves ?? []));
        var header = new PackHeader(forward.Header.Site, forward.Version.Id, forward.Version.Root, older.Id, Partial: false);
        await using var writer = new PackWriter(output, header);
        using var held = new HeldContents(writer, key, (sha256, entry, isOld) => RequireContent(sha256, entry, isOld ? older.Id : forward.Version.Id));
        foreach (var entry in changes.Put)
        {
            if (!lost.Contains(entry.Hash) || writer.Contains(entry.Hash))
            {
                continue;
            }

            await using var oldContent = openOlder(entry.Hash);
            if (successors.TryGetValue(entry.Hash, out var successor))
            {
                // The inversion itself trusts what it reads: bytes the forward delta had no use for are seen by nobody else.
                if (findSignature?.Invoke(entry.Hash) is not { } signature || !await signature.IsOfAsync(oldContent, key, cancellation))
                {
                    oldContent.Position = 0;
                    RequireContent(await SHA256.HashDataAsync(oldContent, cancellation), entry, older.Id);
                }

                oldContent.Position = 0;
                await using var newContent = openNewer(successor);
                await using var delta = forward.OpenDelta(successor);
                await using var blob = writer.BeginBlob(isDelta: true);
                await FileDelta.InvertAsync(oldContent, newContent, delta, blob.Delta, cancellation);
                await blob.CompleteAsync(entry.Hash, successor, entry.Size);
            }
            else if (newerManifest.Find(packed.OriginOf(entry.Path)) is var newer && HeldContents.Takes(entry, newer))
            {
                await held.WriteAsync(entry, oldContent, newer, openNewer);
            }
            else
            {
                var basis = await SignSuccessorAsync(newer, forward.Version.Id, openNewer, key, cancellation);
                await using var blob = writer.BeginBlob(basis.Signature is not null);
                var digest = await FileDelta.EncodeAsync(oldContent, basis.Signature, key, blob.Delta, cancellation);
                RequireContent(digest.Hash, entry, older.Id);
                await blob.CompleteAsync(entry.Hash, basis.Hash, entry.Size);
            }
        }

        await writer.CompleteAsync(older, packed, cancellation);
    }

    /// <summary>Writes the pack A→C from the packs A→B and B→C, without building B.</summary>
    /// <param name="start">The manifest of A; empty when the first pack leads from nothing.</param>
    /// <param name="output">Receives the pack; stays the caller's.</param>
    /// <exception cref="ArgumentException">The packs do not meet, or the manifest is not A's.</exception>
    /// <exception cref="MissingContentException">A content of C is in neither pack nor in A, and none of the packs is partial.</exception>
    public static async Task ComposeAsync(PackReader first, PackReader second, Manifest start, Stream output, CancellationToken cancellation)
    {
        if (first.Header.Site != second.Header.Site || first.Version.Id != second.Header.From || first.Version.Root != second.Header.FromRoot)
        {
            throw new ArgumentException(
                $"The packs do not meet: {first.Path} leads to {first.Version.Id} of {first.Header.Site} ({first.Version.Root}), {second.Path} starts from {second.Header.From} of {second.Header.Site} ({second.Header.FromRoot}).",
                nameof(second));
        }

        if (first.Header.From.IsNone ? start.Entries.Count > 0 : start.Root != first.Header.FromRoot)
        {
            throw new ArgumentException($"The manifest is not the one the pack {first.Path} starts from.", nameof(start));
        }

        var (firstChanges, secondChanges) = (first.ReadChanges(), second.ReadChanges());
        var end = start.Apply(firstChanges).Apply(secondChanges);
        RequireRoot(end, second.Version.Root, second.Version.Id);

        var changes = Manifest.Diff(start, end);
        var sources = SourcesOf(ContentsOf(changes.Put), first, second, start);
        var missing = sources.Where(source => source.Value == Source.None).Select(source => source.Key).ToList();
        var partial = missing.Count > 0;
        if (partial && !first.Header.Partial && !second.Header.Partial)
        {
            throw new MissingContentException(
                $"{missing.Count} contents of {second.Version.Id}, the first {missing[0]}, are in neither {first.Path} nor {second.Path}: take another path of packs.", missing);
        }

        await using var writer = new PackWriter(output, first.Header with { To = second.Version.Id, Partial = partial });
        foreach (var blob in second.Blobs)
        {
            switch (sources.GetValueOrDefault(blob.Hash))
            {
                case Source.Second:
                    await writer.CopyBlobAsync(second, blob.Hash, cancellation);
                    break;
                case Source.Both:
                    await JoinAsync(writer, first, second, blob, cancellation);
                    break;
            }
        }

        foreach (var blob in first.Blobs)
        {
            if (sources.GetValueOrDefault(blob.Hash) == Source.First)
            {
                await writer.CopyBlobAsync(first, blob.Hash, cancellation);
            }
        }

        await writer.CompleteAsync(second.Version, PackChanges.Joined(start, changes, firstChanges, secondChanges), cancellation);
    }

    /// <summary>Where a composition takes a content from.</summary>
    private enum Source
    {
        None,
        First,
        Second,

        /// <summary>The second pack's delta, on top of the first pack's content.</summary>
        Both,
    }

    /// <summary>Where each of the wanted contents comes from; those A has itself are left out.</summary>
    private static Dictionary<ContentHash, Source> SourcesOf(HashSet<ContentHash> wanted, PackReader first, PackReader second, Manifest start)
    {
        var atStart = start.PresentOf([.. wanted, .. second.Blobs.Select(blob => blob.Basis)]);
        wanted.ExceptWith(atStart);
        return wanted.ToDictionary(hash => hash, hash => second.Find(hash) switch
        {
            null => first.Find(hash) is null ? Source.None : Source.First,
            var blob when blob.Basis.IsNone || atStart.Contains(blob.Basis) => Source.Second,
            var blob => first.Find(blob.Basis) is null ? Source.None : Source.Both,
        });
    }

    /// <summary>Old content → new content, as the forward pack paired them.</summary>
    private static Dictionary<ContentHash, ContentHash> SuccessorsIn(PackReader forward, HashSet<ContentHash> newContents)
    {
        var successors = new Dictionary<ContentHash, ContentHash>();
        foreach (var blob in forward.Blobs)
        {
            if (!blob.Basis.IsNone && newContents.Contains(blob.Hash))
            {
                successors.TryAdd(blob.Basis, blob.Hash);
            }
        }

        return successors;
    }

    private static async Task JoinAsync(PackWriter writer, PackReader first, PackReader second, BlobInfo last, CancellationToken cancellation)
    {
        var middle = first.Find(last.Basis)!;
        await using var firstDelta = first.OpenDelta(middle.Hash);
        await using var secondDelta = second.OpenDelta(last.Hash);
        await using var blob = writer.BeginBlob(!middle.Basis.IsNone);

        // A few bytes of delta can copy the same range again and again: no more than the content is said to have.
        await FileDelta.ComposeAsync(firstDelta, secondDelta, blob.Delta, last.Size, cancellation);
        await blob.CompleteAsync(last.Hash, middle.Basis, last.Size);
    }

    private static async Task<(ContentHash Hash, BlockSignature? Signature)> SignSuccessorAsync(
        Entry? successor, VersionId newerVersion, Func<ContentHash, Stream> openNewer, BlockKey key, CancellationToken cancellation)
    {
        if (successor is not { Type: EntryType.File, Size: >= SmallestWorthSigning })
        {
            return default;
        }

        await using var content = openNewer(successor.Hash);
        var digest = await BlockSignature.SignAsync(content, successor.Size, key, cancellation);
        RequireContent(digest.Hash, successor, newerVersion);
        return (successor.Hash, digest.Signature);
    }

    private static HashSet<ContentHash> ContentsOf(IReadOnlyList<Entry> entries) =>
        [.. entries.Where(entry => entry.Type == EntryType.File).Select(entry => entry.Hash)];

    private static void RequireContent(byte[] sha256, Entry entry, VersionId version)
    {
        if (ContentHash.From(sha256) != entry.Hash)
        {
            throw new StoreException(
                $"The content of \"{entry.Path}\" in the tree of {version} is not what its manifest says: it was damaged or written to. Verify the store and heal it from a peer.");
        }
    }

    private static void RequireRoot(Manifest manifest, ContentHash root, VersionId version)
    {
        if (manifest.Root != root)
        {
            throw new StoreException($"The manifest at hand for {version} has the root {manifest.Root}; the version's record says {root}. The pack or the index is wrong: verify the store.");
        }
    }
}
