using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Primary.Publish;

/// <summary>A forward pack waiting for replicas.</summary>
public sealed record OutboxPack(VersionId From, ContentHash FromRoot, VersionId To, ContentHash ToRoot, string Path, long Length)
{
    private readonly Lock gate = new();
    private Task<byte[]>? digest;
    private int senders;

    /// <summary>
    /// Where a version is new all replicas take it at once: its SHA-256 is made once for all who are sending it, beside the sending. It is not kept for longer, so that bytes that rot
    /// meanwhile are sent under their own digest, and found by the pack's checksums where it is applied, instead of being received again and again.
    /// </summary>
    /// <exception cref="FileNotFoundException">The pack was given up.</exception>
    internal PackSending BeginSending()
    {
        lock (gate)
        {
            if (digest is null)
            {
                // A file of its own: the one who comes first may leave first.
                var file = File.OpenHandle(Path, share: FileShare.ReadWrite | FileShare.Delete, options: FileOptions.SequentialScan);
                digest = Task.Run(() => DigestOf(file));
            }

            senders++;
            return new PackSending(this, digest);
        }
    }

    internal void EndSending()
    {
        lock (gate)
        {
            digest = --senders == 0 ? null : digest;
        }
    }

    private static byte[] DigestOf(SafeFileHandle file)
    {
        const int pieceLength = 256 << 10;
        var buffer = ArrayPool<byte>.Shared.Rent(pieceLength);
        try
        {
            using (file)
            using (var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256))
            {
                long at = 0;
                int read;
                while ((read = RandomAccess.Read(file, buffer.AsSpan(0, pieceLength), at)) > 0)
                {
                    hash.AppendData(buffer.AsSpan(0, read));
                    at += read;
                }

                return hash.GetHashAndReset();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}

/// <summary>One who sends a pack; disposed when it was sent, or not.</summary>
internal sealed class PackSending(OutboxPack pack, Task<byte[]> sha256) : IDisposable
{
    public Task<byte[]> Sha256 => sha256;

    public void Dispose() => pack.EndSending();
}
