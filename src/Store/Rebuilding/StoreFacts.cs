using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Store.Rebuilding;

/// <summary>
/// What neither a pack nor a slot says, in one small file beside the index: whose store it is, what it does, and what was noted of versions. A line of JSON and its SHA-256,
/// written before the transaction that says the same: only a store whose index is lost believes it.
/// </summary>
/// <param name="Notes">By version, those that have one.</param>
internal sealed record StoreFacts(string Site, StoreMode Mode, string LiveRoot, SortedDictionary<string, string> Notes)
{
    private const int MaxBytes = 16 << 20;

    public static string PathIn(string directory) => Path.Combine(directory, "facts");

    public static StoreFacts Of(IndexContents contents) => new(
        contents.Site, contents.Mode, contents.LiveRoot,
        new SortedDictionary<string, string>(contents.Versions.Where(row => row.Note.Length > 0).ToDictionary(row => row.Record.Id.ToString(), row => row.Note), StringComparer.Ordinal));

    public string NoteOf(VersionId version) => Notes.GetValueOrDefault(version.ToString(), "");

    /// <summary>Null when there are none, or none that can be believed: then <paramref name="fault"/> says why.</summary>
    public static StoreFacts? Read(string directory, out string? fault)
    {
        var path = PathIn(directory);
        fault = null;
        if (!File.Exists(path))
        {
            return null;
        }

        var lines = new FileInfo(path).Length > MaxBytes ? [] : File.ReadAllText(path).Split('\n');
        if (lines.Length < 2 || lines[1] != Digest(lines[0]))
        {
            fault = $"{path} does not match its checksum";
            return null;
        }

        try
        {
            if (JsonSerializer.Deserialize(lines[0], FactsJson.Default.StoreFacts) is { Site.Length: > 0, LiveRoot: not null, Notes: not null } facts
                && Enum.IsDefined(facts.Mode) && facts.Notes.Values.All(static note => note is not null)
                && (facts.Mode == StoreMode.CapturingRoot) == Path.IsPathFullyQualified(facts.LiveRoot))
            {
                return facts with { Notes = new SortedDictionary<string, string>(facts.Notes, StringComparer.Ordinal) };
            }

            fault = $"{path} lacks what it must say";
        }
        catch (JsonException malformed)
        {
            fault = $"{path} does not hold what it must ({malformed.Message})";
        }

        return null;
    }

    public void Write(IStoreDisk disk, string directory) => disk.ReplaceFile("facts", PathIn(directory), Encoding.UTF8.GetBytes(Text()));

    public string Text()
    {
        var line = JsonSerializer.Serialize(this, FactsJson.Default.StoreFacts);
        return $"{line}\n{Digest(line)}\n";
    }

    private static string Digest(string line) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)));
}

[JsonSourceGenerationOptions(UseStringEnumConverter = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(StoreFacts))]
internal sealed partial class FactsJson : JsonSerializerContext;
