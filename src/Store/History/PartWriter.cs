using System.Security.Cryptography;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>
/// Writes a part of a version below a directory: directories, then files by as many workers as there are processors, then links and all else. Reading, hashing and writing
/// a small file take about equally long, and most files are small: so each worker does all of it for files of its own, which lie together.
/// </summary>
internal sealed class PartWriter(ContentPlan plan, RestorePart part, VersionId version, string root, string scratch, RestoreLinks? links, IProgress<StoreProgress>? progress)
{
    private const int MostWorkers = 4;
    private const int BatchFiles = 32;
    private const long BatchBytes = 4 << 20;
    private static readonly ContentHash empty = ContentHash.From(SHA256.HashData([]));

    private readonly Lock gate = new();
    private readonly List<UnreadablePath> unset = [];
    private readonly long total = part.Contents.Sum(static entry => entry.Size);
    private int next;
    private long linked;
    private long done;

    /// <summary>What could not be set for want of rights.</summary>
    public IReadOnlyList<UnreadablePath> Unset => unset;

    public long Linked => linked;

    /// <summary>After this all is written in the kernel's view; the caller syncs.</summary>
    /// <param name="unreachable">The error for an entry whose content is nowhere (any more).</param>
    public async Task RunAsync(Func<Entry, StoreException> unreachable, CancellationToken cancellation)
    {
        using var writer = new TreeWriter(root);
        foreach (var entry in part.Entries)
        {
            if (entry.Type == EntryType.Directory)
            {
                cancellation.ThrowIfCancellationRequested();
                writer.Put(entry);
            }
        }

        await WriteFilesAsync(unreachable, cancellation);
        foreach (var entry in part.Entries)
        {
            if (entry.Type != EntryType.Directory && (entry.Type != EntryType.File || entry.HardlinkOf is not null))
            {
                cancellation.ThrowIfCancellationRequested();
                writer.Put(entry);
            }
        }

        unset.AddRange(LogFiles.PutTogether(writer, part.Entries, cancellation));
        writer.FinishDirectories(part.Entries.Where(static entry => entry.Type == EntryType.Directory));
        unset.AddRange(writer.Unset);
    }

    private async Task WriteFilesAsync(Func<Entry, StoreException> unreachable, CancellationToken cancellation)
    {
        var batches = Batches();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var workers = Enumerable.Range(0, Math.Clamp(batches.Count, 1, Math.Min(Environment.ProcessorCount, MostWorkers)))
            .Select(number => Task.Run(() => WorkAsync(batches, number, unreachable, stop), CancellationToken.None))
            .ToList();
        await Task.WhenAll(workers).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // The first to fail stopped the others: it is the one to tell of.
        var failed = workers.FirstOrDefault(worker => worker.IsFaulted) ?? workers.FirstOrDefault(worker => worker.IsCanceled);
        if (failed is not null)
        {
            cancellation.ThrowIfCancellationRequested();
            await failed;
        }
    }

    /// <summary>Files with one content together, so that it is made once; in the order of the first of each, so that neighbours share directories and frames of packs.</summary>
    private List<List<List<Entry>>> Batches()
    {
        var batches = new List<List<List<Entry>>>();
        var byContent = new Dictionary<ContentHash, List<Entry>>();
        var bytes = BatchBytes;
        foreach (var entry in part.Contents)
        {
            if (entry.Size > 0 && byContent.TryGetValue(entry.Hash, out var twins))
            {
                twins.Add(entry);
                continue;
            }

            if (bytes >= BatchBytes || batches[^1].Count == BatchFiles)
            {
                batches.Add([]);
                bytes = 0;
            }

            List<Entry> alone = [entry];
            batches[^1].Add(alone);
            bytes += entry.Size;
            if (entry.Size > 0)
            {
                byContent.Add(entry.Hash, alone);
            }
        }

        return batches;
    }

    private async Task WorkAsync(List<List<List<Entry>>> batches, int number, Func<Entry, StoreException> unreachable, CancellationTokenSource stop)
    {
        try
        {
            using var writer = new TreeWriter(root);
            using var reader = new ContentReader(plan, Path.Combine(scratch, $"{number}"));
            for (int batch; (batch = Interlocked.Increment(ref next) - 1) < batches.Count;)
            {
                foreach (var files in batches[batch])
                {
                    stop.Token.ThrowIfCancellationRequested();
                    await WriteAsync(writer, reader, files, unreachable, stop.Token);
                }
            }

            lock (gate)
            {
                unset.AddRange(writer.Unset);
            }
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }
    }

    private async Task WriteAsync(TreeWriter writer, ContentReader reader, List<Entry> files, Func<Entry, StoreException> unreachable, CancellationToken cancellation)
    {
        EntryPath? written = null;
        foreach (var entry in files)
        {
            if (!TryLink(writer, entry))
            {
                using var file = writer.BeginFile(entry);
                if (written is { } twin)
                {
                    await using var source = TreeScanner.OpenRead(root, twin);
                    await VerifiedCopy.RunAsync(source, file.Content, entry.Hash, entry.Size, twin.ToString(), cancellation);
                }
                else if (entry.Size == 0 ? entry.Hash != empty : !await reader.TryWriteAsync(entry.Hash, entry.Size, file.Content, cancellation))
                {
                    throw unreachable(entry);
                }

                file.Commit();
            }

            written ??= entry.Path;
            lock (gate)
            {
                done += entry.Size;
                progress?.Report(new StoreProgress($"restoring {version}", done, total));
            }
        }
    }

    private bool TryLink(TreeWriter writer, Entry entry)
    {
        if (links?.Take(entry, part.OriginalOf(entry)) is not { } candidate)
        {
            return false;
        }

        if (links.TryLink(writer, entry, candidate))
        {
            Interlocked.Increment(ref linked);
            return true;
        }

        plan.Blame(links.Tree, candidate);
        return false;
    }
}
