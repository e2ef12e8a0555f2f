using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

internal enum InPlacePhase
{
    Staging,
    Swapping,
    Swapped,
    Confirming,
    Undoing,
}

/// <summary>One inode of a file system, also after it was renamed; with the time it was made where that is known, since numbers are used again.</summary>
internal sealed record InodeIdentity(ulong Inode, long? BornNs);

/// <param name="Version">For people, and to know the same restore again.</param>
/// <param name="Path">The part of the version, as base64 of its bytes.</param>
/// <param name="Staged">What was written to be put in place; null while it is written.</param>
/// <param name="Previous">What was at the destination then; null when nothing was.</param>
internal sealed record InPlaceState(InPlacePhase Phase, string Version, string Root, string Path, InodeIdentity? Staged, InodeIdentity? Previous);

/// <summary>How far a restore in place is: a line of JSON and its SHA-256, replaced whole.</summary>
internal sealed class InPlaceJournal(string path, IStoreDisk disk)
{
    private const int MaxBytes = 64 * 1024;

    /// <summary>Null when there is none.</summary>
    /// <exception cref="StoreException">It is damaged: what is beside the destination is not touched then.</exception>
    public InPlaceState? Read()
    {
        if (!File.Exists(path))
        {
            return null;
        }

        var lines = new FileInfo(path).Length > MaxBytes ? [] : File.ReadAllText(path).Split('\n');
        try
        {
            return lines.Length >= 2 && lines[1] == Digest(lines[0])
                && JsonSerializer.Deserialize(lines[0], InPlaceJson.Default.InPlaceState) is { Version: not null, Root: not null, Path: not null } state
                && Enum.IsDefined(state.Phase)
                ? state
                : throw Damaged("does not match its checksum");
        }
        catch (JsonException malformed)
        {
            throw Damaged($"cannot be read ({malformed.Message.TrimEnd('.')})");
        }
    }

    public InPlaceState Write(InPlaceState state)
    {
        var line = JsonSerializer.Serialize(state, InPlaceJson.Default.InPlaceState);
        disk.ReplaceFile($"in place: journal {state.Phase}", path, Encoding.UTF8.GetBytes($"{line}\n{Digest(line)}\n"));
        return state;
    }

    public void Clear()
    {
        disk.DeleteFile("in place: delete journal", path);
        disk.SyncDirectory("in place: sync directory", System.IO.Path.GetDirectoryName(path)!);
    }

    private static string Digest(string line) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line)));

    private StoreException Damaged(string how) => new(
        $"{path} {how}: how far the restore there came is unknown, and nothing was touched. Beside it, \"previous\" is the state from before and \"tree\" is what was restored, where they are; put the right one in place, and delete the rest.");
}

[JsonSourceGenerationOptions(UseStringEnumConverter = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(InPlaceState))]
internal sealed partial class InPlaceJson : JsonSerializerContext;
