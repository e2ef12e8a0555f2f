using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

// Undo: the newest version goes, and the store is as if it had never come. Lawful only where nobody else knows of it.
public sealed partial class VersionStore
{
    /// <summary>
    /// What <see cref="ForgetNewestAsync"/> would leave as the newest version. Its callers see to it that no other node was told of the newest one: what a replica has acknowledged it must keep.
    /// </summary>
    /// <exception cref="StoreException">It cannot be done here and now: says why.</exception>
    public VersionId CheckForgetNewest() => WayBack(state).Older.Id;

    /// <summary>Drops the newest version: the tree, <c>current</c> and the history are as they were before it came. What it held is gone then, unless an older version has it too.</summary>
    /// <returns>The version that is the newest now.</returns>
    /// <exception cref="StoreException">Nothing older to go back to, no whole pack that leads there, protected, or capturing.</exception>
    public Task<VersionId> ForgetNewestAsync(IProgress<StoreProgress>? progress, CancellationToken cancellation) => AloneOnHistoryAsync(
        () => InTurnAsync(() => ForgetNewestInTurnAsync(progress, cancellation), cancellation), cancellation);

    private (VersionRecord Newest, VersionRecord Older, PackRow Back) WayBack(StoreState at)
    {
        protections.RefuseFault();
        var newest = at.Head ?? throw NothingHeld();
        if (at.Mode != StoreMode.Holding)
        {
            throw new StoreException($"The store {Directory} is capturing: {newest.Id} is what its live tree was, and cannot be taken back. Change the tree; the next version has it.");
        }

        if (!IsHeadCurrent)
        {
            throw new StoreException($"Version {newest.Id} is not current yet. Finish that first (`mirror save` does), then take it back.");
        }

        if (protections.ReasonFor(newest.Id) is { } reason)
        {
            throw new StoreException($"Version {newest.Id} cannot be dropped: protected: {reason}. {Remedy("protected")}Nothing was changed.");
        }

        if (BranchNote.IsBranch(at.Find(newest.Id)!.Note))
        {
            throw new StoreException($"Version {newest.Id} cannot be dropped: {KeptBranch}. Nothing was changed.");
        }

        var older = at.Versions.Where(row => row.Record.Id < newest.Id && !BranchNote.IsBranch(row.Note)).Select(row => row.Record).LastOrDefault()
            ?? throw new StoreException($"Version {newest.Id} is the only one: there is none to go back to. To keep nothing of it, delete the store {Directory}.");
        var back = at.Packs.FirstOrDefault(row => row.From == newest.Id && row.To == older.Id && !row.Partial && !catalogue.IsDamaged(row))
            ?? throw new StoreException($"No whole pack leads from {newest.Id} back to {older.Id}.{catalogue.DescribeDamage()} Restore {older.Id} elsewhere with `mirror restore` as far as that is possible.");
        return (newest, older, back);
    }

    private async Task<VersionId> ForgetNewestInTurnAsync(IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var (newest, older, back) = WayBack(state);
        var manifest = state.Graph(catalogue).Find(older.Id, older.Root)
            ?? throw new StoreException($"The manifest of {older.Id} cannot be had: no pack that can be read leads to it.{catalogue.DescribeDamage()}");
        var slot = SlotPair.Other(state.CurrentSlot!);
        if (!slots.Exists(slot) || !state.Slots.TryGetValue(slot, out var held) || held != older.Id)
        {
            await BringBackAsync(slot, older, manifest, back, progress, cancellation);
        }

        var before = state;
        var removed = before.Packs.Where(row => row.From == newest.Id || row.To == newest.Id).ToList();
        var after = After(before, new HashSet<VersionId> { newest.Id }, removed, []) with
        {
            Head = older,
            HeadManifest = manifest,
            Current = older,
            CurrentSlot = slot,
            Slots = new Dictionary<string, VersionId> { [slot] = older.Id },
        };
        RequireNothingLost(before, after);

        var entry = new JournalEntry(JournalPhase.Undoing, Guid.NewGuid(), slot, older.Id.ToString(), [.. removed.Select(row => row.File)]);
        Touching();
        journal.Write(entry);
        slots.PointCurrentTo(slot);
        index.Commit(disk, "undo", change =>
        {
            change.SetOperation(entry.Operation);
            change.SetHead(older.Id);
            change.ChangeEntries(before.HeadManifest, manifest);
            change.DeleteVersion(newest.Id);
            removed.ForEach(change.DeletePack);
            change.DeleteSlot(SlotPair.Other(slot));

            // What was noted of the source is as of the version that goes: the next save has to look at every file again.
            change.ClearCaptureState();
        });
        state = after;
        state.HeadManifest.ForgetStats();
        lastHead = null;
        foreach (var row in removed)
        {
            disk.DeleteFile("undo: delete pack", catalogue.PathOf(row));
            catalogue.Forget(row.File);
        }

        disk.SyncDirectory("undo: sync deletions", HistoryDirectory);
        slots.Drop(SlotPair.Other(slot));
        journal.Clear();
        return older.Id;
    }

    /// <summary>The idle slot, which lags further behind or is not there, is brought to the older version; a stage backwards, from the reverse pack.</summary>
    private async Task BringBackAsync(string slot, VersionRecord older, Manifest manifest, PackRow back, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        using var pack = catalogue.TryOpen(back) ?? throw new StoreException($"The pack {catalogue.PathOf(back)} cannot be read.{catalogue.DescribeDamage()}");
        var before = state;
        var held = HeldBy(slot);
        var entry = new JournalEntry(JournalPhase.Preparing, Guid.NewGuid(), slot, older.Id.ToString(), []);
        Touching();
        journal.Write(entry);
        disk.DeleteTree("undo: clear scratch", ScratchDirectory);
        disk.CreateDirectory("undo: create scratch", ScratchDirectory);
        using (var builder = new SlotBuilder(disk, slots.PathOf(slot), held ?? Manifest.Empty, TreeOf(before), before.HeadManifest, manifest, ScratchDirectory, trustBase: true, isPrivate))
        {
            await builder.PrepareAsync(pack, progress, cancellation);
            journal.Write(entry with { Phase = JournalPhase.Applying });
            slots.RemoveMarker(slot);
            if (held is null)
            {
                slots.Drop(slot);
                slots.Create(slot);
            }

            builder.Apply(cancellation);
        }

        slots.WriteMarker(slot, older);
        index.Commit(disk, "undo: slot", change =>
        {
            change.SetOperation(entry.Operation);
            change.SetSlot(slot, older.Id);
        });
        journal.Clear();
        disk.DeleteTree("undo: drop scratch", ScratchDirectory);
        state = before with { Slots = new Dictionary<string, VersionId>(before.Slots) { [slot] = older.Id } };
    }
}
