using Mirror.Delta;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Rebuilding;
using Mirror.Store.Slots;

namespace Mirror.Store.Versions;

// Holding: versions arrive as packs, are made in the idle slot, and become current by one rename.
public sealed partial class VersionStore
{
    /// <summary>The head before this one: most often what the idle slot holds, so that its manifest need not be read from a pack.</summary>
    private (VersionId Version, Manifest Manifest)? lastHead;

    /// <summary>The pack that was staged last and where it leads: its index need not be read again to know that.</summary>
    private (PackStamp Pack, VersionId Version)? lastStaged;

    private readonly record struct PackStamp(string Path, long Length, DateTime Written)
    {
        public static PackStamp Of(string path)
        {
            var info = new FileInfo(System.IO.Path.GetFullPath(path));
            return info.Exists ? new PackStamp(info.FullName, info.Length, info.LastWriteTimeUtc) : default;
        }
    }

    private static readonly Dictionary<ContentHash, BlockSignature> nothingRead = [];

    /// <summary>
    /// Applies a pack that leads from <see cref="Head"/> (or from nothing: then contents are taken from the tree at hand wherever it has them) in the idle slot.
    /// Everything is durable when this returns; <see cref="Head"/> has moved; <see cref="Current"/> has not. A fill that brings contents the tree should have heals: the idle slot
    /// is made wholly anew, each file from the pack or checked while it is copied, even when it leads to the head itself. Any other pack to the head changes nothing.
    /// </summary>
    /// <exception cref="PackFormatException"/><exception cref="MissingContentException"/><exception cref="StoreException">Wrong base, wrong hash, wrong root: the pack is refused and nothing moved.</exception>
    public Task<VersionRecord> StageAsync(string packPath, IProgress<StoreProgress>? progress, CancellationToken cancellation) => StageAsync(packPath, nothingRead, progress, cancellation);

    /// <summary>The same where this process has itself just read, hashed and signed contents that the pack brings: they are known again by that.</summary>
    /// <param name="read">Signatures by this store's <see cref="BlockKey"/>.</param>
    /// <inheritdoc cref="StageAsync(string, IProgress{StoreProgress}, CancellationToken)"/>
    public Task<VersionRecord> StageAsync(
        string packPath, IReadOnlyDictionary<ContentHash, BlockSignature> read, IProgress<StoreProgress>? progress, CancellationToken cancellation) => InTurnAsync(
        async () =>
        {
            RequireHolding("stage a version");
            using var pack = PackReader.Open(packPath);
            RefuseStranger(pack);
            var heals = pack.Header.From.IsNone && pack.Blobs.Any(blob => blob.Size > 0 && state.HeadManifest.FindContent(blob.Hash) is not null);
            if (pack.Version != state.Head || heals)
            {
                var target = TargetOf(pack, out var moves);
                await StageAsync(pack, moves, target, heals, read, progress, cancellation);
            }

            lastStaged = (PackStamp.Of(packPath), pack.Version.Id);
            return pack.Version;
        },
        cancellation);

    /// <summary>Makes the staged slot current. The old slot stays until the next stage, so that apps in it can be drained. Packs in the inbox that are no longer needed go.</summary>
    public Task FlipAsync(CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            RequireHolding("flip");
            var head = state.Head ?? throw NothingHeld();
            var slot = state.HeadSlot!;
            if (state.CurrentSlot != slot)
            {
                // After healing both slots say they hold the head, and the old one is not to be believed.
                var healed = state.CurrentSlot is { } old && state.Slots[old] == head.Id ? old : null;
                Touching();
                if (healed is not null)
                {
                    // Before the link moves: afterwards nothing else would tell which of the two is the whole one.
                    slots.RemoveMarker(healed);
                    disk.SyncDirectory("flip: sync markers", slots.SlotsDirectory);
                }

                slots.PointCurrentTo(slot);
                index.Commit(disk, "flip", change =>
                {
                    change.ClearStaged(state.Versions.Where(row => row.Staged));
                    if (healed is not null)
                    {
                        change.DeleteSlot(healed);
                    }
                });
                state = state with
                {
                    Current = head,
                    CurrentSlot = slot,
                    Slots = state.Slots.Where(pair => pair.Key != healed).ToDictionary(),
                    Versions = state.VersionsFlipped(),
                };
            }

            ClearInbox(head.Id);
            return Task.CompletedTask;
        },
        cancellation);

    /// <summary>Makes <paramref name="root"/> a link to <c>current</c> on a node that holds: it must be absent, an empty directory, or that link already.</summary>
    /// <exception cref="StoreException">Something else is there; says what to do.</exception>
    public Task AdoptRootLinkAsync(string root, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
            if (state.Mode == StoreMode.CapturingRoot)
            {
                throw new StoreException($"The site's files are captured in {state.LiveRoot}, which is no slot yet: {root} cannot become a link to {CurrentLink}. End capturing first.");
            }

            LinkRoot(root);
            return Task.CompletedTask;
        },
        cancellation);

    private async Task StageAsync(
        PackReader pack, IReadOnlyList<DirectoryMove> moves, Manifest target, bool heals, IReadOnlyDictionary<ContentHash, BlockSignature> read, IProgress<StoreProgress>? progress,
        CancellationToken cancellation)
    {
        var before = state;
        var head = before.Head?.Id == pack.Version.Id ? null : before.Head;
        var slot = before.CurrentSlot is { } current ? SlotPair.Other(current) : before.HeadSlot ?? "a";
        var held = heals ? null : HeldBy(slot);
        var row = head is null ? null : new PackRow(pack.Version.Id, head.Id, PackCatalogue.FileName(pack.Version.Id, head.Id), Partial: false, Bytes: 0);
        var entry = new JournalEntry(JournalPhase.Preparing, Guid.NewGuid(), slot, pack.Version.Id.ToString(), row is null ? [] : [row.File]);

        string? damage = null;
        Touching();
        journal.Write(entry);
        disk.DeleteTree("stage: clear scratch", ScratchDirectory);
        disk.CreateDirectory("stage: create scratch", ScratchDirectory);
        using (var builder = new SlotBuilder(disk, slots.PathOf(slot), held ?? Manifest.Empty, TreeOf(before), before.HeadManifest, target, ScratchDirectory, trustBase: !heals, isPrivate)
        {
            Read = read,
            Key = BlockKey,
        })
        {
            await builder.PrepareAsync(pack, progress, cancellation);
            if (row is not null)
            {
                (row, damage) = await InstallReverseAsync(row, pack, moves, head!, before.HeadManifest, target, builder, cancellation);
            }

            journal.Write(entry with { Phase = JournalPhase.Applying });
            slots.RemoveMarker(slot);
            if (held is null)
            {
                slots.Drop(slot);
                slots.Create(slot);
            }

            builder.Apply(cancellation);
        }

        slots.WriteMarker(slot, pack.Version);
        var versions = new List<VersionRow> { before.Find(pack.Version.Id) ?? new VersionRow(pack.Version, time.GetUtcNow(), "", Staged: true) };
        if (damage is not null && head is not null && before.Find(head.Id) is { Note: "" } superseded)
        {
            versions.Add(superseded with { Note = damage });
        }

        index.Commit(disk, "stage", change =>
        {
            change.SetOperation(entry.Operation);
            change.SetHead(pack.Version.Id);
            change.ChangeEntries(before.HeadManifest, target, moves);
            versions.ForEach(change.PutVersion);
            change.SetSlot(slot, pack.Version.Id);
            if (row is not null)
            {
                change.PutPack(row);
            }
        });
        journal.Clear();
        disk.DeleteTree("stage: drop scratch", ScratchDirectory);
        lastHead = head is null ? lastHead : (head.Id, before.HeadManifest);
        state = before with
        {
            Head = pack.Version,
            HeadManifest = target,
            Versions = before.VersionsWith(versions),
            Packs = row is null ? before.Packs : before.PacksWith(row),
            Slots = new Dictionary<string, VersionId>(before.Slots) { [slot] = pack.Version.Id },
        };
    }

    /// <summary>
    /// The way back to the version that is superseded. A file of it that was damaged here cannot stop newer versions from coming in: then everything else is kept whole,
    /// and the version's note says so.
    /// </summary>
    private async Task<(PackRow Row, string? Damage)> InstallReverseAsync(
        PackRow row, PackReader pack, IReadOnlyList<DirectoryMove> moves, VersionRecord older, Manifest olderManifest, Manifest target, SlotBuilder builder, CancellationToken cancellation)
    {
        try
        {
            var whole = await InstallAsync(row, output => PackAlgebra.InvertAsync(
                pack, older, olderManifest, target, builder.OpenOld, builder.OpenNew, BlockKey, output, cancellation, index.FindSignature, moves));
            return (whole, null);
        }
        catch (Exception error) when (error is StoreException or FileNotFoundException)
        {
            var partial = await InstallAsync(row with { Partial = true }, output => ReversePack.WriteUndamagedAsync(
                pack.Version, older, olderManifest, target, builder.OpenOld, BlockKey, output, cancellation));
            return (partial, $"damaged: {error.Message}");
        }
    }

    /// <summary>Writes a pack into history: temporary name, sync, rename, sync of the directory. It counts when the index has its row.</summary>
    private async Task<PackRow> InstallAsync(PackRow row, Func<Stream, Task> write)
    {
        var path = Path.Combine(HistoryDirectory, row.File);
        var received = state.Find(row.From > row.To ? row.From : row.To)?.Received ?? time.GetUtcNow();
        long bytes;
        await using (var file = new FileStream(path + ".tmp", new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.ReadWrite,
            BufferSize = 256 * 1024,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            await disk.ChangeAsync("history: write pack", () => write(file));
            bytes = file.Length;

            // A rebuilt index takes it for the time the newer of the two versions came.
            await file.FlushAsync();
            File.SetLastWriteTimeUtc(file.SafeFileHandle, received.UtcDateTime);
            disk.SyncFile("history: sync pack", file);
        }

        disk.Rename("history: rename pack", path + ".tmp", path);
        disk.SyncDirectory("history: sync directory", HistoryDirectory);
        catalogue.Forget(row.File);
        return row with { Bytes = bytes };
    }

    /// <summary>The manifest of what a slot holds; null when it must be made anew.</summary>
    private Manifest? HeldBy(string slot) =>
        state.Slots.TryGetValue(slot, out var version) && slots.Exists(slot) && state.Find(version) is { } row
            ? lastHead is { } kept && kept.Version == version && kept.Manifest.Root == row.Record.Root ? kept.Manifest : FindManifest(state, row.Record)
            : null;

    /// <summary>Of a version that was the head not long ago, also when no pack leads there any more; null when it cannot be had.</summary>
    private Manifest? FindManifest(StoreState at, VersionRecord version) =>
        at.Graph(catalogue).Find(version.Id, version.Root) ?? new ManifestTrail(Directory, Site).Find(version);

    private void RefuseStranger(PackReader pack)
    {
        if (pack.Header.Site != Site)
        {
            throw new StoreException($"The pack {pack.Path} is of the site \"{pack.Header.Site}\"; this store holds \"{Site}\". It was not applied.");
        }
    }

    /// <summary>The manifest the pack leads to, when the pack may be applied here.</summary>
    /// <param name="moves">Directories that moved, as the pack says it.</param>
    private Manifest TargetOf(PackReader pack, out IReadOnlyList<DirectoryMove> moves)
    {
        var version = pack.Version;
        var head = state.Head;
        if (!pack.Header.From.IsNone && (head is null || pack.Header.From != head.Id || pack.Header.FromRoot != head.Root))
        {
            throw new StoreException(
                $"The pack to {version.Id} leads from {pack.Header.From} (root {pack.Header.FromRoot}); this store is at {(head is null ? "no version" : $"{head.Id} (root {head.Root})")}. Fetch the packs between, or ask for a fill.");
        }

        if (head is not null && version.Id <= head.Id && version != head)
        {
            throw new StoreException($"The pack leads to {version.Id}; this store is at {head.Id} already. Versions only grow; it was not applied.");
        }

        if (state.Find(version.Id) is { } known && known.Record != version)
        {
            throw new StoreException($"This store has another version {version.Id} (root {known.Record.Root}, not {version.Root}). The pack was not applied; find out which of its origins is wrong.");
        }

        if (!version.Parent.IsNone && state.Find(version.Parent) is { } parent && VersionRecord.ChainOf(parent.Record.Chain, version) != version.Chain)
        {
            throw new StoreException($"Version {version.Id} does not continue {version.Parent} as this store knows it: its chain hash differs. The past was rewritten somewhere; the pack was not applied.");
        }

        Manifest target;
        try
        {
            var changes = pack.ReadChanges();
            moves = changes.Moves;
            target = (pack.Header.From.IsNone ? Manifest.Empty : state.HeadManifest).Apply(changes);
        }
        catch (InvalidDataException error)
        {
            throw new StoreException($"The pack to {version.Id} makes no manifest: {error.Message} It was not applied.", error);
        }

        return target.Root == version.Root
            ? target
            : throw new StoreException($"The pack to {version.Id} makes a manifest with root {target.Root}; its record says {version.Root}. It was not applied.");
    }

    private void ClearInbox(VersionId upTo)
    {
        foreach (var path in System.IO.Directory.EnumerateFiles(InboxDirectory, "*.pack"))
        {
            if (LeadsTo(path) is { } version && version <= upTo)
            {
                disk.DeleteFile("flip: delete received pack", path);
            }
        }
    }

    /// <summary>Null for what is no whole pack, or was taken away meanwhile: whoever receives packs cares for it.</summary>
    private VersionId? LeadsTo(string path)
    {
        if (lastStaged is { Pack.Path: not null } last && last.Pack == PackStamp.Of(path))
        {
            return last.Version;
        }

        try
        {
            using var pack = PackReader.Open(path);
            return pack.Version.Id;
        }
        catch (Exception error) when (error is PackFormatException or FileNotFoundException)
        {
            return null;
        }
    }

    private void LinkRoot(string root)
    {
        var info = new FileInfo(root);
        if (info.LinkTarget is { } target)
        {
            if (target == CurrentLink)
            {
                return;
            }

            throw new StoreException($"{root} is a symbolic link to {target}, not to {CurrentLink}. Remove it if nothing needs it (rm {root}), then start again.");
        }

        if (info.Exists)
        {
            throw new StoreException($"{root} is a file; it must become a link to {CurrentLink}. Move it away, then start again.");
        }

        var parent = Path.GetDirectoryName(root) ?? throw new StoreException("The root of a site cannot be the root of the file system.");
        Touching();
        if (System.IO.Directory.Exists(root))
        {
            if (System.IO.Directory.EnumerateFileSystemEntries(root).Any())
            {
                throw new StoreException(
                    $"{root} is a directory with files of its own; on a replica it must become a link to {CurrentLink}. Move it away (mv {root} {root}.old), then start again: the site's files are fetched, and what differs can be compared afterwards.");
            }

            disk.Change("root link: remove empty directory", () => System.IO.Directory.Delete(root));
        }

        disk.Change("root link: create parent", () => System.IO.Directory.CreateDirectory(parent));
        disk.CreateLink("root link: create", root, CurrentLink);
        disk.SyncDirectory("root link: sync directory", parent);
    }

    private void RequireHolding(string what)
    {
        if (state.Mode != StoreMode.Holding)
        {
            throw new StoreException($"The store {Directory} is capturing ({Live!.Tree} is live): it cannot {what}. End capturing first.");
        }
    }
}
