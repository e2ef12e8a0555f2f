using System.Security.Cryptography;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;
using Mirror.Store.Versions;

namespace Mirror.Store.Rebuilding;

/// <param name="Remarks">What was found on the way that a person must know.</param>
/// <param name="IsNew">There was nothing to rebuild from: it is a new store.</param>
/// <param name="Interrupted">What the journal says was under way.</param>
internal sealed record Rebuilt(IndexContents Contents, IReadOnlyList<string> Remarks, bool IsNew, JournalPhase? Interrupted);

/// <summary>
/// Says again what an index said, from what else is in the store: what slots hold from their markers, what led where from the packs, the head's manifest from the trail, from
/// any pack that leads to it, or from the tree itself; the rest from the facts. Changes nothing. A version counts when its record is in a pack or a marker whose
/// checksum holds; nothing is guessed: where the newest version cannot be had as it was, there is no index.
/// </summary>
internal sealed class IndexRebuild
{
    private readonly string directory;
    private readonly string site;
    private readonly SlotPair slots;
    private readonly Func<EntryPath, bool> isPrivate;
    private readonly IProgress<StoreProgress>? progress;
    private readonly List<string> remarks = [];
    private readonly StoreFacts? facts;
    private readonly JournalEntry? journal;
    private readonly List<FoundPack> history;
    private readonly List<FoundPack> trail;
    private readonly List<PackRow> ways;
    private readonly PackCatalogue catalogue;
    private readonly Dictionary<VersionId, VersionRecord> records = [];
    private readonly List<(VersionId Version, Manifest Manifest)> known = [];

    private IndexRebuild(string directory, string site, SlotPair slots, Journal journal, Func<EntryPath, bool> isPrivate, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        this.directory = directory;
        this.site = site;
        this.slots = slots;
        this.isPrivate = isPrivate;
        this.progress = progress;
        facts = StoreFacts.Read(directory, out var fault);
        if (fault is not null)
        {
            remarks.Add($"{fault}: notes of versions are lost.");
        }

        if (facts is not null && facts.Site != site)
        {
            throw new StoreException($"The store {directory} belongs to the site \"{facts.Site}\", not to \"{site}\". Name another directory.");
        }

        this.journal = ReadJournal(journal);
        if (facts is not null)
        {
            // A new store has none, and nothing to look at.
            progress?.Report(new StoreProgress("rebuilding the index: looking at packs", 0, 0));
        }

        catalogue = new PackCatalogue(Path.Combine(directory, "history"));
        history = PackCensus.Take(catalogue.Directory, site, remarks.Add, cancellation);
        trail = PackCensus.Take(Path.Combine(directory, "manifests"), site, remarks.Add, cancellation);
        var passing = PackCensus.Take(Path.Combine(directory, "inbox"), site, static _ => { }, cancellation)
            .Concat(PackCensus.Take(Path.Combine(directory, "outbox"), site, static _ => { }, cancellation)).ToList();

        // Packs on their way somewhere are no part of history, and what they say of manifests is as good.
        ways = [.. trail.Concat(history).Concat(passing).Select(pack => pack.Row).DistinctBy(row => (row.From, row.To))];
        foreach (var record in trail.Concat(history).Concat(passing).Select(pack => pack.Version))
        {
            Note(record);
        }
    }

    public static Rebuilt Run(
        string directory, string site, SlotPair slots, Journal journal, Func<EntryPath, bool> isPrivate, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var rebuild = new IndexRebuild(directory, site, slots, journal, isPrivate, progress, cancellation);
        var contents = rebuild.Contents();
        var isNew = contents.Versions.Count == 0 && rebuild.facts is null && rebuild.history.Count == 0 && rebuild.trail.Count == 0 && rebuild.remarks.Count == 0;
        return new Rebuilt(contents, rebuild.remarks, isNew, rebuild.journal?.Phase);
    }

    private IndexContents Contents()
    {
        var mode = facts?.Mode ?? StoreMode.Holding;
        var held = mode == StoreMode.Holding ? HeldSlots() : [];
        var (head, manifest) = mode == StoreMode.Holding ? HeadOf(held) : CapturedHead();
        if (mode == StoreMode.CapturingSlot)
        {
            var live = slots.ReadCurrent();
            held = live is null || head is null ? throw Impossible("it captured its current slot, and the link current is gone") : new() { [live] = head.Id };
        }

        var versions = VersionsUpTo(head, held);
        var packs = history
            .Where(pack => versions.Exists(row => row.Record.Id == pack.Row.To) && (head is null || pack.Newer <= head.Id))
            .Select(pack => pack.Row with { File = Path.GetFileName(pack.Row.File) })
            .ToList();
        return new IndexContents(
            site, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))), mode, mode == StoreMode.CapturingRoot ? facts!.LiveRoot : "",
            head?.Id ?? default, Happened(mode, held), versions, packs, held, manifest);
    }

    /// <summary>What each slot that can be believed holds. A marker is written when its tree is whole and durable, and taken away before the tree is touched.</summary>
    private Dictionary<string, VersionId> HeldSlots()
    {
        var current = slots.ReadCurrent();
        var claims = new List<(string Slot, VersionRecord? Record, ContentHash Root)>();
        foreach (var slot in SlotPair.Names.Where(slots.Exists).OrderBy(slot => slot != current))
        {
            if (slots.ReadMarker(slot) is { } marker && RootOf(marker) is { } root && VersionId.TryParse(marker.Version, out var id))
            {
                if (marker.ReadRecord() is { } record)
                {
                    Note(record.Site == site ? record : throw new StoreException($"The store {directory} belongs to the site \"{record.Site}\", not to \"{site}\". Name another directory."));
                }

                claims.Add((slot, records.GetValueOrDefault(id) is { } known && known.Root == root ? known : null, root));
            }
            else if (slot == current || current is null)
            {
                remarks.Add($"{slots.PathOf(slot)}.version is missing or damaged: the tree was read to see which version it is.");
                claims.Add((slot, null, default));
            }
        }

        var held = new Dictionary<string, VersionId>();

        // Twice: the manifest of one slot may be what the other's can be found from.
        foreach (var (slot, record, root) in claims.Concat(claims))
        {
            if (!held.ContainsKey(slot) && Holds(slot, record, root) is { } version)
            {
                held.Add(slot, version.Id);
            }
        }

        if (IsUndoing(held))
        {
            // The newest version was being taken back, and its slot with it.
            return new() { [journal!.Slot] = held[journal.Slot] };
        }

        foreach (var slot in claims.Select(claim => claim.Slot).Where(slot => !held.ContainsKey(slot)))
        {
            if (slot == current || current is null)
            {
                throw Impossible($"which version {slots.PathOf(slot)} holds can be told neither from packs nor from the tree, which differs from every version that is known");
            }

            remarks.Add($"{slots.PathOf(slot)} holds nothing that can be proved; it is made again when it is needed.");
        }

        return current is null || held.ContainsKey(current) ? held : throw Impossible($"{slots.CurrentLink} points to a slot that is gone");
    }

    private bool IsUndoing(Dictionary<string, VersionId> held) =>
        journal is { Phase: JournalPhase.Undoing } && held.GetValueOrDefault(journal.Slot).ToString() == journal.To && slots.ReadCurrent() == journal.Slot;

    private VersionRecord? Holds(string slot, VersionRecord? record, ContentHash root)
    {
        if (record is not null && FindManifest(record) is { } expected)
        {
            // Without the facts nobody says that no app wrote there.
            return facts is not null || new SlotVerification(slots.PathOf(slot), expected, isPrivate, readData: false).Run(null, CancellationToken.None).Count == 0 ? record : null;
        }

        progress?.Report(new StoreProgress($"rebuilding the index: reading {slots.PathOf(slot)}", 0, 0));
        var manifest = TreeManifest.Read(slots.PathOf(slot), isPrivate);
        record = records.Values.Where(version => version.Root == manifest.Root && (root.IsNone || version.Root == root)).MaxBy(version => version.Id);
        if (record is not null)
        {
            known.Add((record.Id, manifest));
        }

        return record;
    }

    private (VersionRecord? Head, Manifest Manifest) HeadOf(Dictionary<string, VersionId> held)
    {
        if (held.Count > 0)
        {
            var head = records[held.Values.Max()];
            return (head, FindManifest(head)!);
        }

        if (facts is null && trail.Count > 0)
        {
            throw Impossible("what it did is not known, since the file facts is gone or damaged, and no slot holds a version");
        }

        if (history.Count > 0)
        {
            remarks.Add($"{slots.SlotsDirectory} has no tree that holds a version: only what packs bring whole can be restored.");
        }

        return (null, Manifest.Empty);
    }

    /// <summary>The live tree goes on: only the trail knows what was captured last. A version whose number was used must not be forgotten: it would be used again.</summary>
    private (VersionRecord? Head, Manifest Manifest) CapturedHead()
    {
        var newest = new ManifestTrail(directory, facts!.Site).Newest;
        var unknown = history.Select(pack => pack.Newer).Where(id => id > newest).Distinct().ToList();

        // One may be there that was being captured when everything ended; nobody was told of it.
        if (unknown.Count > 1)
        {
            throw Impossible($"it captured {unknown.Max()}, and manifests/ ends with {newest}");
        }

        if (newest.IsNone)
        {
            return (null, Manifest.Empty);
        }

        return records.GetValueOrDefault(newest) is { } captured && FindManifest(captured) is { } manifest
            ? (captured, manifest)
            : throw Impossible($"what version {newest}, captured last, held is in no pack that can be read, and the live tree has gone on since");
    }

    private Manifest? FindManifest(VersionRecord version)
    {
        foreach (var seed in known.Append((default, Manifest.Empty)))
        {
            var found = new ManifestGraph(catalogue, ways, seed.Version, seed.Manifest).Find(version.Id, version.Root);
            if (found is not null)
            {
                known.Add((version.Id, found));
                return found;
            }
        }

        return null;
    }

    private List<VersionRow> VersionsUpTo(VersionRecord? head, Dictionary<string, VersionId> held)
    {
        var current = held.Count > 0 && slots.ReadCurrent() is { } slot ? held[slot] : head?.Id ?? default;
        var branches = history.Where(pack => !pack.Row.From.IsNone && pack.Row.From < pack.Row.To).Select(pack => pack.Row.To).ToHashSet();
        var ids = history.Select(pack => pack.Row.To).Concat(held.Values).Append(head?.Id ?? default).Where(id => !id.IsNone).Distinct().Order().ToList();
        var beyond = ids.Where(id => head is not null && id > head.Id).ToList();
        if (beyond.Count > 0 && !IsUndoing(held))
        {
            remarks.Add($"{string.Join(", ", beyond)} came after {head!.Id}, and their tree is gone: they have to come again.");
        }

        return [.. ids.Except(beyond).Select(id => new VersionRow(records[id], Received(id), Noted(id), Staged: id > current))];

        string Noted(VersionId id) => facts is null && branches.Contains(id) ? BranchNote.Of("found so when the index was rebuilt") : facts?.NoteOf(id) ?? "";
    }

    /// <summary>A pack is written when its newer end comes, and keeps that time.</summary>
    private DateTimeOffset Received(VersionId id)
    {
        var marker = SlotPair.Names.Select(slot => slots.PathOf(slot) + ".version").Where(File.Exists).Select(path => new DateTimeOffset(File.GetLastWriteTimeUtc(path)));
        var packs = history.Where(pack => pack.Newer == id).Concat(trail.Where(pack => pack.Row.To == id)).Select(pack => pack.Written).ToList();
        return packs.Concat(packs.Count == 0 ? marker : []).DefaultIfEmpty(records[id].Time).Min();
    }

    /// <summary>The operation the journal speaks of, if it came to its end: its slot's marker says what it was to become.</summary>
    private Guid Happened(StoreMode mode, Dictionary<string, VersionId> held) =>
        journal is not null && mode == StoreMode.Holding && held.TryGetValue(journal.Slot, out var version) && version.ToString() == journal.To ? journal.Operation : Guid.Empty;

    private static ContentHash? RootOf(SlotMarker marker)
    {
        try
        {
            return ContentHash.From(Convert.FromHexString(marker.Root));
        }
        catch (Exception error) when (error is FormatException or InvalidDataException)
        {
            return null;
        }
    }

    private JournalEntry? ReadJournal(Journal file)
    {
        try
        {
            return file.Read();
        }
        catch (JournalDamagedException error)
        {
            remarks.Add($"{error.Message}.");
            return null;
        }
    }

    private void Note(VersionRecord record)
    {
        if (!records.TryAdd(record.Id, record) && records[record.Id] != record)
        {
            remarks.Add($"There are two records of version {record.Id}, with the roots {records[record.Id].Root} and {record.Root}; the first is believed.");
        }
    }

    private StoreException Impossible(string why) => new(
        $"The index of {directory} cannot be rebuilt: {why}. Nothing was changed.{(remarks.Count == 0 ? "" : " " + string.Join(" ", remarks.Take(5)))} "
        + "Put index.db back from a backup, or move the store away, keep it, and begin anew: a node fetches the site from the others, `mirror save` makes a new store. The newest version's files lie in the old one, under current/.");
}
