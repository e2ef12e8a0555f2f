using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Node.Configuration;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture.Logs;

/// <summary>How far each stream was captured at one moment. When a version has that, and is consistent, the logs may be emptied so far.</summary>
public sealed record LogMark(IReadOnlyDictionary<LogStreamId, long> Ends)
{
    public static LogMark Nothing { get; } = new(new Dictionary<LogStreamId, long>());
}

/// <summary>
/// The append-only logs of a site on its primary: what is written to them is brought into a spool (see <see cref="LogSegment"/>), from where it is part of every version until it is older
/// than <c>keep</c>; and they are emptied of what is safe elsewhere. Where each log stands is on disk before anything is taken out of it, so that whatever ends this process, no byte is
/// lost and none is there twice.
/// </summary>
public sealed partial class SiteLogs : IDisposable
{
    private static readonly TimeSpan betweenExpiries = TimeSpan.FromMinutes(1);

    private readonly string directory;
    private readonly LogPatterns patterns;
    private readonly LogsConfig config;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Action<string> step;
    private readonly Lock gate = new();
    private readonly List<LogStream> streams = [];
    private SegmentSpool? opened;
    private LogRecords? written;
    private (ulong Epoch, uint Number) last;
    private DateTimeOffset expired;

    /// <param name="directory">Where the spool and the state are; made when absent.</param>
    /// <param name="step">For tests: said before each change on disk.</param>
    internal SiteLogs(string directory, LogsConfig config, TimeProvider time, ILogger logger, Action<string>? step = null)
    {
        this.directory = directory;
        this.config = config;
        this.time = time;
        this.logger = logger;
        this.step = step ?? (static _ => { });
        patterns = new LogPatterns(config.Patterns);
    }

    /// <param name="dumps">The spool of the site's dumps: the one of its logs lies beside it.</param>
    /// <returns>Null when the site has no logs.</returns>
    public static SiteLogs? For(SiteConfig site, string dumps, TimeProvider time, ILogger logger) => site.Files.Logs is { Patterns.Count: > 0 } logs
        ? new SiteLogs(Path.Combine(Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(dumps)))!, "logs"), logs, time, logger)
        : null;

    /// <summary>For a store without a cluster: the spool lies in it, and the logs are not emptied.</summary>
    public static SiteLogs In(string store, IReadOnlyList<string> patterns, TimeSpan keep, TimeProvider time) =>
        new(Path.Combine(store, "logs"), new LogsConfig(patterns, keep, Empty: false, EmptyFrom: 0, EmptyAfter: TimeSpan.Zero), time, NullLogger.Instance);

    public LogsConfig Config => config;

    /// <summary>Directory that is laid over a version's tree at <see cref="LogSegment.Directory"/>.</summary>
    public string Segments => Path.Combine(directory, "segments");

    /// <summary>As of the last <see cref="Collect"/>.</summary>
    public LogMark Mark { get; private set; } = LogMark.Nothing;

    /// <param name="path">Of a regular file.</param>
    public bool Matches(EntryPath path) => patterns.Matches(path);

    /// <summary>The tree of a version becomes the live one: what it has of logs stays part of the versions to come.</summary>
    public void TakeFrom(string tree)
    {
        lock (gate)
        {
            Spool().TakeFrom(tree);
            Reconcile();
            Note();
        }
    }

    /// <summary>Brings what the logs have new into the spool. Only one at a time, and only inside a capture: what is here afterwards is in its version.</summary>
    /// <param name="seen">Logs found in the tree; those that are known need not be among them.</param>
    /// <param name="epoch">Of the version that is captured.</param>
    /// <exception cref="UnauthorizedAccessException">A log cannot be read.</exception>
    /// <exception cref="IOException"/>
    internal void Collect(string tree, IEnumerable<EntryPath> seen, ulong epoch)
    {
        lock (gate)
        {
            var spool = Spool();
            using (var collection = new LogCollection(tree, patterns, spool, streams, () => NewId(epoch), time.GetUtcNow()))
            {
                if (collection.Find(seen))
                {
                    // A stream has its number before it has a byte: else, after a crash, its bytes would be there under two.
                    Note();
                }

                if (collection.Read())
                {
                    Note();
                }
            }

            Expire(spool);
            WriteIndex();
            Mark = new LogMark(streams.ToDictionary(static stream => stream.Id, static stream => stream.End));
        }
    }

    /// <summary>Takes out of the logs what a version has that nothing can make undone.</summary>
    /// <param name="safe">As of that version.</param>
    /// <exception cref="IOException"/>
    /// <exception cref="UnauthorizedAccessException">A log may be read and not be written to.</exception>
    public IReadOnlyList<EmptiedLog> Empty(string tree, LogMark safe)
    {
        lock (gate)
        {
            var spool = Spool();
            var emptied = new List<EmptiedLog>();
            foreach (var stream in streams.Where(stream => stream.Name.ToString() == stream.Log && safe.Ends.ContainsKey(stream.Id)))
            {
                if (safe.Ends[stream.Id] - stream.Base - stream.Cleared < config.EmptyFrom)
                {
                    continue;
                }

                using var file = LogFile.TryOpen(tree, stream.Name, toEmpty: true);
                if (file is not null && LogEmptying.Empty(stream, file, spool, safe.Ends[stream.Id], config.EmptyFrom, Note, step) is { } done)
                {
                    emptied.Add(done);
                }
            }

            return emptied;
        }
    }

    /// <summary>The tree becomes a replica's: it gets the bytes as files of its own. Where the logs themselves stand stays known here.</summary>
    public void LayInto(string tree)
    {
        lock (gate)
        {
            var spool = Spool();
            using (var writer = new TreeWriter(tree))
            {
                writer.Remove(LogSegment.Directory);
                var parent = Path.GetDirectoryName(Segments)!;
                writer.MoveFrom(parent, EntryPath.Parse(Path.GetFileName(Segments)), LogSegment.Directory);
            }

            DurableFiles.SyncDirectory(directory);
            opened = null;
            streams.ForEach(static stream => stream.Dispose());
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            streams.ForEach(static stream => stream.Dispose());
        }
    }

    private SegmentSpool Spool()
    {
        if (opened is not null)
        {
            return opened;
        }

        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        opened = new SegmentSpool(Segments, step);
        DurableFiles.SyncDirectory(directory);
        streams.Clear();
        LogRecords? records = null;
        try
        {
            records = LogState.Read(StateFile);
        }
        catch (InvalidDataException damaged)
        {
            Log.StateLost(logger, damaged.Message);
        }

        last = records is null ? default : (records.Epoch, records.Number);
        streams.AddRange((records?.Streams ?? []).Select(LogStream.From));
        Reconcile();

        // Of a file of which nothing was captured nothing is known: when the process ended, it may have been rotated since, and a copy of it be older than what it holds now.
        streams.RemoveAll(static stream => stream.End == 0);
        Note();
        return opened;
    }

    private string StateFile => Path.Combine(directory, "state");

    /// <summary>What the spool has counts: what was not noted as durable is read again, and so is what is not there (any more).</summary>
    private void Reconcile()
    {
        var spool = opened!;
        foreach (var stream in streams.Where(stream => spool.Has(stream.Id)))
        {
            spool.Truncate(stream.Id, stream.End);
            if (spool.Has(stream.Id) && spool.EndOf(stream.Id) < stream.End)
            {
                stream.End = Math.Max(spool.EndOf(stream.Id), stream.Base);
                stream.Settled = null;
            }
        }

        foreach (var id in spool.Streams.Where(id => id.CompareTo(new LogStreamId(last.Epoch, last.Number)) > 0))
        {
            last = (id.Epoch, id.Number);
        }
    }

    private LogStreamId NewId(ulong epoch)
    {
        var spool = opened!;
        var number = last.Epoch == epoch ? last.Number : 0;
        LogStreamId id;
        do
        {
            id = new LogStreamId(epoch, ++number);
        }
        while (spool.Has(id) || streams.Exists(stream => stream.Id == id));
        last = (epoch, number);
        return id;
    }

    private void Note()
    {
        var records = new LogRecords(last.Epoch, last.Number, [.. streams.Select(static stream => stream.ToRecord())]);
        if (written is null || !(written.Epoch == records.Epoch && written.Number == records.Number && written.Streams.SequenceEqual(records.Streams)))
        {
            step("note streams");
            LogState.Write(StateFile, records);
            written = records;
        }
    }

    private void Expire(SegmentSpool spool)
    {
        var now = time.GetUtcNow();
        if (now - expired < betweenExpiries)
        {
            return;
        }

        expired = now;
        foreach (var id in spool.Streams.ToList())
        {
            // What is still in its file stays, however old.
            var live = streams.Find(stream => stream.Id == id);
            spool.Expire(id, live is null ? long.MaxValue : live.Base + live.Cleared, now - config.Keep);
        }
    }

    private void WriteIndex()
    {
        var files = new List<LoggedFile>();
        foreach (var stream in streams)
        {
            if (stream.AtName is not { } look || look.Names == 0 || !patterns.Matches(stream.Name))
            {
                continue;
            }

            var (owner, group) = LogFile.OwnersOf(look);
            files.Add(new LoggedFile(
                stream.Name.ToString(), stream.Id.ToString(), stream.Log, stream.Base + stream.Cleared, stream.End, look.Mode, look.Uid, look.Gid, owner, group, look.MtimeNs));
        }

        files.Sort(static (left, right) => string.CompareOrdinal(left.Path, right.Path));
        var path = Path.Combine(Segments, Encoding.UTF8.GetString(LogSegment.Index.Name));
        var content = new LogIndex(files).ToBytes();
        if (!File.Exists(path) || !File.ReadAllBytes(path).AsSpan().SequenceEqual(content))
        {
            step("write index");
            var pending = Path.Combine(directory, "index.tmp");
            File.WriteAllBytes(pending, content);
            File.Move(pending, path, overwrite: true);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3080, LogLevel.Error, "Where the logs were captured to is not known any more: {Reason} They are captured from their beginnings once more, and `mirror logs cat` shows what they hold now twice")]
        public static partial void StateLost(ILogger logger, string reason);
    }
}
