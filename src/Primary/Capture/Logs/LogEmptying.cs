using Mirror.Store.Logs;

namespace Mirror.Primary.Capture.Logs;

/// <summary>What was taken out of a log.</summary>
/// <param name="Removed">The file is shorter by so much; else its room was given back, and it reads as zeros there.</param>
public sealed record EmptiedLog(string Path, long Bytes, bool Removed);

/// <summary>
/// Takes captured bytes out of a log that is being written to. Two ways, each one step for whoever has the file open, and none of them touches what was not captured:
/// the file's first blocks are removed, where the file system can do that and every writer appends; else their room is given back and they read as zeros, which suits any writer. At least one
/// whole block of captured bytes stays, so that the file itself tells, after a crash, which of the two it is: before, or after.
/// </summary>
internal static class LogEmptying
{
    /// <summary>So many bytes at the front tell what has happened.</summary>
    public const int LongestCheck = 64 << 10;

    private const int longestBlock = 1 << 20;

    /// <param name="captured">The offset in the stream up to which nothing can be lost any more.</param>
    /// <param name="atLeast">Less is not worth it.</param>
    /// <param name="note">Makes what is known of the streams durable.</param>
    /// <returns>Null when there was nothing to be done.</returns>
    public static EmptiedLog? Empty(LogStream stream, LogFile file, SegmentSpool spool, long captured, long atLeast, Action note, Action<string> step)
    {
        var look = file.Look();
        LogCollection.Settle(stream, file, spool);
        captured = Math.Min(captured, stream.End);
        if (look.Identity != stream.Identity || look.BlockLength > longestBlock || !stream.GoesOnIn(file, look.Size, stream.Base, spool))
        {
            return null;
        }

        var block = look.BlockLength;
        var length = (captured - stream.Base - block) / block * block;
        if (length <= 0)
        {
            return null;
        }

        if (length >= atLeast && CanTell(stream, spool, captured, length) && LogWriters.Of(look.Device, look.Identity.Inode) == LogWriting.Appends)
        {
            stream.Removing = length;
            step("note removal");
            note();
            step("remove from the front");
            if (file.RemoveFront(length) == RangeRemoval.Done)
            {
                stream.FormerBase = stream.Base;
                stream.Base += length;
                stream.Cleared = Math.Max(0, stream.Cleared - length);
                stream.Removing = 0;
                stream.Settled = null;
                step("note what was removed");
                note();
                return new EmptiedLog(stream.Name.ToString(), length, Removed: true);
            }

            stream.Removing = 0;
            note();
        }

        var more = length - stream.Cleared;
        if (more < atLeast || more <= 0)
        {
            return null;
        }

        step("clear the front");
        if (file.Clear(stream.Cleared, more) != RangeRemoval.Done)
        {
            return null;
        }

        stream.Cleared = length;
        stream.Settled = null;
        step("note what was cleared");
        note();
        return new EmptiedLog(stream.Name.ToString(), more, Removed: false);
    }

    /// <summary>The bytes that would be at the front afterwards differ from those that are there now.</summary>
    private static bool CanTell(LogStream stream, SegmentSpool spool, long captured, long length)
    {
        var after = new byte[(int)Math.Min(captured - stream.Base - length, LongestCheck)];
        var before = new byte[after.Length];
        if (after.Length == 0 || spool.Read(stream.Id, stream.Base + length, after) != after.Length)
        {
            return false;
        }

        // What was cleared reads as zeros.
        if (stream.Cleared < before.Length)
        {
            if (spool.Read(stream.Id, stream.Base + stream.Cleared, before.AsSpan((int)stream.Cleared)) != before.Length - (int)stream.Cleared)
            {
                return false;
            }
        }

        return !after.AsSpan().SequenceEqual(before);
    }
}
