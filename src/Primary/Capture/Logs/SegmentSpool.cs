using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture.Logs;

/// <summary>
/// The bytes of logs as they lie in versions, in a directory of the node's own: what is here is durable before it is in a version, and is laid over the tree at
/// <c>.mirror/logs</c>. Named as in <see cref="LogSegment"/>, below that.
/// </summary>
internal sealed class SegmentSpool
{
    private const UnixFileMode Own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string directory;
    private readonly Action<string> step;
    private readonly Dictionary<LogStreamId, Extent> extents = [];
    private readonly HashSet<string> unsyncedFiles = [];
    private readonly HashSet<string> unsyncedDirectories = [];

    private sealed record Extent(string Log)
    {
        public long First { get; set; }
        public long End { get; set; }
    }

    /// <param name="step">Said before each change on disk.</param>
    public SegmentSpool(string directory, Action<string> step)
    {
        this.directory = directory;
        this.step = step;
        Directory.CreateDirectory(directory, Own);
        Scan();
    }

    public string Root => directory;

    public IReadOnlyCollection<LogStreamId> Streams => extents.Keys;

    /// <summary>The path a stream's bytes are filed under; null when there are none.</summary>
    public string? LogOf(LogStreamId stream) => extents.GetValueOrDefault(stream)?.Log;

    /// <summary>The offset after its last byte; 0 when there is none.</summary>
    public long EndOf(LogStreamId stream) => extents.GetValueOrDefault(stream)?.End ?? 0;

    public long FirstOf(LogStreamId stream) => extents.GetValueOrDefault(stream)?.First ?? 0;

    public bool Has(LogStreamId stream) => extents.ContainsKey(stream);

    /// <summary>Bytes after the last one; durable after <see cref="Sync"/>.</summary>
    public void Append(LogStreamId stream, string log, long at, ReadOnlySpan<byte> content)
    {
        if (!extents.TryGetValue(stream, out var extent))
        {
            extents.Add(stream, extent = new Extent(log) { First = at, End = at });
        }

        if (at != extent.End)
        {
            throw new InvalidOperationException($"Stream {stream} ends at {extent.End}; bytes from {at} on do not follow.");
        }

        while (!content.IsEmpty)
        {
            var start = StartOf(extent, extent.End);
            var length = (int)Math.Min(content.Length, NextStart(start) - extent.End);
            var path = PathOf(stream, extent.Log, start);
            step("append to segment");
            if (extent.End == start)
            {
                MakeDirectories(Path.GetDirectoryName(path)!);
                unsyncedDirectories.Add(Path.GetDirectoryName(path)!);
            }

            using (var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
            {
                RandomAccess.Write(file, content[..length], extent.End - start);
            }

            unsyncedFiles.Add(path);
            extent.End += length;
            content = content[length..];
        }
    }

    public void Sync()
    {
        foreach (var path in unsyncedFiles)
        {
            step("sync segment");
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            RandomAccess.FlushToDisk(file);
        }

        foreach (var path in unsyncedDirectories)
        {
            step("sync directory of segments");
            DurableFiles.SyncDirectory(path);
        }

        unsyncedFiles.Clear();
        unsyncedDirectories.Clear();
    }

    /// <summary>Fills the buffer; less when the stream has less here.</summary>
    public int Read(LogStreamId stream, long at, Span<byte> buffer)
    {
        if (!extents.TryGetValue(stream, out var extent) || at < extent.First)
        {
            return 0;
        }

        var filled = 0;
        while (filled < buffer.Length && at + filled < extent.End)
        {
            var start = StartOf(extent, at + filled);
            var length = (int)Math.Min(buffer.Length - filled, Math.Min(NextStart(start), extent.End) - (at + filled));
            using var file = File.OpenHandle(PathOf(stream, extent.Log, start), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var read = RandomAccess.Read(file, buffer.Slice(filled, length), at + filled - start);
            if (read == 0)
            {
                break;
            }

            filled += read;
        }

        return filled;
    }

    /// <summary>Gives up what is after an offset: it was not known to be durable, and is read from the log once more.</summary>
    public void Truncate(LogStreamId stream, long end)
    {
        if (!extents.TryGetValue(stream, out var extent) || extent.End <= end)
        {
            return;
        }

        foreach (var start in StartsOf(extent).Where(start => NextStart(start) > end).Reverse())
        {
            var path = PathOf(stream, extent.Log, start);
            step("truncate segment");
            if (start >= end)
            {
                File.Delete(path);
            }
            else
            {
                using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
                RandomAccess.SetLength(file, end - start);
            }
        }

        extent.End = Math.Max(end, extent.First);
        if (extent.End == extent.First)
        {
            extents.Remove(stream);
        }
    }

    /// <summary>Drops full segments that lie before an offset and were written before a time.</summary>
    public void Expire(LogStreamId stream, long before, DateTimeOffset writtenBefore)
    {
        if (!extents.TryGetValue(stream, out var extent))
        {
            return;
        }

        foreach (var start in StartsOf(extent))
        {
            var end = Math.Min(NextStart(start), extent.End);
            var path = PathOf(stream, extent.Log, start);
            if (end > before || File.GetLastWriteTimeUtc(path) >= writtenBefore.UtcDateTime)
            {
                return;
            }

            step("drop segment");
            File.Delete(path);
            extent.First = end;
        }

        extents.Remove(stream);
        Directory.Delete(Path.Combine(directory, stream.ToString()), recursive: true);
    }

    /// <summary>Takes over what a version has of streams that are not known here, when the tree it lies in becomes the live one.</summary>
    public void TakeFrom(string tree)
    {
        var place = Path.Combine(tree, LogSegment.Directory.ToString());
        if (!Directory.Exists(place) || new DirectoryInfo(place).LinkTarget is not null)
        {
            return;
        }

        using (var writer = new TreeWriter(directory))
        {
            foreach (var found in new DirectoryInfo(place).EnumerateDirectories().Where(found => LogStreamId.TryParse(found.Name, out var id) && !Has(id)).ToList())
            {
                step("take over stream");
                var name = EntryPath.Parse(found.Name);
                writer.Remove(name);
                writer.MoveFrom(tree, LogSegment.Directory.Append(name.Bytes), name);
            }
        }

        DurableFiles.SyncDirectory(directory);
        extents.Clear();
        Scan();
    }

    private void Scan()
    {
        foreach (var scanned in TreeScanner.Scan(directory, static (_, _) => false, CancellationToken.None).Entries)
        {
            var path = scanned.Entry.Path;
            if (scanned.Entry.Type != EntryType.File || !LogSegment.TryParse(EntryPath.Parse([.. LogSegment.Directory.Bytes, (byte)'/', .. path.Bytes]), out var segment))
            {
                continue;
            }

            if (scanned.Entry.Size == 0)
            {
                // Made, and nothing was written to it.
                File.Delete(Path.Combine(directory, path.ToString()));
            }
            else if (!extents.TryGetValue(segment.Stream, out var extent))
            {
                extents.Add(segment.Stream, new Extent(segment.Log.ToString()) { First = segment.Offset, End = segment.Offset + scanned.Entry.Size });
            }
            else if (extent.End == segment.Offset)
            {
                extent.End += scanned.Entry.Size;
            }
        }
    }

    private static IEnumerable<long> StartsOf(Extent extent)
    {
        for (var start = extent.First; start < extent.End; start = NextStart(start))
        {
            yield return start;
        }
    }

    private static long StartOf(Extent extent, long offset) => Math.Max(extent.First, offset - (offset % LogSegment.Length));

    private static long NextStart(long start) => start - (start % LogSegment.Length) + LogSegment.Length;

    private string PathOf(LogStreamId stream, string log, long start) => Path.Combine(directory, stream.ToString(), log, LogSegment.NameOf(start));

    private void MakeDirectories(string path)
    {
        if (Directory.Exists(path))
        {
            return;
        }

        var parent = Path.GetDirectoryName(path)!;
        MakeDirectories(parent);
        Directory.CreateDirectory(path, Own);
        unsyncedDirectories.Add(parent);
    }
}
