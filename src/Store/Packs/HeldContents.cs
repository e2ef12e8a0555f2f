using System.Buffers;
using System.Security.Cryptography;
using Mirror.Delta;
using Mirror.Store.Manifests;

namespace Mirror.Store.Packs;

/// <summary>
/// Writes small old contents into a reverse pack. Both sides are read into memory and compared byte by byte: that takes no signature, finds every edit however small the file,
/// and costs little more than reading and hashing them.
/// </summary>
/// <param name="requireContent">Throws when a SHA-256 is not that of the entry's content; the flag says whether the entry is the old one.</param>
internal sealed class HeldContents(PackWriter writer, BlockKey key, Action<byte[], Entry, bool> requireContent) : IDisposable
{
    private const int MaxLength = 256 << 10;

    // A delta names its basis, by 32 bytes that do not compress, and is a detour when the content is restored; a whole content compresses well beside its like.
    private const int LeastSaved = 128;

    private readonly MemoryStream delta = new();
    private byte[] old = ArrayPool<byte>.Shared.Rent(MaxLength + 1);
    private byte[] successor = ArrayPool<byte>.Shared.Rent(MaxLength + 1);

    public static bool Takes(Entry older, Entry? newer) => older.Size <= MaxLength && newer is not { Size: > MaxLength };

    /// <param name="newer">What stands in the old entry's place now; null when there is nothing, or nothing of use.</param>
    public async Task WriteAsync(Entry older, Stream content, Entry? newer, Func<ContentHash, Stream> openNewer)
    {
        var length = Read(content, older, isOld: true, old);
        var isDelta = newer is { Type: EntryType.File, Size: > 0 } && TryCompare(length, newer, openNewer);
        await using var blob = writer.BeginBlob(isDelta);
        if (isDelta)
        {
            blob.Delta.Write(delta.GetBuffer().AsSpan(0, (int)delta.Length));
        }
        else
        {
            FileDelta.EncodeHeld(old.AsSpan(0, length), null, key, blob.Delta, sign: false);
        }

        await blob.CompleteAsync(older.Hash, isDelta ? newer!.Hash : default, length);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(old);
        ArrayPool<byte>.Shared.Return(successor);
        (old, successor) = ([], []);
    }

    /// <summary>False when the delta is not clearly smaller than the content itself.</summary>
    private bool TryCompare(int length, Entry newer, Func<ContentHash, Stream> openNewer)
    {
        if (length <= LeastSaved)
        {
            return false;
        }

        using var content = openNewer(newer.Hash);
        using var basis = new MemoryStream(successor, 0, Read(content, newer, isOld: false, successor), writable: false);
        using var target = new MemoryStream(old, 0, length, writable: false);
        delta.SetLength(0);
        FileDelta.EncodeExactHeld(target, basis, delta);
        return delta.Length <= Math.Min(length - LeastSaved, length / 2);
    }

    private int Read(Stream content, Entry entry, bool isOld, byte[] room)
    {
        // One byte more than it should have, so that too long a content shows.
        var length = content.ReadAtLeast(room.AsSpan(0, (int)entry.Size + 1), (int)entry.Size + 1, throwOnEndOfStream: false);
        requireContent(SHA256.HashData(room.AsSpan(0, length)), entry, isOld);
        return length;
    }
}
