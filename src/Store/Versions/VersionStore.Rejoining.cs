using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

// From capturing back to holding: what only this node has is kept as a branch, and the live tree becomes a slot.
public sealed partial class VersionStore
{
    /// <summary>
    /// Ends capturing: what the live tree holds beyond <paramref name="common"/> (the newest version it shares with the new primary) is kept as a diverged branch
    /// <paramref name="branchPack"/> (a pack common→live made by the caller; null when nothing differs), the root becomes a slot (renamed; <paramref name="root"/> becomes a link to
    /// <c>current</c>), and the store holds <paramref name="liveManifest"/> as its tree, ready for <see cref="StageAsync(string, IProgress{StoreProgress}?, CancellationToken)"/> of a fill.
    /// Nothing may write to the live tree meanwhile.
    /// </summary>
    /// <param name="common">None when nothing is shared: then the branch pack leads from nothing.</param>
    public Task EndCapturingAsync(string root, VersionId common, Manifest liveManifest, string? branchPack, string reason, CancellationToken cancellation) => InTurnAsync(
        async () =>
        {
            if (state.Mode == StoreMode.Holding)
            {
                throw new StoreException($"The store {Directory} is not capturing: there is nothing to end.");
            }

            root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
            if (state.Head is null)
            {
                GiveUpEmptyRoot();
                return;
            }

            using var branch = branchPack is null ? null : PackReader.Open(branchPack);
            var head = BranchHead(common, liveManifest, branch);
            await EndCapturingAsync(root, common, head, liveManifest, branch, reason, cancellation);
            if (branchPack is not null)
            {
                disk.DeleteFile("end capturing: delete branch pack", branchPack);
            }
        },
        cancellation);

    /// <summary>Nothing was ever captured: an empty root can be given up, one with files must not.</summary>
    private void GiveUpEmptyRoot()
    {
        if (System.IO.Directory.Exists(state.LiveRoot) && System.IO.Directory.EnumerateFileSystemEntries(state.LiveRoot).Any())
        {
            throw new StoreException($"{state.LiveRoot} has files that were never captured: it cannot become a replica's tree. Move it away (mv {state.LiveRoot} {state.LiveRoot}.old), then start again.");
        }

        Touching();
        index.Commit(disk, "end capturing", change => change.SetMode(StoreMode.Holding, ""));
        state = state with { Mode = StoreMode.Holding, LiveRoot = "" };
    }

    /// <summary>What the live tree is a version of: the branch's end, the common version itself, or the last capture when that differs from it in nothing worth a branch.</summary>
    private VersionRecord BranchHead(VersionId common, Manifest liveManifest, PackReader? branch)
    {
        var shared = common.IsNone ? null : state.Find(common)?.Record ?? throw Unknown(common);
        VersionRecord head;
        if (branch is null)
        {
            head = state.Head is { } last && last.Root == liveManifest.Root && shared?.Root != last.Root ? last
                : shared ?? throw new StoreException("The live tree shares no version with the new primary, and there is no branch pack that would keep it. Make one.");
        }
        else
        {
            RefuseStranger(branch);
            head = branch.Version;
            if (branch.Header.From != common || (shared is not null && branch.Header.FromRoot != shared.Root))
            {
                throw new StoreException($"The branch pack {branch.Path} leads from {branch.Header.From}, not from {common}.");
            }

            if (state.Find(head.Id) is { } known && known.Record.Root != head.Root)
            {
                throw new StoreException($"The branch pack leads to {head.Id}, which this store has with another root already. Give the branch a number of its own.");
            }
        }

        return head.Root == liveManifest.Root
            ? head
            : throw new StoreException($"The live tree's manifest has root {liveManifest.Root}; {head.Id} has {head.Root}. Capture the tree again and make the branch pack from that.");
    }

    private async Task EndCapturingAsync(
        string root, VersionId common, VersionRecord head, Manifest liveManifest, PackReader? branch, string reason, CancellationToken cancellation)
    {
        var before = state;
        var slot = before.Mode == StoreMode.CapturingSlot ? before.CurrentSlot! : FreeSlot();
        var note = BranchNote.Of(reason);
        var backName = before.Head is { } last && last.Id != head.Id ? PackCatalogue.FileName(head.Id, last.Id) : null;
        var branchName = branch is null ? null : PackCatalogue.FileName(common, head.Id);
        var entry = new JournalEntry(JournalPhase.Adopting, Guid.NewGuid(), slot, head.Id.ToString(), [.. new[] { backName, branchName }.OfType<string>()], root);

        Touching();
        journal.Write(entry);
        var packs = new List<PackRow>();
        if (backName is not null)
        {
            packs.Add(await InstallManifestAsync(head, liveManifest, before.Head!, before.HeadManifest, cancellation));
        }

        if (branch is not null)
        {
            var row = new PackRow(common, head.Id, branchName!, branch.Header.Partial, Bytes: 0);
            packs.Add(await InstallAsync(row, async output =>
            {
                await using var source = new FileStream(branch.Path, FileMode.Open, FileAccess.Read, FileShare.Read);
                await source.CopyToAsync(output, cancellation);
            }));
        }

        if (before.Mode == StoreMode.CapturingRoot)
        {
            Adopt(before.LiveRoot, root, slot);
        }

        using (var tree = new TreeWriter(slots.PathOf(slot)))
        {
            disk.Change("end capturing: sync tree", tree.Sync);
        }

        slots.WriteMarker(slot, head);
        var rows = before.Versions
            .Where(row => row.Record.Id > common && row.Note.Length == 0)
            .Select(row => row with { Note = note })
            .ToList();
        if (branch is not null && before.Find(head.Id) is null)
        {
            rows.Add(new VersionRow(head, time.GetUtcNow(), note, Staged: false));
        }

        index.Commit(disk, "end capturing", change =>
        {
            change.SetOperation(entry.Operation);
            change.SetMode(StoreMode.Holding, "");
            change.SetHead(head.Id);
            change.ChangeEntries(before.HeadManifest, liveManifest);
            change.SetSlot(slot, head.Id);
            change.ClearCaptureState();
            rows.ForEach(change.PutVersion);
            packs.ForEach(change.PutPack);
        });
        journal.Clear();
        liveManifest.ForgetStats();
        state = before with
        {
            Mode = StoreMode.Holding,
            LiveRoot = "",
            Head = head,
            HeadManifest = liveManifest,
            Current = head,
            CurrentSlot = slot,
            Slots = new Dictionary<string, VersionId> { [slot] = head.Id },
            Versions = before.VersionsWith(rows),
            Packs = before.PacksWith(packs),
        };
    }

    /// <summary>The root is renamed to be a slot and replaced by a link. Until the index says so, opening the store renames it back.</summary>
    private void Adopt(string liveRoot, string root, string slot)
    {
        if (liveRoot != root)
        {
            throw new StoreException($"The live tree is {liveRoot}, not {root}. Name the root that was captured.");
        }

        var parent = Path.GetDirectoryName(root)!;
        try
        {
            disk.Rename("adopt: rename root", root, slots.PathOf(slot));
        }
        catch (IOException error) when (error.HResult == StoreDisk.CrossDevice)
        {
            throw new StoreException(
                $"{root} and the store {Directory} are on different file systems: the root cannot become a slot. Put the state directory on the root's file system, or move the root there.", error);
        }
        catch (IOException error)
        {
            throw new StoreException($"{error.Message} If {root} is a mount point, use a directory below it as the site's root.", error);
        }

        disk.SyncDirectory("adopt: sync slots", slots.SlotsDirectory);
        disk.SyncDirectory("adopt: sync root's parent", parent);
        slots.PointCurrentTo(slot);
        disk.CreateLink("adopt: root link", root, CurrentLink);
        disk.SyncDirectory("adopt: sync root link", parent);
    }

    private string FreeSlot() => SlotPair.Names.FirstOrDefault(name => !slots.Exists(name))
        ?? throw new StoreException($"{slots.SlotsDirectory} has two directories that belong to no version, so the root cannot become a slot. Move them away.");
}
