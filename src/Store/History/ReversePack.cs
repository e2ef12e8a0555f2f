using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>The way back when a file of the older version is damaged: all that is still right, each content whole; a partial pack.</summary>
internal static class ReversePack
{
    public static async Task WriteUndamagedAsync(
        VersionRecord newer, VersionRecord older, Manifest olderManifest, Manifest newerManifest, Func<ContentHash, Stream> openOlder, BlockKey key, Stream output, CancellationToken cancellation)
    {
        output.SetLength(0);
        await using var writer = new PackWriter(output, new PackHeader(newer.Site, newer.Id, newer.Root, older.Id, Partial: true));
        foreach (var entry in olderManifest.Entries.Where(entry => entry is { Type: EntryType.File, HardlinkOf: null, Size: > 0 }))
        {
            if (newerManifest.FindContent(entry.Hash) is null && !writer.Contains(entry.Hash))
            {
                await TryWriteAsync(writer, entry, openOlder, key, cancellation);
            }
        }

        await writer.CompleteAsync(older, PackChanges.Between(newerManifest, Manifest.Diff(newerManifest, olderManifest)), cancellation);
    }

    private static async Task TryWriteAsync(PackWriter writer, Entry entry, Func<ContentHash, Stream> openOlder, BlockKey key, CancellationToken cancellation)
    {
        Stream content;
        try
        {
            content = openOlder(entry.Hash);
        }
        catch (FileNotFoundException)
        {
            // It is one of the contents that are lost: the pack is partial, and says so.
            return;
        }

        await using (content)
        {
            await using var blob = writer.BeginBlob();
            var digest = await FileDelta.EncodeAsync(content, null, key, blob.Delta, cancellation);
            if (digest.Length == entry.Size && ContentHash.From(digest.Hash) == entry.Hash)
            {
                await blob.CompleteAsync(entry.Hash, default, entry.Size);
            }
        }
    }
}
