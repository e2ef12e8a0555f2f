using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Store.Logs;

namespace Mirror.Primary.Capture.Logs;

/// <summary>What is remembered of a log file between captures.</summary>
/// <param name="Log">The path its bytes are filed under.</param>
/// <param name="Name">Where the file was seen last.</param>
/// <param name="Base">The offset in the stream of the file's first byte: it grows as the file is emptied.</param>
/// <param name="FormerBase">What it was before the last time: a copy may have been begun then.</param>
/// <param name="Cleared">Bytes at the front of the file that read as zeros, because the file system cannot remove them.</param>
/// <param name="End">The offset after the last byte that was captured.</param>
/// <param name="Removing">Bytes that are being removed from the front: whether that has happened, the file tells.</param>
internal sealed record StreamRecord(
    string Stream, string Log, string Name, ulong Inode, long? BornNs, long Base, long FormerBase, long Cleared, long End, long Removing);

/// <param name="Epoch">Of the last stream that was begun, and its <paramref name="Number"/> in it.</param>
internal sealed record LogRecords(ulong Epoch, uint Number, IReadOnlyList<StreamRecord> Streams);

/// <summary>How far each log was captured and emptied, in one small file: a line of JSON and its SHA-256. What is about to be taken out of a log is written here before.</summary>
internal static class LogState
{
    private const int mostBytes = 64 << 20;

    /// <summary>Null when there is none.</summary>
    /// <exception cref="InvalidDataException">It was damaged.</exception>
    public static LogRecords? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        if (new FileInfo(path).Length > mostBytes)
        {
            throw new InvalidDataException($"{path} is too large for what it should hold.");
        }

        var lines = File.ReadAllText(path).Split('\n');
        if (lines.Length < 2 || lines[1] != Digest(lines[0]))
        {
            throw new InvalidDataException($"{path} does not match its checksum.");
        }

        try
        {
            return JsonSerializer.Deserialize(lines[0], LogStateJson.Default.LogRecords) is { Streams: not null } records
                && records.Streams.All(one => one is { Log: not null, Name: not null } && LogStreamId.TryParse(one.Stream, out _))
                ? records
                : throw new InvalidDataException($"{path} does not hold what it should.");
        }
        catch (JsonException malformed)
        {
            throw new InvalidDataException($"{path} cannot be understood: {malformed.Message}", malformed);
        }
    }

    public static void Write(string path, LogRecords records)
    {
        var line = JsonSerializer.Serialize(records, LogStateJson.Default.LogRecords);
        DurableFiles.Replace(path, Encoding.UTF8.GetBytes($"{line}\n{Digest(line)}\n"));
    }

    private static string Digest(string line) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)));
}

[JsonSourceGenerationOptions(UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(LogRecords))]
internal sealed partial class LogStateJson : JsonSerializerContext;
