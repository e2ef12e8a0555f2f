using Mirror.Store.Logs;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Capture.Logs;

/// <summary>
/// One look at the logs of a tree: finds each stream's file again, whatever became of its name, sees which were truncated and which are new, and brings what was written since into the spool.
/// Files are known by their inodes; a file that became shorter, or holds other bytes where the last captured ones were, begins a new stream, and the old one goes on in the copy that was
/// made of it, if there is one.
/// </summary>
internal sealed class LogCollection(string tree, LogPatterns patterns, SegmentSpool spool, List<LogStream> streams, Func<LogStreamId> newId, DateTimeOffset now) : IDisposable
{
    private const int chunkLength = 1 << 20;
    private const int mostOpen = 512;

    /// <summary>A file outside the patterns (a rotated one) is followed for so long after it was written to last: by then its writer has opened the new one.</summary>
    private static readonly TimeSpan lingering = TimeSpan.FromHours(1);

    /// <summary>The same for one that was deleted.</summary>
    private static readonly TimeSpan lingeringDeleted = TimeSpan.FromMinutes(1);

    private readonly Dictionary<LogIdentity, (LogFile File, LogLook Look)> files = [];
    private readonly Dictionary<EntryPath, IReadOnlyList<(EntryPath Path, LogIdentity Identity)>> listings = [];
    private readonly List<(LogStream Stream, LogFile File, LogLook Look)> due = [];
    private readonly List<LogFile> opened = [];

    /// <summary>Finds out what there is to read; nothing is read yet.</summary>
    /// <returns>False when nothing is to be noted before.</returns>
    public bool Find(IEnumerable<EntryPath> seen)
    {
        foreach (var path in seen.Concat(streams.Select(stream => stream.Name)).Distinct())
        {
            TryOpen(path);
        }

        var changed = false;
        foreach (var stream in streams.ToList())
        {
            changed |= Follow(stream);
        }

        foreach (var ended in streams.Where(static stream => stream.HasEnded))
        {
            ended.Dispose();
        }

        changed |= streams.RemoveAll(static stream => stream.HasEnded) > 0;
        var known = streams.Select(stream => stream.Identity).ToHashSet();
        foreach (var (file, look) in files.Values.Where(found => !known.Contains(found.Look.Identity) && patterns.Matches(found.File.Path)).OrderBy(found => found.Look.MtimeNs).ToList())
        {
            if (streams.Exists(stream => IsRotated(file.Path, stream) && stream.BeginsAs(file, look.Size, spool)))
            {
                // A copy that is being made before the log is truncated: then it is that stream's.
                continue;
            }

            Begin(file, look);
            changed = true;
        }

        return changed;
    }

    /// <summary>Reads what is new into the spool; durable after this.</summary>
    /// <returns>False when there was nothing.</returns>
    public bool Read()
    {
        var buffer = new byte[chunkLength];
        var any = false;
        foreach (var (stream, file, look) in due)
        {
            any |= Read(stream, file, look, buffer);
        }

        spool.Sync();
        return any;
    }

    public void Dispose()
    {
        var kept = 0;
        foreach (var stream in streams)
        {
            var file = due.Find(one => one.Stream == stream).File;
            if (file is not null && file != stream.Open && kept < mostOpen)
            {
                stream.Open?.Dispose();
                stream.Open = file;
            }

            kept += stream.Open is null ? 0 : 1;
        }

        foreach (var file in opened.Where(file => !streams.Exists(stream => stream.Open == file)))
        {
            file.Dispose();
        }
    }

    /// <summary>Whether a removal from the front that was begun has happened: the first bytes of the file are those of the stream's new front, or still the old ones.</summary>
    public static void Settle(LogStream stream, LogFile file, SegmentSpool spool)
    {
        if (stream.Removing == 0)
        {
            return;
        }

        var expected = new byte[(int)Math.Min(stream.End - stream.Base - stream.Removing, LogEmptying.LongestCheck)];
        var found = new byte[expected.Length];
        if (spool.Read(stream.Id, stream.Base + stream.Removing, expected) == expected.Length && file.Read(0, found) == found.Length && found.AsSpan().SequenceEqual(expected))
        {
            stream.FormerBase = stream.Base;
            stream.Base += stream.Removing;
            stream.Cleared = Math.Max(0, stream.Cleared - stream.Removing);
        }
        else
        {
            // It has not; or the file is another by now, and a copy of it may have been made after.
            stream.FormerBase = stream.Base + stream.Removing;
        }

        stream.Removing = 0;
    }

    private bool Follow(LogStream stream)
    {
        var (name, removing) = (stream.Name, stream.Removing);
        if (FileOf(stream) is not var (file, look))
        {
            stream.HasEnded = true;
            return true;
        }

        Settle(stream, file, spool);
        if (look == stream.Settled)
        {
            EndIfGone(stream, look);
            return stream.HasEnded || stream.Name != name || removing != 0;
        }

        if (stream.GoesOnIn(file, look.Size, stream.Base, spool))
        {
            due.Add((stream, file, look));
            return stream.Name != name || removing != 0;
        }

        // Truncated. What was written before that and after the last capture is in the copy, if one was made. What the file holds now is another stream: of a log that had been copied to where this file is, or new.
        if (FindCopy(stream) is var (copy, copied, front))
        {
            stream.Identity = copied.Identity;
            stream.Name = copy.Path;
            stream.AtName = copied;
            stream.FormerBase = stream.Base = front;
            stream.Settled = null;
            stream.Open?.Dispose();
            stream.Open = null;
            due.Add((stream, copy, copied));
        }
        else
        {
            stream.HasEnded = true;
        }

        return true;
    }

    private (LogFile File, LogLook Look)? FileOf(LogStream stream)
    {
        stream.AtName = null;
        if (files.TryGetValue(stream.Identity, out var found))
        {
            stream.Name = found.File.Path;
            stream.AtName = found.Look;
            return found;
        }

        // A name that is being moved can slip through a listing; whoever has the file open need not care.
        for (var attempt = 0; attempt < (stream.Open is null ? 3 : 1); attempt++)
        {
            if (Listing(stream.Name.Parent).FirstOrDefault(sibling => sibling.Identity == stream.Identity) is { Path.IsRoot: false } moved
                && TryOpen(moved.Path) is { } there && there.Look.Identity == stream.Identity)
            {
                stream.Name = moved.Path;
                stream.AtName = there.Look;
                return there;
            }

            listings.Remove(stream.Name.Parent);
        }

        return stream.Open is { } open ? (open, open.Look()) : null;
    }

    private (LogFile File, LogLook Look, long Front)? FindCopy(LogStream stream)
    {
        foreach (var sibling in Listing(stream.Name.Parent))
        {
            if (sibling.Path == stream.Name || streams.Exists(other => !other.HasEnded && other.Identity == sibling.Identity) || !IsRotated(sibling.Path, stream) || TryOpen(sibling.Path) is not var (file, look))
            {
                continue;
            }

            foreach (var front in new[] { stream.Base, stream.FormerBase })
            {
                if (stream.IsCopiedIn(file, look.Size, front, spool))
                {
                    return (file, look, front);
                }
            }
        }

        return null;
    }

    private void Begin(LogFile file, LogLook look)
    {
        var log = LogPatterns.OriginOf(file.Path, path => patterns.Matches(path) && (streams.Exists(stream => stream.Log == path.ToString()) || files.Values.Any(other => other.File.Path == path)));
        var stream = new LogStream(newId(), log.ToString(), file.Path, look.Identity) { AtName = look };
        streams.Add(stream);
        due.Add((stream, file, look));
    }

    private static bool IsRotated(EntryPath path, LogStream stream) =>
        LogPatterns.OriginOf(path, origin => origin == stream.Name || origin == EntryPath.Parse(stream.Log)) != path;

    private bool Read(LogStream stream, LogFile file, LogLook look, byte[] buffer)
    {
        var any = false;
        for (var at = stream.End - stream.Base; at < look.Size;)
        {
            var length = file.Read(at, buffer.AsSpan(0, (int)Math.Min(buffer.Length, look.Size - at)));

            // Truncated while it was read? Then this may be of a new life of the file, and the next look tells.
            if (length == 0 || !(stream.End - stream.Base - stream.Cleared > 0 ? stream.GoesOnIn(file, look.Size, stream.Base, spool) : ReadsTheSame(file, at, buffer.AsSpan(0, length))))
            {
                stream.Settled = null;
                return any;
            }

            spool.Append(stream.Id, stream.Log, stream.End, buffer.AsSpan(0, length));
            stream.End += length;
            at += length;
            any = true;
        }

        stream.Settled = look;
        EndIfGone(stream, look);
        return any;
    }

    private static bool ReadsTheSame(LogFile file, long at, ReadOnlySpan<byte> content)
    {
        Span<byte> again = stackalloc byte[Math.Min(content.Length, 512)];
        return file.Read(at, again) == again.Length && content[..again.Length].SequenceEqual(again);
    }

    private void EndIfGone(LogStream stream, LogLook look)
    {
        var quiet = now - DateTimeOffset.UnixEpoch.AddTicks(look.MtimeNs / 100);
        stream.HasEnded = look.Names == 0 ? quiet > lingeringDeleted : stream.AtName is null || !patterns.Matches(stream.Name) ? quiet > lingering : stream.HasEnded;
    }

    private (LogFile File, LogLook Look)? TryOpen(EntryPath path)
    {
        if (LogFile.TryOpen(tree, path) is not { } file)
        {
            return null;
        }

        opened.Add(file);
        var look = file.Look();
        return files.TryAdd(look.Identity, (file, look)) ? (file, look) : files[look.Identity];
    }

    private IReadOnlyList<(EntryPath Path, LogIdentity Identity)> Listing(EntryPath directory)
    {
        if (!listings.TryGetValue(directory, out var listing))
        {
            listings.Add(directory, listing = LogFile.In(tree, directory));
        }

        return listing;
    }
}
