using Mirror.Delta;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

// Capturing: the live tree belongs to its app, and the store notes what each capture found.
public sealed partial class VersionStore
{
    /// <summary>Stat keys of the live tree as of <see cref="Head"/>, for the change test.</summary>
    public StatTable StatKeys
    {
        get
        {
            var head = state.HeadManifest;
            if (!head.KnowsStats)
            {
                index.NoteStatKeys(head);
            }

            return new StatTable(head);
        }
    }

    public BlockSignature? FindSignature(ContentHash hash) => index.FindSignature(hash);

    /// <summary>
    /// Before an app may write to the current slot: the idle one, which shares inodes with it, is given up. Whatever was staged must have been flipped. Calling it again is fine.
    /// </summary>
    public Task<LiveTree> BeginCapturingAsync(CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            if (state.Mode != StoreMode.CapturingRoot)
            {
                MakeCurrentSlotLive(cancellation);
            }

            return Task.FromResult(Live!);
        },
        cancellation);

    /// <summary>A root that was never a slot: captured where it is, until the node becomes a replica. A root that is the link to <c>current</c> means that slot.</summary>
    public Task<LiveTree> BeginCapturingAsync(string root, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
            if (new FileInfo(root).LinkTarget == CurrentLink)
            {
                MakeCurrentSlotLive(cancellation);
                return Task.FromResult(Live!);
            }

            if (state.Mode == StoreMode.CapturingSlot || state.Current is not null || (state.Mode == StoreMode.Holding && state.Head is not null))
            {
                throw new StoreException(
                    $"This store holds version {state.Head!.Id} in slots, and {root} is not the link to {CurrentLink} it should be. Move {root} away and let the store make the link, or compare the two first.");
            }

            if (!System.IO.Directory.Exists(root))
            {
                throw new StoreException($"The root {root} is not a directory: there is nothing to capture.");
            }

            if (state.Mode != StoreMode.CapturingRoot || state.LiveRoot != root)
            {
                Touching();
                index.Commit(disk, "begin capturing root", change => change.SetMode(StoreMode.CapturingRoot, root));
                state = state with { Mode = StoreMode.CapturingRoot, LiveRoot = root };
            }

            return Task.FromResult(Live!);
        },
        cancellation);

    /// <summary>One transaction: the new head, its manifest, stat keys and signatures, and the old manifest into history.</summary>
    /// <param name="statKeys">New and changed ones at least; those of paths that are gone are dropped.</param>
    /// <exception cref="StoreException">Not capturing, not a successor of <see cref="Head"/>, or the changes do not make the root the record says.</exception>
    public Task RecordCaptureAsync(
        VersionRecord version, ManifestDelta changes, IReadOnlyDictionary<EntryPath, StatKey> statKeys,
        IReadOnlyDictionary<ContentHash, BlockSignature> newSignatures, CancellationToken cancellation) => InTurnAsync(
        async () =>
        {
            if (state.Mode == StoreMode.Holding)
            {
                throw new StoreException($"The store {Directory} is not capturing: version {version.Id} cannot be recorded. Begin capturing first.");
            }

            var before = state;
            var manifest = CheckedCapture(version, changes);
            Touching();
            var entry = before.Head is null ? null : new JournalEntry(
                JournalPhase.Preparing, Guid.NewGuid(), before.CurrentSlot ?? SlotPair.Names[0], version.Id.ToString(), [PackCatalogue.FileName(version.Id, before.Head.Id)]);
            if (entry is not null)
            {
                journal.Write(entry);
            }

            var pack = before.Head is null ? null : await InstallManifestAsync(version, manifest, before.Head, before.HeadManifest, cancellation);
            var row = new VersionRow(version, time.GetUtcNow(), "", Staged: false);
            var difference = Manifest.Diff(manifest, before.HeadManifest);
            var gone = difference.Put.Where(entry => manifest.Find(entry.Path) is null).Select(entry => entry.Path).ToList();
            var obsolete = difference.Put.Where(entry => entry.Type == EntryType.File && manifest.FindContent(entry.Hash) is null).Select(entry => entry.Hash).ToList();
            CommitSource("record capture", manifest, gone, obsolete, statKeys, newSignatures, change =>
            {
                change.SetHead(version.Id);
                change.ChangeEntries(before.HeadManifest, manifest);
                change.PutVersion(row);
                if (entry is not null)
                {
                    change.SetOperation(entry.Operation);
                }

                if (before.CurrentSlot is { } slot && before.Mode == StoreMode.CapturingSlot)
                {
                    change.SetSlot(slot, version.Id);
                }

                if (pack is not null)
                {
                    change.PutPack(pack);
                }
            });
            if (entry is not null)
            {
                journal.Clear();
            }

            state = before with
            {
                Head = version,
                HeadManifest = manifest,
                Current = before.Mode == StoreMode.CapturingSlot ? version : null,
                Slots = before.CurrentSlot is { } live && before.Mode == StoreMode.CapturingSlot ? new Dictionary<string, VersionId> { [live] = version.Id } : before.Slots,
                Versions = before.VersionsWith(row),
                Packs = pack is null ? before.Packs : before.PacksWith(pack),
            };
        },
        cancellation);

    /// <summary>For the embedded form, where captures are staged in the same store: stat keys and signatures of the source as of <see cref="Head"/>.</summary>
    public Task RememberSourceAsync(
        IReadOnlyDictionary<EntryPath, StatKey> statKeys, IReadOnlyDictionary<ContentHash, BlockSignature> newSignatures, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            Touching();
            var head = state.HeadManifest;
            CommitSource("remember source", head,
                index.StatKeysBeside(head),
                [.. index.SignedContents().Where(hash => head.FindContent(hash) is null)], statKeys, newSignatures, _ => { });
            return Task.CompletedTask;
        },
        cancellation);

    /// <summary>A capture read files that were touched, and they are as <see cref="Head"/> says: the next one need not read them. Costs what it is told, not what the tree is.</summary>
    public Task NoteUnchangedAsync(
        IReadOnlyDictionary<EntryPath, StatKey> statKeys, IReadOnlyDictionary<ContentHash, BlockSignature> newSignatures, CancellationToken cancellation) => InTurnAsync(
        () =>
        {
            Touching();
            CommitSource("note unchanged", state.HeadManifest, [], [], statKeys, newSignatures, _ => { });
            return Task.CompletedTask;
        },
        cancellation);

    private void MakeCurrentSlotLive(CancellationToken cancellation)
    {
        var slot = state.CurrentSlot ?? throw new StoreException($"The store {Directory} has no current version to go live with. Stage one and flip, or name the root to capture.");
        var first = state.Mode == StoreMode.Holding;
        if (first && state.Current!.Id != state.Head!.Id)
        {
            throw new StoreException($"Version {state.Head.Id} is staged and {state.Current.Id} is current: going live now would lose the newer one. Flip first.");
        }

        Touching();
        if (first)
        {
            index.Commit(disk, "begin capturing slot", change =>
            {
                change.SetMode(StoreMode.CapturingSlot, "");
                change.DeleteSlot(SlotPair.Other(slot));
            });
            state = state with { Mode = StoreMode.CapturingSlot, Slots = new Dictionary<string, VersionId> { [slot] = state.Head!.Id } };
        }

        // Also when it was live already: an interrupted first time may have left the other slot, and no app may write while that shares inodes.
        slots.Drop(SlotPair.Other(slot));
        if (first)
        {
            // Only now: giving up the other slot's links changed the ctime of every inode it shared.
            CommitSource("note stat keys", state.HeadManifest, [], [], KeysOf(slot, cancellation), new Dictionary<ContentHash, BlockSignature>(), _ => { });
        }
    }

    /// <summary>What was verified when it was staged and was not touched since need not be looked at again by the first capture, provided that it could be given all its attributes.</summary>
    private Dictionary<EntryPath, StatKey> KeysOf(string slot, CancellationToken cancellation)
    {
        var keys = new Dictionary<EntryPath, StatKey>();
        foreach (var (entry, stat) in TreeScanner.Scan(slots.PathOf(slot), (path, type) => type != EntryType.Directory && isPrivate(path), cancellation).Entries)
        {
            if (entry.Type == EntryType.File && state.HeadManifest.Find(entry.Path) is { Type: EntryType.File } held && held.Size == entry.Size && held.MtimeUnixNs == entry.MtimeUnixNs
                && held.Xattrs.SequenceEqual(entry.Xattrs))
            {
                keys.Add(entry.Path, stat);
            }
        }

        return keys;
    }

    private Manifest CheckedCapture(VersionRecord version, ManifestDelta changes)
    {
        var head = state.Head;
        if (version.Site != Site || version.Parent != (head?.Id ?? default) || (head is not null && version.Id <= head.Id))
        {
            throw new StoreException($"Version {version.Id} of \"{version.Site}\" (after {version.Parent}) does not follow the head {(head is null ? "of an empty store" : head.Id)} of \"{Site}\".");
        }

        if (VersionRecord.ChainOf(head?.Chain ?? default, version) != version.Chain)
        {
            throw new StoreException($"Version {version.Id} has a chain hash that does not continue its parent's.");
        }

        var manifest = state.HeadManifest.Apply(changes);
        return manifest.Root == version.Root
            ? manifest
            : throw new StoreException($"The changes recorded for {version.Id} make a manifest with root {manifest.Root}; its record says {version.Root}.");
    }

    /// <summary>A pack without contents: what the older version's manifest was. It is whole only when everything the older one held is in the newer one too.</summary>
    private async Task<PackRow> InstallManifestAsync(VersionRecord newer, Manifest newerManifest, VersionRecord older, Manifest olderManifest, CancellationToken cancellation)
    {
        var changes = Manifest.Diff(newerManifest, olderManifest);
        var partial = changes.Put.Any(entry => entry is { Type: EntryType.File, Size: > 0 } && newerManifest.FindContent(entry.Hash) is null);
        var row = new PackRow(newer.Id, older.Id, PackCatalogue.FileName(newer.Id, older.Id), partial, Bytes: 0);
        return await InstallAsync(row, async output =>
        {
            await using var writer = new PackWriter(output, new PackHeader(Site, newer.Id, newer.Root, older.Id, partial));
            await writer.CompleteAsync(older, PackChanges.Between(newerManifest, changes), cancellation);
        });
    }

    /// <summary>Stat keys and signatures follow the manifest: what changed is put, what is no longer there goes.</summary>
    /// <param name="head">What is, or becomes, the head: the stats are noted in it too.</param>
    private void CommitSource(
        string op, Manifest head, IReadOnlyCollection<EntryPath> gone, IReadOnlyCollection<ContentHash> obsolete,
        IReadOnlyDictionary<EntryPath, StatKey> keys, IReadOnlyDictionary<ContentHash, BlockSignature> signatures, Action<IndexChange> more)
    {
        var table = StatKeys;
        var changed = keys.Where(pair => !table.TryGetValue(pair.Key, out var known) || known != pair.Value).ToList();
        index.Commit(disk, op, change =>
        {
            more(change);
            changed.ForEach(pair => change.PutStatKey(pair.Key, pair.Value));
            foreach (var path in gone)
            {
                change.DeleteStatKey(path);
            }

            foreach (var hash in obsolete)
            {
                change.DeleteSignature(hash);
            }

            foreach (var (hash, signature) in signatures)
            {
                change.PutSignature(hash, signature);
            }
        });

        // One that was made before they were known gets all of them, when they are asked for.
        if (head.KnowsStats)
        {
            head.Note(keys);
        }
    }
}
