using System.Security.Cryptography;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Primary.Publish;

/// <summary>A forward pack waiting for replicas.</summary>
public sealed record OutboxPack(VersionId From, ContentHash FromRoot, VersionId To, ContentHash ToRoot, string Path, long Length)
{
    private const int pieceLength = 256 << 10;

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
                var file = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, pieceLength, FileOptions.SequentialScan);
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

    private static byte[] DigestOf(FileStream file)
    {
        using (file)
        {
            return SHA256.HashData(file);
        }
    }
}

/// <summary>One who sends a pack; disposed when it was sent, or not.</summary>
internal sealed class PackSending(OutboxPack pack, Task<byte[]> sha256) : IDisposable
{
    public Task<byte[]> Sha256 => sha256;

    public void Dispose() => pack.EndSending();
}
