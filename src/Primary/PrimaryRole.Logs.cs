using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Logs;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Versions;

namespace Mirror.Primary;

// Emptying logs, once what they held is where no failure can reach all of it.
public sealed partial class PrimaryRole
{
    private const int mostMarks = 1024;

    private readonly Lock marksGate = new();
    private readonly List<(VersionId Version, LogMark Mark, DateTimeOffset At)> marks = [];
    private Task emptying = Task.CompletedTask;

    /// <summary>
    /// Writes what a version has of a log, from the spool: what a primary captured is in no pack of its own. A segment only grows, so an older version's is the beginning of what is there.
    /// False when it is not there, or not the same; then nothing was written.
    /// </summary>
    public async Task<bool> TryCopyLogAsync(VersionId version, EntryPath path, Stream output, CancellationToken cancellation)
    {
        if (logs is null || !LogSegment.TryParse(path, out _) || store.Find(version) is null || store.ManifestOf(version).Find(path) is not { Type: EntryType.File, Size: <= LogSegment.Length } entry)
        {
            return false;
        }

        var content = new byte[entry.Size];
        try
        {
            await using var file = new CaptureSource(live.Tree, dumps.Spool, filter, logs).OpenRead(path);
            if (await file.ReadAtLeastAsync(content, content.Length, throwOnEndOfStream: false, cancellation) < content.Length || ContentHash.From(SHA256.HashData(content)) != entry.Hash)
            {
                return false;
            }
        }
        catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }

        await output.WriteAsync(content, cancellation);
        return true;
    }

    // What was collected is in the version that was captured just now; or, if there was nothing new, in the newest one there is.
    private void MarkLogs()
    {
        if (logs is not { Config.Empty: true } || store.Head is not { } head || site.Nodes.Count < 2)
        {
            return;
        }

        lock (marksGate)
        {
            if (marks.Count > 0 && marks[^1].Version == head.Id)
            {
                return;
            }

            if (marks.Count == mostMarks)
            {
                // While no replica is there, the newest is as good as all before it.
                marks.RemoveAt(marks.Count - 1);
            }

            marks.Add((head.Id, logs.Mark, time.GetUtcNow()));
        }

        SignalChange();
    }

    private void StartEmptying()
    {
        if (logs is { Config.Empty: true })
        {
            emptying = Task.Run(EmptyLogsAsync, CancellationToken.None);
        }
    }

    private async Task EmptyLogsAsync()
    {
        try
        {
            while (true)
            {
                await UntilAsync(() => OldestMark() is { } oldest && IsConsistent(oldest.Version), leaving);
                var (_, mark, at) = OldestMark()!.Value;
                var wait = at + logs!.Config.EmptyAfter - time.GetUtcNow();
                if (wait > TimeSpan.Zero)
                {
                    await Task.Delay(wait, time, leaving);
                }

                lock (marksGate)
                {
                    var due = marks.FindLastIndex(one => IsConsistent(one.Version) && one.At + logs.Config.EmptyAfter <= time.GetUtcNow());
                    if (due >= 0)
                    {
                        mark = marks[due].Mark;
                        marks.RemoveRange(0, due + 1);
                    }
                }

                Empty(mark);
            }
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            // The role is being left.
        }
    }

    private void Empty(LogMark mark)
    {
        try
        {
            foreach (var emptied in logs!.Empty(live.Tree, mark))
            {
                Log.Emptied(logger, site.Name, emptied.Path, emptied.Bytes, emptied.Removed ? "the file is shorter by them" : "their room was given back");
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Log.NotEmptied(logger, site.Name, failure.Message);
        }
    }

    private (VersionId Version, LogMark Mark, DateTimeOffset At)? OldestMark()
    {
        lock (marksGate)
        {
            return marks.Count > 0 ? marks[0] : null;
        }
    }

    /// <summary>Not only here: this node has what it captured, but not for good.</summary>
    private bool IsConsistent(VersionId version)
    {
        var holders = Others.Where(name => replicas.TryGetValue(name, out var holding) && holding.Verified >= version).ToList();
        return holders.Count > 0 && IsConsistent(version, holders);
    }

    private static partial class Log
    {
        [LoggerMessage(3081, LogLevel.Information, "{Site}: {Bytes} bytes were taken out of the log {Path}, which a consistent version holds; {How}")]
        public static partial void Emptied(ILogger logger, string site, string path, long bytes, string how);

        [LoggerMessage(3082, LogLevel.Warning, "{Site}: a log was not emptied, and nothing was lost: {Reason}")]
        public static partial void NotEmptied(ILogger logger, string site, string reason);
    }
}
