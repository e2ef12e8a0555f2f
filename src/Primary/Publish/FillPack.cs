using Mirror.Delta;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Primary.Publish;

/// <summary>A file changed since the version was captured: capture again, then fill.</summary>
internal sealed class ContentMovedOnException(EntryPath path) : Exception($"{path} changed after it was captured.");

/// <summary>
/// Writes packs whose contents are read whole from a tree: a fill (from nothing, leaving out what the receiver has) and a diverged branch (from the common version).
/// Each content is checked against the manifest while it is read.
/// </summary>
internal static class FillPack
{
    public static async Task WriteAsync(
        string path, PackHeader header, VersionRecord version, Manifest manifest, ManifestDelta changes,
        CaptureSource source, Func<ContentHash, bool> receiverHas, BlockKey key, CancellationToken cancellation)
    {
        await using var output = new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read, 1 << 16);
        await using var writer = new PackWriter(output, header);
        foreach (var entry in changes.Put)
        {
            if (entry.Type != EntryType.File || receiverHas(entry.Hash) || writer.Contains(entry.Hash))
            {
                continue;
            }

            await using var content = Open(source, entry.Path);
            await using var blob = writer.BeginBlob();
            var digest = await FileDelta.EncodeAsync(content, null, key, blob.Delta, cancellation);
            if (ContentHash.From(digest.Hash) != entry.Hash)
            {
                throw new ContentMovedOnException(entry.Path);
            }

            await blob.CompleteAsync(entry.Hash, default, digest.Length);
        }

        await writer.CompleteAsync(version, changes, cancellation);
        output.Flush(flushToDisk: true);
    }

    private static FileStream Open(CaptureSource source, EntryPath path)
    {
        try
        {
            return source.OpenRead(path);
        }
        catch (IOException)
        {
            // Gone, or something else stands in its place.
            throw new ContentMovedOnException(path);
        }
    }
}
