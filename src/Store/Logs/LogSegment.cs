using System.Globalization;
using System.Text;
using Mirror.Store.Manifests;

namespace Mirror.Store.Logs;

/// <summary>
/// One log file's life, from the day it was first seen until it was truncated or went away: <c>epoch.number</c>. A reign numbers the streams it finds, so no two of a site are ever
/// called the same, and their order is the order in which they began.
/// </summary>
public readonly record struct LogStreamId(ulong Epoch, uint Number) : IComparable<LogStreamId>
{
    public int CompareTo(LogStreamId other)
    {
        var byEpoch = Epoch.CompareTo(other.Epoch);
        return byEpoch != 0 ? byEpoch : Number.CompareTo(other.Number);
    }

    public static bool TryParse(ReadOnlySpan<char> text, out LogStreamId id)
    {
        id = default;
        var dot = text.IndexOf('.');
        if (dot <= 0
            || !ulong.TryParse(text[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var epoch)
            || !uint.TryParse(text[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        id = new LogStreamId(epoch, number);
        return id.ToString().AsSpan().SequenceEqual(text);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}.{Number}");
}

/// <summary>
/// Where the bytes of logs lie in a version: <c>.mirror/logs/STREAM/PATH-OF-THE-LOG/OFFSET</c>, a file for each piece of <see cref="Length"/> bytes. A piece grows until it is full and
/// then never changes; so what a version costs is what was written since the one before, and manifests, packs and restores need to know nothing of logs.
/// </summary>
/// <param name="Log">The path under which the log was first seen.</param>
/// <param name="Offset">Of its first byte in the stream; a multiple of <see cref="Length"/>, except where bytes before it were lost.</param>
public readonly record struct LogSegment(LogStreamId Stream, EntryPath Log, long Offset)
{
    public const int Length = 1 << 20;

    private const int offsetDigits = 16;
    private const int longestStream = 31;

    /// <summary>The directory in a version that belongs to logs.</summary>
    public static EntryPath Directory { get; } = EntryPath.Parse(".mirror/logs");

    /// <summary>What was in which log file: <see cref="LogIndex"/>.</summary>
    public static EntryPath Index { get; } = EntryPath.Parse(".mirror/logs/index");

    public EntryPath Path => EntryPath.Parse([.. Directory.Bytes, (byte)'/', .. Encoding.UTF8.GetBytes($"{Stream}/"), .. Log.Bytes, (byte)'/', .. Encoding.UTF8.GetBytes(NameOf(Offset))]);

    public static string NameOf(long offset) => offset.ToString($"D{offsetDigits}", CultureInfo.InvariantCulture);

    public static bool TryParseName(ReadOnlySpan<char> name, out long offset)
    {
        offset = 0;
        return name.Length == offsetDigits && long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out offset);
    }

    /// <summary>Paths that leave room for what a segment's path has besides, and that any program can name.</summary>
    public static bool CanHold(EntryPath log)
    {
        if (log.IsRoot || log.Bytes.Length > EntryPath.MaxLength - Directory.Bytes.Length - longestStream - offsetDigits - 3)
        {
            return false;
        }

        // As it is shown is as it is: no control characters, and UTF-8.
        return Encoding.UTF8.GetBytes(log.ToString()).AsSpan().SequenceEqual(log.Bytes);
    }

    /// <summary>False for every path that is no segment's.</summary>
    public static bool TryParse(EntryPath path, out LogSegment segment)
    {
        segment = default;
        if (!path.IsWithin(Directory) || path == Directory)
        {
            return false;
        }

        var rest = path.Bytes[(Directory.Bytes.Length + 1)..];
        var first = rest.IndexOf((byte)'/');
        var last = rest.LastIndexOf((byte)'/');
        if (first < 0 || last == first
            || !LogStreamId.TryParse(Encoding.UTF8.GetString(rest[..first]), out var stream)
            || !TryParseName(Encoding.UTF8.GetString(rest[(last + 1)..]), out var offset))
        {
            return false;
        }

        segment = new LogSegment(stream, EntryPath.Parse(rest[(first + 1)..last]), offset);
        return true;
    }
}
