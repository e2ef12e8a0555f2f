using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mirror.Store.Slots;

internal enum JournalPhase
{
    /// <summary>Scratch files and an uninstalled pack only: nothing that counts was touched.</summary>
    Preparing,

    /// <summary>The slot is being changed: it is neither version now.</summary>
    Applying,

    /// <summary>A root is being renamed to become a slot.</summary>
    Adopting,

    /// <summary>Packs are being exchanged for others in <c>history</c>; no slot is touched.</summary>
    Thinning,

    /// <summary><c>current</c> is being pointed back to the version before the newest, which is in <see cref="JournalEntry.Slot"/>.</summary>
    Undoing,
}

/// <param name="Operation">A number nobody else has. The index notes it in the transaction that makes the operation happen.</param>
/// <param name="Slot">"a" or "b"; when thinning, of no meaning.</param>
/// <param name="To">The version that will be there afterwards; for people.</param>
/// <param name="Packs">Names in <c>history</c> that come with the operation or go with it: in the end those are there that the index knows.</param>
/// <param name="Root">The configured root, when adopting.</param>
internal sealed record JournalEntry(JournalPhase Phase, Guid Operation, string Slot, string To, IReadOnlyList<string> Packs, string? Root = null);

/// <summary>The journal says it was damaged on disk: what was under way is unknown.</summary>
internal sealed class JournalDamagedException(string message) : Exception(message);

/// <summary>
/// What the store is doing, in one small file, so that a crash is rolled back: a line of JSON and its SHA-256. Absent means at rest.
/// Whether an operation had succeeded is not asked of the journal but of the index: its transaction is the moment of truth.
/// </summary>
internal sealed class Journal(string directory, IStoreDisk disk)
{
    private const int MaxBytes = 1024 * 1024;
    private readonly string path = System.IO.Path.Combine(directory, "journal");

    public string Path => path;

    public JournalEntry? Read()
    {
        if (!File.Exists(path))
        {
            return null;
        }

        if (new FileInfo(path).Length > MaxBytes)
        {
            throw new JournalDamagedException($"{path} is too large for a journal");
        }

        var lines = File.ReadAllText(path).Split('\n');
        if (lines.Length < 2 || lines[1] != Digest(lines[0]))
        {
            throw new JournalDamagedException($"{path} does not match its checksum");
        }

        JournalEntry? entry;
        try
        {
            entry = JsonSerializer.Deserialize(lines[0], JournalJson.Default.JournalEntry);
        }
        catch (JsonException malformed)
        {
            throw new JournalDamagedException($"{path} does not hold what a journal holds ({malformed.Message})");
        }

        return IsPossible(entry) ? entry : throw new JournalDamagedException($"{path} speaks of what no store has");
    }

    public void Write(JournalEntry entry)
    {
        var line = JsonSerializer.Serialize(entry, JournalJson.Default.JournalEntry);
        disk.ReplaceFile($"journal {entry.Phase}", path, Encoding.UTF8.GetBytes($"{line}\n{Digest(line)}\n"));
    }

    public void Clear()
    {
        disk.DeleteFile("journal clear: delete", path);
        disk.SyncDirectory("journal clear: sync directory", directory);
    }

    // What it names is changed and deleted: it must not lead out of the store, whoever wrote it.
    private static bool IsPossible([NotNullWhen(true)] JournalEntry? entry) =>
        entry is { Slot: "a" or "b", To: not null, Packs: not null }
        && Enum.IsDefined(entry.Phase)
        && (entry.Phase != JournalPhase.Adopting || !string.IsNullOrEmpty(entry.Root))
        && entry.Packs.All(static name => !string.IsNullOrEmpty(name) && name is not ("." or "..") && !name.AsSpan().ContainsAny('/', '\0'));

    private static string Digest(string line) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)));
}

[JsonSourceGenerationOptions(UseStringEnumConverter = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(JournalEntry))]
[JsonSerializable(typeof(SlotMarker))]
internal sealed partial class JournalJson : JsonSerializerContext;
