using System.Buffers;
using System.Security.Cryptography;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>A content is not what its hash says: whoever reads it may look for it elsewhere.</summary>
internal sealed class DamagedContentException(string message) : StoreException(message);

/// <summary>Copies a content and checks its length and SHA-256 on the way.</summary>
internal static class VerifiedCopy
{
    private const int BufferLength = 256 * 1024;

    /// <param name="what">Names the source in the error.</param>
    /// <exception cref="DamagedContentException"/>
    public static async Task RunAsync(Stream source, Stream destination, ContentHash hash, long size, string what, CancellationToken cancellation)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var filling = ArrayPool<byte>.Shared.Rent(BufferLength);
        var full = ArrayPool<byte>.Shared.Rent(BufferLength);
        var hashing = Task.CompletedTask;
        try
        {
            long length = 0;
            int read;
            while (length <= size && (read = await source.ReadAsync(filling, cancellation)) > 0)
            {
                length += read;
                await hashing;
                (filling, full) = (full, filling);

                // Hashing takes longer than reading and writing together: of a long content it goes on beside them.
                var piece = full.AsMemory(0, read);
                hashing = size > BufferLength ? Task.Run(() => sha256.AppendData(piece.Span), CancellationToken.None) : Hashed(sha256, piece);
                await destination.WriteAsync(piece, cancellation);
            }

            await hashing;
            Check(sha256, length, hash, size, what);
        }
        finally
        {
            // Nobody may be reading a buffer that goes back.
            await hashing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            ArrayPool<byte>.Shared.Return(filling);
            ArrayPool<byte>.Shared.Return(full);
        }
    }

    private static Task Hashed(IncrementalHash sha256, ReadOnlyMemory<byte> piece)
    {
        sha256.AppendData(piece.Span);
        return Task.CompletedTask;
    }

    public static void Run(Stream source, Stream destination, ContentHash hash, long size, string what)
    {
        using var sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            long length = 0;
            int read;
            while (length <= size && (read = source.Read(buffer)) > 0)
            {
                length += read;
                sha256.AppendData(buffer, 0, read);
                destination.Write(buffer, 0, read);
            }

            Check(sha256, length, hash, size, what);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static void Check(IncrementalHash sha256, long length, ContentHash hash, long size, string what)
    {
        var found = ContentHash.From(sha256.GetHashAndReset());
        if (length != size || found != hash)
        {
            throw new DamagedContentException(
                $"{what} is not what the manifest says: {(length > size ? $"more than {size}" : length)} bytes with SHA-256 {found} instead of {size} with {hash}. Run verify.");
        }
    }
}
