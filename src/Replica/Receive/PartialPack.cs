using System.Security.Cryptography;
using Mirror.Node.Wire;

namespace Mirror.Replica.Receive;

/// <summary>A pack being received: bounded by the length it announced, hashed as it comes, durable before it is called whole.</summary>
internal sealed class PartialPack : IAsyncDisposable
{
    private readonly FileStream file;
    private readonly long length;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private PartialPack(FileStream file, long length)
    {
        this.file = file;
        this.length = length;
    }

    public string Path => file.Name;

    public static async Task<PartialPack> BeginAsync(string path, PackBegins begins, CancellationToken cancellation)
    {
        if (begins.Length > long.MaxValue || begins.Offset > begins.Length)
        {
            throw new InvalidDataException($"The primary announced a pack of {begins.Length} bytes from byte {begins.Offset} on, which cannot be.");
        }

        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, 1 << 16, FileOptions.Asynchronous);
        var pack = new PartialPack(file, (long)begins.Length);
        try
        {
            if (begins.Offset > (ulong)file.Length)
            {
                throw new InvalidDataException($"The primary resumes at byte {begins.Offset}, but only {file.Length} bytes of {path} are here.");
            }

            file.SetLength((long)begins.Offset);
            var buffer = new byte[1 << 16];
            int read;
            while ((read = await file.ReadAsync(buffer, cancellation)) > 0)
            {
                pack.hash.AppendData(buffer.AsSpan(0, read));
            }

            return pack;
        }
        catch
        {
            await pack.DisposeAsync();
            throw;
        }
    }

    public async Task WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellation)
    {
        if (file.Position + data.Length > length)
        {
            throw new InvalidDataException($"The pack {Path} is longer than the {length} bytes it announced.");
        }

        hash.AppendData(data.Span);
        await file.WriteAsync(data, cancellation);
    }

    public async Task EndAsync(ReadOnlyMemory<byte> sha256, CancellationToken cancellation)
    {
        await file.FlushAsync(cancellation);
        if (file.Length != length || !hash.GetHashAndReset().AsSpan().SequenceEqual(sha256.Span))
        {
            var got = file.Length;
            file.SetLength(0);
            throw new InvalidDataException($"The pack {Path} arrived damaged: {got} of {length} bytes, or another SHA-256. It is received again.");
        }

        file.Flush(flushToDisk: true);
        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await file.DisposeAsync();
        hash.Dispose();
    }
}
