using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Store.Logs;

/// <summary>
/// Gives a restored tree its log files back: each is put together from its segments, as the version's index says. A file that cannot be had is told of, and keeps nobody from the rest:
/// its bytes, as far as they are there, lie in <c>.mirror/logs</c>.
/// </summary>
internal static class LogFiles
{
    /// <param name="version">The entries of the tree, all written.</param>
    /// <returns>What could not be put together.</returns>
    public static IReadOnlyList<UnreadablePath> PutTogether(TreeWriter writer, IReadOnlyList<Entry> version, CancellationToken cancellation)
    {
        if (!version.Any(static entry => entry.Path == LogSegment.Index && entry.Type == EntryType.File))
        {
            return [];
        }

        LogIndex index;
        try
        {
            using var content = TreeScanner.OpenRead(writer.Root, LogSegment.Index);
            index = LogIndex.Read(content);
        }
        catch (InvalidDataException malformed)
        {
            return [new UnreadablePath(LogSegment.Index, malformed.Message)];
        }

        var segments = new Dictionary<(LogStreamId, EntryPath), List<(LogSegment Segment, Entry Entry)>>();
        var taken = new HashSet<EntryPath>();
        foreach (var entry in version)
        {
            taken.Add(entry.Path);
            if (entry.Type == EntryType.File && LogSegment.TryParse(entry.Path, out var segment))
            {
                var key = (segment.Stream, segment.Log);
                if (!segments.TryGetValue(key, out var pieces))
                {
                    segments.Add(key, pieces = []);
                }

                pieces.Add((segment, entry));
            }
        }

        var failed = new List<UnreadablePath>();
        foreach (var file in index.Files)
        {
            cancellation.ThrowIfCancellationRequested();
            var path = EntryPath.Parse(file.Path);
            _ = LogStreamId.TryParse(file.Stream, out var stream);
            var pieces = segments.GetValueOrDefault((stream, EntryPath.Parse(file.Log))) ?? [];
            if (!taken.Add(path))
            {
                failed.Add(new UnreadablePath(path, "the log was not put together: the version has a file of its own there"));
            }
            else if (Lacks(pieces, file))
            {
                failed.Add(new UnreadablePath(path, $"the log was not put together: the version lacks some of the bytes {file.From} to {file.To} of stream {file.Stream}"));
            }
            else
            {
                Write(writer, path, file, pieces, failed);
            }
        }

        return failed;
    }

    private static bool Lacks(List<(LogSegment Segment, Entry Entry)> pieces, LoggedFile file)
    {
        var at = file.From;
        foreach (var (segment, entry) in pieces.OrderBy(static piece => piece.Segment.Offset))
        {
            if (segment.Offset <= at)
            {
                at = Math.Max(at, segment.Offset + entry.Size);
            }
        }

        return at < file.To;
    }

    private static void Write(TreeWriter writer, EntryPath path, LoggedFile file, List<(LogSegment Segment, Entry Entry)> pieces, List<UnreadablePath> failed)
    {
        var entry = new Entry
        {
            Path = path,
            Type = EntryType.File,
            Mode = file.Mode,
            Uid = file.Uid,
            Gid = file.Gid,
            Owner = file.Owner,
            Group = file.Group,
            MtimeUnixNs = file.MtimeUnixNs,
            Size = file.To - file.From,
        };
        try
        {
            using var written = writer.BeginFile(entry);
            var buffer = new byte[1 << 16];
            var at = file.From;
            foreach (var (segment, stored) in pieces.OrderBy(static piece => piece.Segment.Offset))
            {
                var end = Math.Min(file.To, segment.Offset + stored.Size);
                if (segment.Offset > at || end <= at)
                {
                    continue;
                }

                using var content = TreeScanner.OpenRead(writer.Root, stored.Path);
                content.Position = at - segment.Offset;
                while (at < end)
                {
                    var length = content.Read(buffer, 0, (int)Math.Min(buffer.Length, end - at));
                    if (length == 0)
                    {
                        throw new IOException($"\"{stored.Path}\" ended early.");
                    }

                    written.Content.Write(buffer, 0, length);
                    at += length;
                }
            }

            written.Commit();
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            failed.Add(new UnreadablePath(path, $"the log was not put together: {missing.Message}"));
        }
    }
}
