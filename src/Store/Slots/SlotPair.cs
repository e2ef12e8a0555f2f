using System.Text.Json;
using Mirror.Store.Versions;

namespace Mirror.Store.Slots;

/// <summary>Says beside a slot what is in it, so that slots describe themselves when the index is lost.</summary>
/// <param name="Record">The version's whole record, in base64; of stores of an older program there is none.</param>
internal sealed record SlotMarker(string Version, string Root, string Chain, string? Record = null)
{
    public static SlotMarker Of(VersionRecord version) =>
        new(version.Id.ToString(), version.Root.ToString(), version.Chain.ToString(), Convert.ToBase64String(IndexRecords.Bytes(version)));

    /// <summary>Null when the marker has none, or one that does not go with what it says otherwise.</summary>
    public VersionRecord? ReadRecord()
    {
        try
        {
            return Record is not null && IndexRecords.ParseVersion(Convert.FromBase64String(Record)) is var record && Of(record) == this ? record : null;
        }
        catch (Exception error) when (error is FormatException or InvalidDataException)
        {
            return null;
        }
    }
}

/// <summary>
/// The two trees and the link that says which one is live. The link is the truth: nothing else records what is current.
/// A slot that is given up first loses its name, so that a half-deleted tree can never be taken for a version.
/// </summary>
internal sealed class SlotPair(string directory, IStoreDisk disk)
{
    private const int MaxMarkerBytes = 16 << 20;

    public static IReadOnlyList<string> Names { get; } = ["a", "b"];

    public string SlotsDirectory { get; } = Path.Combine(directory, "slots");

    public string CurrentLink { get; } = Path.Combine(directory, "current");

    public string PathOf(string slot) => Path.Combine(SlotsDirectory, slot);

    public bool Exists(string slot) => Directory.Exists(PathOf(slot));

    public static string Other(string slot) => slot == "a" ? "b" : "a";

    /// <summary>The slot <c>current</c> points to; null when there is no link yet.</summary>
    public string? ReadCurrent()
    {
        var info = new FileInfo(CurrentLink);
        if (info.LinkTarget is not { } target)
        {
            return info.Exists || Directory.Exists(CurrentLink)
                ? throw new StoreException($"{CurrentLink} is not a symbolic link. Move it away and open the store again.")
                : null;
        }

        return Names.FirstOrDefault(name => target == $"slots/{name}")
            ?? throw new StoreException($"{CurrentLink} points to \"{target}\", which is no slot. Point it to slots/a or slots/b (ln -sfn), whichever holds the version you trust.");
    }

    public void PointCurrentTo(string slot) => disk.ReplaceLink("flip", CurrentLink, $"slots/{slot}");

    public void RemoveCurrent()
    {
        disk.DeleteFile("current: delete", CurrentLink);
        disk.SyncDirectory("current: sync directory", directory);
    }

    public void Create(string slot) => disk.CreateDirectory("slot: create", PathOf(slot));

    public void Drop(string slot)
    {
        RemoveMarker(slot);
        if (!Exists(slot))
        {
            return;
        }

        var doomed = PathOf(slot) + ".dropped";
        disk.DeleteTree("slot drop: clear the way", doomed);
        disk.Rename("slot drop: rename", PathOf(slot), doomed);
        disk.SyncDirectory("slot drop: sync directory", SlotsDirectory);
        disk.DeleteTree("slot drop: delete", doomed);
    }

    /// <summary>Finishes what an interrupted <see cref="Drop"/> or flip left.</summary>
    public void Sweep()
    {
        foreach (var name in Names)
        {
            disk.DeleteTree("slot sweep: delete", PathOf(name) + ".dropped");
            disk.DeleteFile("slot sweep: temporary marker", MarkerPath(name) + ".tmp");
            if (!Exists(name) && File.Exists(MarkerPath(name)))
            {
                RemoveMarker(name);
            }
        }

        disk.DeleteFile("slot sweep: temporary link", CurrentLink + ".tmp");
    }

    public void WriteMarker(string slot, VersionRecord version) => disk.ReplaceFile(
        "slot marker", MarkerPath(slot),
        JsonSerializer.SerializeToUtf8Bytes(SlotMarker.Of(version), JournalJson.Default.SlotMarker));

    public void RemoveMarker(string slot) => disk.DeleteFile("slot marker: delete", MarkerPath(slot));

    /// <summary>Null when there is none, or none that can be read.</summary>
    public SlotMarker? ReadMarker(string slot)
    {
        try
        {
            return File.Exists(MarkerPath(slot)) && new FileInfo(MarkerPath(slot)).Length <= MaxMarkerBytes
                && JsonSerializer.Deserialize(File.ReadAllBytes(MarkerPath(slot)), JournalJson.Default.SlotMarker) is { Version: not null, Root: not null, Chain: not null } marker
                ? marker
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private string MarkerPath(string slot) => PathOf(slot) + ".version";
}
