using Mirror.Store.Logs;
using Mirror.Store.Manifests;

namespace Mirror.Primary.Capture.Logs;

/// <summary>
/// A log file that is followed. It is known by its inode, whatever its name; that it only grew is seen by the last bytes before <see cref="End"/>, which must be in the file where they
/// were.
/// </summary>
internal sealed class LogStream(LogStreamId id, string log, EntryPath name, LogIdentity identity) : IDisposable
{
    private const int checkedLength = 4096;

    public LogStreamId Id => id;

    public string Log => log;

    public EntryPath Name { get; set; } = name;

    public LogIdentity Identity { get; set; } = identity;

    public long Base { get; set; }

    public long FormerBase { get; set; }

    public long Cleared { get; set; }

    public long End { get; set; }

    public long Removing { get; set; }

    /// <summary>Open between captures, so that what is written to the file after it was renamed or deleted is read as well.</summary>
    public LogFile? Open { get; set; }

    /// <summary>The file as it was when all of it was read; null when more may be there.</summary>
    public LogLook? Settled { get; set; }

    /// <summary>As it was when it was looked at last, under <see cref="Name"/>; null when it is not there.</summary>
    public LogLook? AtName { get; set; }

    /// <summary>Nothing more will come of it.</summary>
    public bool HasEnded { get; set; }

    public static LogStream From(StreamRecord record)
    {
        _ = LogStreamId.TryParse(record.Stream, out var id);
        return new LogStream(id, record.Log, EntryPath.Parse(record.Name), new LogIdentity(record.Inode, record.BornNs))
        {
            Base = record.Base,
            FormerBase = record.FormerBase,
            Cleared = record.Cleared,
            End = record.End,
            Removing = record.Removing,
        };
    }

    public StreamRecord ToRecord() =>
        new(Id.ToString(), Log, Name.ToString(), Identity.Inode, Identity.BornNs, Base, FormerBase, Cleared, End, Removing);

    /// <summary>True while the file holds, where they were, the last bytes that were captured of it: it only grew since.</summary>
    /// <param name="front">The offset in the stream of the file's first byte.</param>
    public bool GoesOnIn(LogFile file, long size, long front, SegmentSpool spool)
    {
        var at = End - front;
        return at >= 0 && size >= at && HoldsBefore(file, at, LastCaptured(spool, front));
    }

    /// <summary>The same for a file that may be a copy of this one: nothing proves nothing.</summary>
    public bool IsCopiedIn(LogFile file, long size, long front, SegmentSpool spool)
    {
        var at = End - front;
        var last = LastCaptured(spool, front);
        return last.Length > 0 && size >= at && HoldsBefore(file, at, last);
    }

    /// <summary>True for a copy that is being made: it has nothing but what this stream had first, and this one still goes on.</summary>
    public bool BeginsAs(LogFile file, long size, SegmentSpool spool) => BeginsAs(file, size, Base, spool) || (FormerBase != Base && BeginsAs(file, size, FormerBase, spool));

    public void Dispose() => Open?.Dispose();

    private bool BeginsAs(LogFile file, long size, long front, SegmentSpool spool)
    {
        const int TooLittleToTell = 64;
        var length = Math.Min(size, End - front);
        var last = Math.Max(Cleared, length - checkedLength);
        return length - last >= TooLittleToTell && Same(last, (int)(length - last)) && (Cleared > 0 || Same(0, (int)Math.Min(length, checkedLength)));

        bool Same(long from, int count)
        {
            var captured = new byte[count];
            var found = new byte[count];
            return spool.Read(id, front + from, captured) == count && file.Read(from, found) == count && captured.AsSpan().SequenceEqual(found);
        }
    }

    private byte[] LastCaptured(SegmentSpool spool, long front)
    {
        var length = (int)Math.Clamp(End - front - Cleared, 0, checkedLength);
        length = (int)Math.Min(length, spool.EndOf(id) == End ? End - spool.FirstOf(id) : 0);
        var bytes = new byte[Math.Max(0, length)];
        return spool.Read(id, End - bytes.Length, bytes) == bytes.Length ? bytes : [];
    }

    private static bool HoldsBefore(LogFile file, long at, byte[] expected)
    {
        var found = new byte[expected.Length];
        return file.Read(at - expected.Length, found) == found.Length && found.AsSpan().SequenceEqual(expected);
    }
}
