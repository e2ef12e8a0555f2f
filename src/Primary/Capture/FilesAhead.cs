using System.Buffers;
using System.Security.Cryptography;
using System.Threading.Channels;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture;

/// <summary>A small file, read. Its bytes are good until the next one is asked for.</summary>
/// <param name="Content">Null: the file is gone, or is not what was found any more (then <paramref name="MovedOn"/>).</param>
internal readonly record struct FileAhead(ScannedEntry Found, ReadOnlyMemory<byte>? Content, bool MovedOn, ContentHash Hash);

/// <summary>
/// Reads and hashes small files on another thread, in the order in which they will be asked for, while this one writes the pack: two thirds of the work on a tree of
/// many files. What was touched since it was found is left to <see cref="ContentReader"/>. At most four batches of 2 MiB are in memory.
/// </summary>
internal sealed class FilesAhead : IAsyncDisposable
{
    /// <summary>Longer files are not for this.</summary>
    public const int MaxLength = 1 << 20;

    private const int batchLength = 2 * MaxLength;
    private const int batchFiles = 256;

    private readonly Channel<Batch> batches = Channel.CreateBounded<Batch>(new BoundedChannelOptions(2) { SingleReader = true, SingleWriter = true });
    private readonly CancellationTokenSource stop;
    private readonly Task reading;
    private Batch? current;
    private int next;

    /// <param name="settled">A file touched (ctime) since is read twice before it is believed that it held still.</param>
    public FilesAhead(CaptureSource source, IReadOnlyList<ScannedEntry> files, long settled, CancellationToken cancellation)
    {
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        reading = Beside.RunAsync(() => ReadAllAsync(source, files, settled, stop.Token), CancellationToken.None);
    }

    /// <summary>The next file, in the order of the list.</summary>
    /// <exception cref="IOException"/>
    /// <exception cref="UnauthorizedAccessException"/>
    public async ValueTask<FileAhead> NextAsync(CancellationToken cancellation)
    {
        while (current is null || next == current.Files.Count)
        {
            current?.Dispose();
            current = null;
            next = 0;
            if (!batches.Reader.TryRead(out current) && !await batches.Reader.WaitToReadAsync(cancellation))
            {
                // No more will come: because reading failed, most likely, and then this says how.
                await reading;
                throw new InvalidOperationException("More files were asked for than were to be read.");
            }
        }

        return current.Files[next++];
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        current?.Dispose();
        while (batches.Reader.TryRead(out var left))
        {
            left.Dispose();
        }

        stop.Dispose();
    }

    private async Task ReadAllAsync(CaptureSource source, IReadOnlyList<ScannedEntry> files, long settled, CancellationToken cancellation)
    {
        Batch? batch = null;
        try
        {
            using var reader = source.OpenReader();
            foreach (var found in files)
            {
                cancellation.ThrowIfCancellationRequested();
                if (batch is not null && !batch.HasRoomFor(found))
                {
                    await batches.Writer.WriteAsync(batch, cancellation);
                    batch = null;
                }

                batch ??= new Batch();
                batch.Read(reader, found, settled);
            }

            if (batch is not null)
            {
                await batches.Writer.WriteAsync(batch, cancellation);
                batch = null;
            }
        }
        finally
        {
            // Whatever ended it: nobody may wait for more.
            batch?.Dispose();
            batches.Writer.Complete();
        }
    }

    private sealed class Batch : IDisposable
    {
        private byte[] buffer = ArrayPool<byte>.Shared.Rent(batchLength);
        private int used;

        public List<FileAhead> Files { get; } = new(batchFiles);

        /// <summary>With a byte more, so that one that grew shows.</summary>
        public bool HasRoomFor(ScannedEntry found) => Files.Count < batchFiles && used + found.Stat.Size < buffer.Length;

        public void Read(SourceReader reader, ScannedEntry found, long settled)
        {
            var room = buffer.AsSpan(used, Math.Min(MaxLength + 1, buffer.Length - used));
            int? length;
            StatKey after;
            try
            {
                length = reader.Read(found.Entry.Path, room, out after);
            }
            catch (IOException)
            {
                // Something else stands there, perhaps: who looks again can tell, or meets the fault again.
                Files.Add(new FileAhead(found, null, true, default));
                return;
            }

            if (length is not { } whole || after != found.Stat || whole != after.Size)
            {
                Files.Add(new FileAhead(found, null, MovedOn: length is not null, default));
                return;
            }

            var content = buffer.AsMemory(used, whole);
            var hash = ContentHash.From(SHA256.HashData(content.Span));
            if (after.CtimeNs >= settled && !CaptureSource.IsDump(found.Entry.Path) && !IsStill(reader, found, room, hash))
            {
                Files.Add(new FileAhead(found, null, MovedOn: true, default));
                return;
            }

            used += whole;
            Files.Add(new FileAhead(found, content, false, hash));
        }

        /// <summary>Stamps are coarse: a write during the reading need not show in them. It shows in the content.</summary>
        private static bool IsStill(SourceReader reader, ScannedEntry found, Span<byte> room, ContentHash hash)
        {
            try
            {
                return reader.Read(found.Entry.Path, room, out var again) is { } length && again == found.Stat && ContentHash.From(SHA256.HashData(room[..length])) == hash;
            }
            catch (IOException)
            {
                return false;
            }
        }

        public void Dispose()
        {
            if (buffer.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = [];
            }
        }
    }
}
