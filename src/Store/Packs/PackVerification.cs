using Mirror.Delta;
using Mirror.Store.Manifests;

namespace Mirror.Store.Packs;

/// <param name="Frames">How many frames the pack has.</param>
/// <param name="Wholes">Whole contents, each built and compared with its SHA-256.</param>
/// <param name="Deltas">Deltas whose content was built from its basis and compared.</param>
/// <param name="Unchecked">Deltas whose basis was not at hand: read through, within their bounds and of the right length, their content unknown.</param>
public sealed record PackCheck(int Frames, int Wholes, int Deltas, int Unchecked, IReadOnlyList<string> Findings);

/// <summary>Reads a pack through and through, and goes on where something is wrong, so that one report says all of it.</summary>
public static class PackVerification
{
    /// <param name="openBasis">Opens a content of the version the pack starts from, seekable; null when it is not at hand.</param>
    /// <param name="progress">Told how many of how many contents are done.</param>
    public static async Task<PackCheck> RunAsync(
        PackReader pack, Func<ContentHash, Stream?> openBasis, IProgress<(int Done, int Total)>? progress, CancellationToken cancellation)
    {
        var findings = pack.FaultsOfFrames(cancellation).ToList();
        findings.AddRange(FaultsOfChanges(pack));
        var (wholes, deltas, unchecked_) = (0, 0, 0);
        foreach (var blob in pack.Blobs)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report((wholes + deltas + unchecked_, pack.Blobs.Count));
            await using var basis = blob.Basis.IsNone ? Stream.Null : openBasis(blob.Basis);
            if (await FaultOfAsync(pack, blob, basis, cancellation) is { } fault)
            {
                findings.Add($"The content {blob.Hash} of {blob.Size} bytes is not in the pack as its index says: {fault}");
            }

            wholes += blob.Basis.IsNone ? 1 : 0;
            deltas += !blob.Basis.IsNone && basis is not null ? 1 : 0;
            unchecked_ += basis is null ? 1 : 0;
        }

        return new PackCheck(pack.FrameCount, wholes, deltas, unchecked_, findings);
    }

    private static IEnumerable<string> FaultsOfChanges(PackReader pack)
    {
        PackChanges changes;
        try
        {
            changes = pack.ReadChanges();
        }
        catch (PackFormatException e)
        {
            return [e.Message];
        }

        // Only a pack from nothing must bring everything; what another leaves out may be in the version it starts from.
        return pack.Header is { From.IsNone: true, Partial: false }
            ? changes.Put.Where(entry => entry is { Type: EntryType.File, Size: > 0 } && pack.Find(entry.Hash) is null)
                .Select(entry => $"The pack leads from nothing and says it is complete, but has no content for \"{entry.Path}\" ({entry.Hash}).")
            : [];
    }

    private static async Task<string?> FaultOfAsync(PackReader pack, BlobInfo blob, Stream? basis, CancellationToken cancellation)
    {
        try
        {
            await using var delta = pack.OpenDelta(blob.Hash);
            var (length, hash) = basis is null
                ? (FileDelta.Measure(delta, blob.Size, cancellation), blob.Hash)
                : Known(await FileDelta.ApplyAsync(basis, delta, Stream.Null, blob.Size, cancellation));
            if (length != blob.Size)
            {
                return $"it yields {length} bytes.";
            }

            return hash == blob.Hash ? null : $"it yields the content {hash}.";
        }
        catch (Exception e) when (e is DeltaFormatException or PackFormatException)
        {
            return e.Message;
        }

        static (long Length, ContentHash Hash) Known((long Length, byte[] Sha256) applied) => (applied.Length, ContentHash.From(applied.Sha256));
    }
}
