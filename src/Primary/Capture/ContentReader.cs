using System.Buffers;
using System.Security.Cryptography;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture;

/// <param name="Signature">Kept for contents worth a delta next time; null for small ones.</param>
internal readonly record struct ReadContent(ContentHash Hash, long Size, StatKey Stat, BlockSignature? Signature, bool Unstable);

/// <summary>
/// Reads a changed file once and puts its content into the pack, as a delta from the signed old content where there is one. A content the receiver already has, or
/// that the pack already brings, is not written: so moves and copies cost their names. A file that changes while it is read is read again; if it never holds
/// still, what was read last stands (with its own hash) and is flagged.
/// </summary>
internal sealed class ContentReader(CaptureSource source, PackWriter writer, BlockKey key, Func<ContentHash, Stream?> openBasis, Func<ContentHash, bool> isKnown)
{
    private const int attempts = 3;

    /// <summary>Contents up to here are held in memory while they are read, so that a known one never reaches the pack.</summary>
    private const int heldLength = 1 << 20;

    /// <summary>Below this a signature costs more than it saves: the content is sent whole, compressed.</summary>
    private const int signedLength = 16 << 10;

    /// <returns>Null when the file is gone.</returns>
    public async Task<ReadContent?> ReadAsync(ScannedEntry scanned, ContentHash oldHash, BlockSignature? basis, bool sizeIsKnown, CancellationToken cancellation)
    {
        var before = scanned.Stat;
        for (var attempt = 1; ; attempt++)
        {
            ReadContent content;
            try
            {
                content = await ReadOnceAsync(scanned.Entry.Path, before.Size, oldHash, basis, sizeIsKnown, cancellation);
            }
            catch (FileNotFoundException)
            {
                return null;
            }

            if (source.Stat(scanned.Entry.Path) is not { } after)
            {
                return null;
            }

            var held = after == before && content.Size == after.Size;
            if (held || attempt == attempts)
            {
                return content with { Stat = after, Unstable = !held };
            }

            before = after;
        }
    }

    private async Task<ReadContent> ReadOnceAsync(
        EntryPath path, long expectedSize, ContentHash oldHash, BlockSignature? basis, bool sizeIsKnown, CancellationToken cancellation)
    {
        await using var file = source.OpenRead(path);
        if (expectedSize <= heldLength)
        {
            return await ReadHeldAsync(file, oldHash, basis, cancellation);
        }

        if (sizeIsKnown)
        {
            // Most likely a move or a copy: hashing alone settles it, and only a surprise is read twice.
            var hash = ContentHash.From(await SHA256.HashDataAsync(file, cancellation));
            if (isKnown(hash) || writer.Contains(hash))
            {
                return new ReadContent(hash, file.Position, default, null, false);
            }

            file.Position = 0;
        }

        return await EncodeAsync(file, oldHash, basis, cancellation);
    }

    private async Task<ReadContent> ReadHeldAsync(FileStream file, ContentHash oldHash, BlockSignature? basis, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(heldLength + 1);
        try
        {
            var length = 0;
            int read;
            while (length < buffer.Length && (read = await file.ReadAsync(buffer.AsMemory(length), cancellation)) > 0)
            {
                length += read;
            }

            if (length > heldLength)
            {
                // It grew past what is held since it was looked at.
                file.Position = 0;
                return await EncodeAsync(file, oldHash, basis, cancellation);
            }

            var hash = ContentHash.From(SHA256.HashData(buffer.AsSpan(0, length)));
            if (isKnown(hash) || writer.Contains(hash))
            {
                return new ReadContent(hash, length, default, null, false);
            }

            return await EncodeAsync(new MemoryStream(buffer, 0, length, writable: false), oldHash, basis, cancellation);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task<ReadContent> EncodeAsync(Stream content, ContentHash oldHash, BlockSignature? basis, CancellationToken cancellation)
    {
        await using var blob = writer.BeginBlob(basis is not null);
        await using var basisContent = basis is null ? null : openBasis(oldHash);
        var digest = basisContent is null
            ? await FileDelta.EncodeAsync(content, basis, key, blob.Delta, cancellation)
            : await FileDelta.EncodeExactAsync(content, basis!, basisContent, key, blob.Delta, cancellation);
        var hash = ContentHash.From(digest.Hash);
        if (!isKnown(hash) && !writer.Contains(hash))
        {
            await blob.CompleteAsync(hash, basis is null ? default : oldHash, digest.Length);
        }

        return new ReadContent(hash, digest.Length, default, digest.Length >= signedLength ? digest.Signature : null, false);
    }
}
