using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Retention;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

// Recovery: after a crash when the store is opened, after a failure before the next operation. It may itself be interrupted anywhere and runs again.
public sealed partial class VersionStore
{
    /// <summary>
    /// An operation has happened when its transaction is in the index. Before that a half-made slot is dropped, with whatever version lived in it, and the
    /// packs it would have added are removed: what is current was not touched.
    /// </summary>
    /// <param name="loaded">What the index says, when that was just read.</param>
    private void Recover(IndexContents? loaded = null)
    {
        var contents = loaded ?? index.Load();
        var entry = ReadJournal(contents);
        index.MendNotes(disk, contents);

        disk.DeleteTree("recover: scratch", ScratchDirectory);
        foreach (var left in new[] { Directory, HistoryDirectory }.SelectMany(directory => System.IO.Directory.EnumerateFiles(directory, "*.tmp")))
        {
            disk.DeleteFile("recover: half-written file", left);
        }

        if (entry is { Phase: JournalPhase.Adopting } && contents.Mode == StoreMode.CapturingRoot)
        {
            UndoAdoption(entry);
        }

        if (entry is { Phase: JournalPhase.Undoing } && entry.Operation != contents.Operation && slots.ReadCurrent() == entry.Slot)
        {
            slots.PointCurrentTo(SlotPair.Other(entry.Slot));
        }

        slots.Sweep();
        protections = ProtectedVersions.Read(Directory);
        state = StoreState.From(contents, slots.ReadCurrent(), Directory);
        var doubtful = entry is { Phase: JournalPhase.Applying } && entry.Operation != contents.Operation ? entry.Slot : null;
        entry = ForgetLostSlots(doubtful, entry);
        DropUnknownSlots();
        if (entry is not null)
        {
            RemoveUninstalled(entry.Packs);
            journal.Clear();
        }

        MendMarkers();
        if (state.Current is { } current && current.Id == state.Head?.Id && state.Versions.Any(row => row.Staged))
        {
            index.Commit(disk, "recover: flipped", change => change.ClearStaged(state.Versions.Where(row => row.Staged)));
            state = state with { Versions = state.VersionsFlipped() };
        }
    }

    /// <summary>
    /// A marker that is gone is written again, since the index knows what the slot holds. Not of a slot that holds the same as the current one: such a one was healed by making it
    /// anew, and it lost its marker because it was the damaged one.
    /// </summary>
    private void MendMarkers()
    {
        foreach (var (slot, version) in state.Mode == StoreMode.Holding ? state.Slots : new Dictionary<string, VersionId>())
        {
            if (slots.ReadMarker(slot) is { Record: not null } || state.Find(version) is not { } row)
            {
                continue;
            }

            if (slot != state.CurrentSlot && version == state.Current?.Id)
            {
                index.Commit(disk, "recover: forget damaged slot", change => change.DeleteSlot(slot));
                state = state with { Slots = state.Slots.Where(pair => pair.Key != slot).ToDictionary() };
                slots.Drop(slot);
            }
            else
            {
                slots.WriteMarker(slot, row.Record);
            }
        }
    }

    private JournalEntry? ReadJournal(IndexContents contents)
    {
        try
        {
            return journal.Read();
        }
        catch (JournalDamagedException error)
        {
            return InDoubt(contents, error);
        }
    }

    /// <summary>A journal that cannot be read: what is not current may be half-made.</summary>
    private JournalEntry InDoubt(IndexContents contents, JournalDamagedException error)
    {
        if (contents.Mode == StoreMode.CapturingRoot && !System.IO.Directory.Exists(contents.LiveRoot))
        {
            throw new StoreException(
                $"{error.Message}, and the root {contents.LiveRoot} is gone: it was being made a slot. Move {Directory}/slots/a (or b) back to it, delete the journal, and open the store again.", error);
        }

        return new JournalEntry(JournalPhase.Applying, Guid.NewGuid(), SlotPair.Other(slots.ReadCurrent() ?? "b"), "", []);
    }

    /// <summary>Slots in doubt, and slots whose directory is gone, leave the index; a head that lived there falls back to what is current.</summary>
    /// <returns>What is still to be cleaned up.</returns>
    private JournalEntry? ForgetLostSlots(string? doubtful, JournalEntry? entry)
    {
        var lost = LostSlots(doubtful);
        if (lost.Count == 0)
        {
            return entry;
        }

        var headLost = state.Mode == StoreMode.Holding && state.HeadSlot is { } slot && lost.Contains(slot);
        if (headLost)
        {
            entry = FallBack(lost, entry);
        }
        else
        {
            index.Commit(disk, "recover: forget slot", change => lost.ForEach(change.DeleteSlot));
            state = state with { Slots = state.Slots.Where(pair => !lost.Contains(pair.Key)).ToDictionary() };
        }

        foreach (var name in lost)
        {
            slots.Drop(name);
        }

        return entry;
    }

    /// <exception cref="StoreException">The current one is among them.</exception>
    private List<string> LostSlots(string? doubtful)
    {
        var lost = state.Slots.Keys.Where(name => name == doubtful || !slots.Exists(name)).ToList();
        if (state.CurrentSlot is { } current && (lost.Contains(current) || !slots.Exists(current)))
        {
            throw new StoreException(
                $"{slots.PathOf(current)}, which {CurrentLink} points to, is gone or in doubt. If it was moved, move it back; else move the store away and let this node fetch the site again.");
        }

        if (state.Mode == StoreMode.CapturingSlot)
        {
            lost.AddRange(state.Slots.Keys.Where(name => name != state.CurrentSlot).Except(lost));
        }

        return lost;
    }

    /// <summary>The head becomes what is current; versions staged after it, and their packs, are taken back. Their forward packs are still in the inbox.</summary>
    private JournalEntry FallBack(List<string> lost, JournalEntry? entry)
    {
        var current = state.Current;
        var manifest = CurrentManifest();
        var staged = state.Versions.Where(row => row.Staged).ToList();
        var packs = state.Packs.Where(row => staged.Any(version => version.Record.Id == row.From)).ToList();

        // Their rows go in the transaction, their files after it: the journal knows them until they are gone.
        var cleaning = new JournalEntry(JournalPhase.Applying, Guid.NewGuid(), lost[0], entry?.To ?? "", [.. entry?.Packs ?? [], .. packs.Select(row => row.File)]);
        journal.Write(cleaning);
        index.Commit(disk, "recover: fall back", change =>
        {
            change.SetHead(current?.Id ?? default);
            change.ChangeEntries(state.HeadManifest, manifest);
            staged.ForEach(row => change.DeleteVersion(row.Record.Id));
            packs.ForEach(change.DeletePack);
            lost.ForEach(change.DeleteSlot);
        });
        state = state with
        {
            Head = current,
            HeadManifest = manifest,
            Versions = [.. state.Versions.Where(row => !row.Staged)],
            Packs = [.. state.Packs.Except(packs)],
            Slots = state.Slots.Where(pair => !lost.Contains(pair.Key)).ToDictionary(),
        };
        return cleaning;
    }

    /// <summary>From a pack that leads to it; else from its tree.</summary>
    private Manifest CurrentManifest()
    {
        if (state.Current is not { } current)
        {
            return Manifest.Empty;
        }

        var manifest = FindManifest(state, current) ?? TreeManifest.Read(slots.PathOf(state.CurrentSlot!), isPrivate);
        return manifest.Root == current.Root
            ? manifest
            : throw new StoreException(
                $"The manifest of {current.Id}, the current version, cannot be had from the packs, and the tree {slots.PathOf(state.CurrentSlot!)} differs from it (root {manifest.Root}, not {current.Root})."
                + $"{catalogue.DescribeDamage()} Move the store away and let this node fetch the site again.");
    }

    /// <summary>A slot the index does not know never became a version. A live root on its way to be a slot is never among them: see <see cref="UndoAdoption"/>.</summary>
    private void DropUnknownSlots()
    {
        if (state.Mode == StoreMode.CapturingRoot)
        {
            return;
        }

        foreach (var name in SlotPair.Names.Where(name => slots.Exists(name) && !state.Slots.ContainsKey(name) && name != state.CurrentSlot))
        {
            slots.Drop(name);
        }
    }

    private void RemoveUninstalled(IEnumerable<string> files)
    {
        var doomed = files.Where(file => state.Packs.All(row => row.File != file)).ToList();
        foreach (var file in doomed)
        {
            disk.DeleteFile("recover: pack", Path.Combine(HistoryDirectory, Path.GetFileName(file)));
            catalogue.Forget(file);
        }

        if (doomed.Count > 0)
        {
            // The journal knows of them until they are gone for good.
            disk.SyncDirectory("recover: sync history", HistoryDirectory);
        }
    }

    private void UndoAdoption(JournalEntry entry)
    {
        var root = entry.Root!;
        var slot = slots.PathOf(entry.Slot);
        if (new FileInfo(root).LinkTarget == CurrentLink)
        {
            disk.DeleteFile("recover: root link", root);
        }

        if (System.IO.Directory.Exists(slot) && !Path.Exists(root))
        {
            disk.Rename("recover: root back", slot, root);
            disk.SyncDirectory("recover: sync slots", slots.SlotsDirectory);
            disk.SyncDirectory("recover: sync root's parent", Path.GetDirectoryName(root)!);
        }

        slots.RemoveMarker(entry.Slot);
        if (slots.ReadCurrent() is not null)
        {
            slots.RemoveCurrent();
        }
    }
}
