using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.History;

/// <summary>
/// What a way to a content begins with: a file of a tree that is at hand. Such files are believed only as far as their SHA-256 goes: one that is gone, cannot be read or is another one is blamed, with what the disk said. The tree
/// that was used last stays open.
/// </summary>
internal sealed class TreeSources(ContentPlan plan) : IDisposable
{
    private string? unreadable;
    private SourceTree? handleOf;
    private TreeHandle? handle;

    public void Dispose() => handle?.Dispose();

    /// <returns>Null when it is gone or cannot be opened.</returns>
    public SafeFileHandle? TryOpen(SourceTree tree, Entry source)
    {
        try
        {
            if (handleOf != tree)
            {
                handle?.Dispose();
                (handleOf, handle) = (null, null);
                handle = new TreeHandle(tree.Directory);
                handleOf = tree;
            }

            return TreeScanner.OpenRead(handle!, source.Path);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            unreadable = error.Message;
            return null;
        }
    }

    public async Task<bool> TryCopyAsync(ContentWay way, SafeFileHandle file, ContentHash hash, long size, Stream destination, CancellationToken cancellation)
    {
        if (size <= ContentReader.SmallLength)
        {
            return TryCopySmall(way, file, hash, (int)size, destination);
        }

        try
        {
            await using var content = Reading(way, file);
            await VerifiedCopy.RunAsync(content, destination, hash, size, way.File!.Path.ToString(), cancellation);
            return true;
        }
        catch (DamagedContentException)
        {
            return false;
        }
    }

    /// <summary>Most files are small, and most of their cost is not their bytes: read at once, hashed at once, and nothing is written that is wrong.</summary>
    private bool TryCopySmall(ContentWay way, SafeFileHandle file, ContentHash hash, int size, Stream destination)
    {
        // One byte more than there should be: a longer file shows.
        var buffer = ArrayPool<byte>.Shared.Rent(size + 1);
        try
        {
            if (Read(way, file, buffer.AsSpan(0, size + 1)) is not { } read)
            {
                return false;
            }

            Span<byte> sha256 = stackalloc byte[ContentHash.Length];
            if (read != size || SHA256.HashData(buffer.AsSpan(0, size), sha256) == 0 || ContentHash.From(sha256) != hash)
            {
                return false;
            }

            destination.Write(buffer, 0, size);
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>How many bytes were read; null when the disk refused, which is remembered for <see cref="Blame"/>.</summary>
    private int? Read(ContentWay way, SafeFileHandle file, Span<byte> buffer)
    {
        try
        {
            plan.Catalogue.Reads?.Reading("read: source", PathOf(way));
            var read = 0;
            for (int more; read < buffer.Length && (more = RandomAccess.Read(file, buffer[read..], read)) > 0; read += more)
            {
            }

            return read;
        }
        catch (IOException error)
        {
            unreadable = error.Message;
            return null;
        }
    }

    public SourceStream Reading(ContentWay way, SafeFileHandle file) => new(
        new FileStream(file, FileAccess.Read, bufferSize: 0), PathOf(way), plan.Catalogue.Reads, error =>
        {
            unreadable = error.Message;
            return new DamagedContentException($"{PathOf(way)} cannot be read: {error.Message}");
        });

    /// <summary>It is out of the next plan.</summary>
    /// <returns>What is wrong with it, for a person.</returns>
    public string Blame(ContentWay way, string fault)
    {
        plan.Blame(way.Tree!, way.File!);
        (fault, unreadable) = (unreadable is null ? fault : $"cannot be read: {unreadable}", null);
        return $"{PathOf(way)} {fault}";
    }

    public static async Task<bool> IsIntactAsync(Stream basis, Entry source, CancellationToken cancellation)
    {
        try
        {
            basis.Position = 0;
            await VerifiedCopy.RunAsync(basis, Stream.Null, source.Hash, source.Size, source.Path.ToString(), cancellation);
            return true;
        }
        catch (DamagedContentException)
        {
            return false;
        }
    }

    private static string PathOf(ContentWay way) => $"{way.Tree!.Directory}/{way.File!.Path}";
}
