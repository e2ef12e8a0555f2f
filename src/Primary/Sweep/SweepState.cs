using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Sweep;

/// <summary>How far a sweep came, so that a restart goes on there, and what it found. Kept beside the spool of dumps; when it is lost, a round begins anew.</summary>
internal sealed record SweepState(EntryPath Position, DateTimeOffset Began, long Files, long Bytes, IReadOnlyList<SweepFinding> Findings)
{
    private const int LargestFile = 16 << 20;

    public static SweepState At(DateTimeOffset now) => new(EntryPath.Root, now, 0, 0, []);

    /// <summary>Null when there is none, or it says nothing that could be.</summary>
    public static SweepState? Read(string path)
    {
        try
        {
            if (new FileInfo(path) is not { Exists: true, Length: < LargestFile } || JsonSerializer.Deserialize(File.ReadAllBytes(path), SweepJson.Default.StoredSweep) is not { } stored)
            {
                return null;
            }

            return new SweepState(
                EntryPath.Parse(stored.Position), DateTimeOffset.FromUnixTimeMilliseconds(stored.Began), stored.Files, stored.Bytes,
                [.. stored.Findings.Select(static found => new SweepFinding(
                    EntryPath.Parse(found.Path), found.Fault, found.Reason, ContentHash.From(found.Expected),
                    new StatKey(found.Device, found.Inode, found.Size, found.Mtime, found.Ctime), DateTimeOffset.FromUnixTimeMilliseconds(found.Seen)))]);
        }
        catch (Exception damaged) when (damaged is IOException or UnauthorizedAccessException or JsonException or InvalidDataException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Not synced: what a power cut takes is read once more.</summary>
    public void Write(string path)
    {
        var stored = new StoredSweep
        {
            Position = Position.Bytes.ToArray(),
            Began = Began.ToUnixTimeMilliseconds(),
            Files = Files,
            Bytes = Bytes,
            Findings = [.. Findings.Select(static found => new StoredFinding
            {
                Path = found.Path.Bytes.ToArray(), Fault = found.Fault, Reason = found.Reason, Expected = found.Expected.ToArray(), Seen = found.Seen.ToUnixTimeMilliseconds(),
                Device = found.Stat.Device, Inode = found.Stat.Inode, Size = found.Stat.Size, Mtime = found.Stat.MtimeNs, Ctime = found.Stat.CtimeNs,
            })],
        };
        var pending = path + ".tmp";
        File.WriteAllBytes(pending, JsonSerializer.SerializeToUtf8Bytes(stored, SweepJson.Default.StoredSweep));
        File.Move(pending, path, overwrite: true);
    }
}

internal sealed record StoredSweep
{
    public required byte[] Position { get; init; }
    public required long Began { get; init; }
    public required long Files { get; init; }
    public required long Bytes { get; init; }
    public required StoredFinding[] Findings { get; init; }
}

internal sealed record StoredFinding
{
    public required byte[] Path { get; init; }
    public required SweepFault Fault { get; init; }
    public required string Reason { get; init; }
    public required byte[] Expected { get; init; }
    public required long Seen { get; init; }
    public required ulong Device { get; init; }
    public required ulong Inode { get; init; }
    public required long Size { get; init; }
    public required long Mtime { get; init; }
    public required long Ctime { get; init; }
}

[JsonSourceGenerationOptions(UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, UseStringEnumConverter = true)]
[JsonSerializable(typeof(StoredSweep))]
internal sealed partial class SweepJson : JsonSerializerContext;
