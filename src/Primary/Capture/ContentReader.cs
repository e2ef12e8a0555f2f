using System.Security.Cryptography;
using Mirror.Delta;
using Mirror.Primary.Capture.Databases;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture;

/// <param name="Signature">Kept for contents worth a delta next time; null for small ones.</param>
/// <param name="Anew">What is there, when it is not what was found before: the file that was read, or what stands in its place (and has no content).</param>
internal readonly record struct ReadContent(ContentHash Hash, long Size, StatKey Stat, BlockSignature? Signature, bool Unstable, Entry? Anew = null);

/// <summary>
/// Reads a changed file once (a small one is read for it) and puts its content into the pack, as a delta from the signed old content where there is one. A content the receiver already has, or
/// that the pack already brings, is not written: so moves and copies cost their names. A file that changes while it is read is read again; if it never holds
/// still, what was read last stands (with its own hash) and is flagged. A file that was replaced brings its own metadata: never one file's content under the mode of another.
/// </summary>
/// <param name="settled">A file touched (ctime) since is read twice before it is believed that it held still.</param>
internal sealed class ContentReader(CaptureSource source, PackWriter writer, BlockKey key, Func<ContentHash, Stream?> openBasis, Func<ContentHash, bool> isKnown, long settled)
{
    private const int attempts = 3;

    /// <summary>Below this a signature costs more than it saves: the content is sent whole, compressed.</summary>
    private const int signedLength = 16 << 10;

    /// <returns>Null when the file is gone.</returns>
    public async Task<ReadContent?> ReadAsync(ScannedEntry scanned, ContentHash oldHash, BlockSignature? basis, bool sizeIsKnown, CancellationToken cancellation)
    {
        if (source.Followed(scanned) is { } followed)
        {
            return await TakeAsync(scanned, followed, oldHash, basis, cancellation);
        }

        var path = scanned.Entry.Path;
        var before = scanned.Stat;
        for (var attempt = 1; ; attempt++)
        {
            ReadContent content;
            ScannedEntry now;
            try
            {
                await using var file = source.OpenRead(path);
                content = await ReadOnceAsync(new FileBeside(file), oldHash, basis, sizeIsKnown, cancellation);
                now = source.Describe(file, path);
            }
            catch (FileNotFoundException)
            {
                return null;
            }
            catch (IOException) when (!source.IsFile(path, out _))
            {
                // A directory is told by the next capture, with what is in it.
                return !source.IsFile(path, out var instead) && instead is { Type: not EntryType.Directory } ? new ReadContent(default, 0, default, null, false, instead) : null;
            }

            var held = now.Stat == before && content.Size == now.Stat.Size && (now.Stat.CtimeNs < settled || CaptureSource.IsDump(path) || await IsStillAsync(path, content.Hash, now.Stat, cancellation));
            if (held || attempt == attempts)
            {
                return content with { Stat = now.Stat, Unstable = !held, Anew = now.Stat == scanned.Stat ? null : now.Entry };
            }

            before = now.Stat;
        }
    }

    // Stamps are coarse: what was written during the reading of a file that was touched just now need not show in them. It shows in the content.
    private async Task<bool> IsStillAsync(EntryPath path, ContentHash hash, StatKey stat, CancellationToken cancellation)
    {
        try
        {
            await using var file = source.OpenRead(path);
            return ContentHash.From(await SHA256.HashDataAsync(new FileBeside(file), cancellation)) == hash && source.Describe(file, path).Stat == stat;
        }
        catch (IOException)
        {
            // Gone, or something else stands there: the next attempt tells.
            return false;
        }
    }

    /// <summary>Puts a file that was read ahead into the pack.</summary>
    public async Task<ReadContent> TakeAsync(FileAhead file, ContentHash oldHash, BlockSignature? basis, CancellationToken cancellation)
    {
        var content = file.Content!.Value;
        BlockSignature? signature = null;
        if (!isKnown(file.Hash) && !writer.Contains(file.Hash))
        {
            await using var blob = writer.BeginBlob(basis is not null);
            await using var basisContent = basis is null ? null : openBasis(oldHash);
            if (basisContent is null)
            {
                signature = FileDelta.EncodeHeld(content.Span, basis, key, blob.Delta, sign: content.Length >= signedLength);
            }
            else
            {
                using var held = new MemoryStream(content.ToArray(), writable: false);
                var digest = await FileDelta.EncodeExactAsync(held, basis!, basisContent, key, blob.Delta, cancellation);
                signature = content.Length >= signedLength ? digest.Signature : null;
            }

            await blob.CompleteAsync(file.Hash, basis is null ? default : oldHash, content.Length);
        }

        return new ReadContent(file.Hash, content.Length, file.Found.Stat, signature, Unstable: false);
    }

    /// <summary>
    /// Puts a dump's file into the pack that was hashed, and compared with what is known, while it was written. Only where it differs is it looked at once more; or, if there is nothing to compare it
    /// with, it is compressed, and signed on the way.
    /// </summary>
    private async Task<ReadContent> TakeAsync(ScannedEntry scanned, FollowedFile followed, ContentHash oldHash, BlockSignature? basis, CancellationToken cancellation)
    {
        var signature = followed.Copies?.Digest.Signature;
        if (!isKnown(followed.Hash) && !writer.Contains(followed.Hash))
        {
            await using var file = source.OpenRead(scanned.Entry.Path);
            await using var basisContent = followed.Copies is null || !isKnown(followed.Basis) ? null : openBasis(followed.Basis);
            if (basisContent is not null)
            {
                await using var blob = writer.BeginBlob(isDelta: true);
                await FileDelta.WriteExactAsync(followed.Copies!, file, basisContent, blob.Delta, cancellation);
                await blob.CompleteAsync(followed.Hash, followed.Basis, scanned.Stat.Size);
            }
            else
            {
                await using var blob = writer.BeginBlob(basis is not null);
                signature = (await FileDelta.EncodeAsync(file, basis, key, blob.Delta, cancellation, WholeHash.XxHash128)).Signature;
                await blob.CompleteAsync(followed.Hash, basis is null ? default : oldHash, scanned.Stat.Size);
            }
        }

        return new ReadContent(followed.Hash, scanned.Stat.Size, scanned.Stat, signature, Unstable: false);
    }

    private async Task<ReadContent> ReadOnceAsync(
        FileBeside file, ContentHash oldHash, BlockSignature? basis, bool sizeIsKnown, CancellationToken cancellation)
    {
        if (sizeIsKnown)
        {
            // Most likely a move or a copy: knowing it again settles it, and only a surprise is read twice.
            if (basis is not null && await basis.IsOfAsync(file, key, cancellation))
            {
                return new ReadContent(oldHash, basis.ContentLength, default, null, false);
            }

            file.Position = 0;
            var hash = ContentHash.From(await SHA256.HashDataAsync(file, cancellation));
            if (isKnown(hash) || writer.Contains(hash))
            {
                return new ReadContent(hash, file.Position, default, null, false);
            }

            file.Position = 0;
        }

        return await EncodeAsync(file, oldHash, basis, cancellation);
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
