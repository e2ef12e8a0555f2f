using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Store.Manifests;

namespace Mirror.Store.Logs;

/// <summary>A log file as it was when its version was captured: bytes <paramref name="From"/> to <paramref name="To"/> of a stream, and what else a file is.</summary>
/// <param name="Path">Where the file was; its stream may have begun at another path, which is <paramref name="Log"/>.</param>
public sealed record LoggedFile(
    string Path, string Stream, string Log, long From, long To, uint Mode, uint Uid, uint Gid, string Owner, string Group, long MtimeUnixNs);

/// <summary>
/// The log files of a version, <c>.mirror/logs/index</c>: which bytes of which stream each had. The bytes alone would not tell, because a stream goes on when its file was emptied or
/// renamed. Restoring a version puts the files together by it.
/// </summary>
public sealed record LogIndex(IReadOnlyList<LoggedFile> Files)
{
    private const int mostBytes = 16 << 20;

    public byte[] ToBytes() => [.. JsonSerializer.SerializeToUtf8Bytes(this, LogJson.Default.LogIndex), (byte)'\n'];

    /// <exception cref="InvalidDataException">It is none, or says what cannot be.</exception>
    public static LogIndex Read(Stream content)
    {
        using var held = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int length; (length = content.Read(buffer)) > 0; held.Write(buffer, 0, length))
        {
            if (held.Length + length > mostBytes)
            {
                throw new InvalidDataException($"{LogSegment.Index} is larger than {mostBytes} bytes.");
            }
        }

        LogIndex? index;
        try
        {
            index = JsonSerializer.Deserialize(held.ToArray(), LogJson.Default.LogIndex);
        }
        catch (JsonException malformed)
        {
            throw new InvalidDataException($"{LogSegment.Index} cannot be understood: {malformed.Message}", malformed);
        }

        return index is { Files: not null } && index.Files.All(IsPossible) ? index : throw new InvalidDataException($"{LogSegment.Index} speaks of a file that cannot be.");
    }

    private static bool IsPossible(LoggedFile? file) =>
        file is { Path.Length: > 0, Log.Length: > 0, From: >= 0, Owner: not null, Group: not null, Stream: not null }
        && file.From <= file.To && file.Mode <= 0xfff && LogStreamId.TryParse(file.Stream, out _)
        && LogSegment.CanHold(EntryPath.Parse(file.Path)) && LogSegment.CanHold(EntryPath.Parse(file.Log))
        && !EntryPath.Parse(file.Path).IsWithin(LogSegment.Directory.Parent);
}

[JsonSourceGenerationOptions(UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(LogIndex))]
internal sealed partial class LogJson : JsonSerializerContext;
