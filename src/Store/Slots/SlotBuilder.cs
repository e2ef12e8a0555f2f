using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using Mirror.Delta;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Store.Slots;

/// <summary>
/// Brings a slot from the version it holds to the one a pack leads to, in two parts. <see cref="PrepareAsync"/> makes every new file in a scratch directory and checks its
/// SHA-256; it touches no slot, so whatever is wrong with a pack is found while nothing has moved, and old and new contents are side by side for the reverse pack.
/// <see cref="Apply"/> then only links, renames and removes.
/// </summary>
internal sealed class SlotBuilder : IDisposable
{
    /// <summary>Contents up to here are made in memory and written at once.</summary>
    private const int HeldLength = 1 << 20;

    private readonly IStoreDisk disk;
    private readonly Manifest slot;
    private readonly Manifest baseline;
    private readonly Manifest target;
    private readonly string slotTree;
    private readonly string? baseTree;
    private readonly string scratch;
    private readonly Func<EntryPath, bool> isPrivate;
    private readonly bool inPlace;
    private readonly SlotMoves moves;
    private readonly SlotPlan plan;
    private readonly Dictionary<EntryPath, EntryPath> prepared = [];
    private readonly Dictionary<ContentHash, EntryPath> preparedContents = [];
    private byte[] held = [];
    private readonly Dictionary<string, TreeHandle> opened = [];

    /// <param name="slot">What <paramref name="slotTree"/> holds now; empty for a tree that has to be cloned.</param>
    /// <param name="baseTree">The tree of <paramref name="baseline"/>; null when there is none. It may be the slot itself.</param>
    /// <param name="scratch">An empty directory on the same file system.</param>
    /// <param name="trustBase">False: no inode of the base is used again; its contents are checked while they are copied.</param>
    /// <param name="isPrivate">What belongs to apps, and is left alone.</param>
    public SlotBuilder(
        IStoreDisk disk, string slotTree, Manifest slot, string? baseTree, Manifest baseline, Manifest target, string scratch, bool trustBase, Func<EntryPath, bool> isPrivate)
    {
        this.isPrivate = isPrivate;
        this.disk = disk;
        this.slotTree = slotTree;
        this.slot = slot;
        this.baseTree = baseTree;
        this.baseline = baseline;
        this.target = target;
        this.scratch = scratch;
        inPlace = slotTree == baseTree;

        // In place the base is the tree that would be moved, and is still read from.
        moves = inPlace || !trustBase ? SlotMoves.None(slot) : SlotMoves.Find(slotTree, slot, target);
        plan = SlotPlan.Make(moves.Moved, trustBase ? baseline : Manifest.Empty, target, moves);
    }

    /// <summary>Signatures of contents that this process itself has read and hashed, and their key: so they are known again.</summary>
    public IReadOnlyDictionary<ContentHash, BlockSignature> Read { get; init; } = new Dictionary<ContentHash, BlockSignature>();

    public BlockKey Key { get; init; }

    /// <exception cref="MissingContentException">Nothing was written.</exception>
    /// <exception cref="StoreException">A content is not what its hash says.</exception>
    public async Task PrepareAsync(PackReader pack, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        var fresh = plan.Fresh.GroupBy(file => file.Entry.Hash).ToList();
        RefuseMissing(pack, fresh.Select(group => group.First().Entry));
        var total = fresh.Sum(group => group.Sum(file => file.Entry.Size));
        var done = 0L;
        using var writer = new TreeWriter(scratch);
        foreach (var content in fresh)
        {
            foreach (var file in content)
            {
                cancellation.ThrowIfCancellationRequested();
                await WriteAsync(writer, pack, file.Entry, cancellation);
                done += file.Entry.Size;
                progress?.Report(new StoreProgress("writing changed files", done, total));
            }
        }

        // In place, an old name goes before the new one comes: its inode is held by a second name meanwhile.
        foreach (var file in plan.Files.Values.Where(file => inPlace && file.Source == FileSource.Moved))
        {
            disk.Change("stage: hold moved file", () => writer.LinkFrom(baseTree!, file.From, NextScratchName(file.Entry.Path)));
        }
    }

    /// <summary>After this the slot holds the target, in the kernel's view; the caller syncs.</summary>
    public void Apply(CancellationToken cancellation)
    {
        using var writer = new TreeWriter(slotTree);
        foreach (var move in moves.Moves)
        {
            disk.Change("stage: move directory", () => writer.MoveDirectory(move.From, move.To));
        }

        RemoveForeign(writer);
        foreach (var path in plan.Removed)
        {
            disk.Change("stage: remove", () => writer.Remove(path));
        }

        foreach (var entry in plan.Put)
        {
            // Old names go first when the base is another tree: afterwards a further link of a base inode can only come from a path that stays. In place a
            // rename replaces them; only what changes between directory and anything else must make way.
            if (moves.Moved.Find(entry.Path) is { } old
                && ((old.Type == EntryType.Directory) != (entry.Type == EntryType.Directory) || (!inPlace && entry.Type == EntryType.File)))
            {
                disk.Change("stage: make way", () => writer.Remove(entry.Path));
            }
        }

        foreach (var entry in plan.Put)
        {
            cancellation.ThrowIfCancellationRequested();
            if (prepared.TryGetValue(entry.Path, out var scratchName))
            {
                disk.Change("stage: move new file", () => writer.MoveFrom(scratch, scratchName, entry.Path));
            }
            else if (plan.Files.TryGetValue(entry.Path, out var file))
            {
                disk.Change("stage: link shared file", () => LinkShared(writer, file));
            }
            else
            {
                disk.Change("stage: put", () => writer.Put(entry));
            }
        }

        disk.Change("stage: finish directories", () => writer.FinishDirectories(plan.Directories));
        disk.Change("stage: sync", writer.Sync);
    }

    /// <summary>What somebody put into a directory where this stage works does not become part of the version, and is in nobody's way.</summary>
    private void RemoveForeign(TreeWriter writer)
    {
        foreach (var path in ForeignNames.Find(slotTree, plan.Directories.Where(entry => moves.Moved.Find(entry.Path) is { Type: EntryType.Directory }), moves.Moved, isPrivate))
        {
            disk.Change("stage: remove foreign", () => writer.Remove(path));
        }
    }

    /// <summary>A content of the target, wherever it is now (between preparing and applying).</summary>
    public Stream OpenNew(ContentHash hash)
    {
        if (preparedContents.TryGetValue(hash, out var name))
        {
            return OpenRead(scratch, name);
        }

        if (baseTree is not null && baseline.FindContent(hash) is { } shared)
        {
            return OpenRead(baseTree, shared.Path);
        }

        return slot.FindContent(hash) is { } kept
            ? OpenRead(slotTree, kept.Path)
            : throw new StoreException($"The content {hash} of the new version is nowhere. Run verify on this store.");
    }

    /// <summary>A content of the base.</summary>
    public Stream OpenOld(ContentHash hash) => baseTree is not null && baseline.FindContent(hash) is { } entry
        ? OpenRead(baseTree, entry.Path)
        : throw new StoreException($"The content {hash} of the old version is nowhere. Run verify on this store.");

    public void Dispose()
    {
        foreach (var tree in opened.Values)
        {
            tree.Dispose();
        }

        opened.Clear();
        ArrayPool<byte>.Shared.Return(held);
        held = [];
    }

    /// <summary>Trees stay open: of many small files each costs no more than itself.</summary>
    private FileStream OpenRead(string root, EntryPath path)
    {
        if (!opened.TryGetValue(root, out var tree))
        {
            opened.Add(root, tree = new TreeHandle(root));
        }

        return TreeScanner.OpenStream(tree, path);
    }

    private void RefuseMissing(PackReader pack, IEnumerable<Entry> wanted)
    {
        var missing = wanted
            .Where(entry => entry.Size > 0 && baseline.FindContent(entry.Hash) is null
                && (pack.Find(entry.Hash) is not { } blob || (!blob.Basis.IsNone && baseline.FindContent(blob.Basis) is null)))
            .Select(entry => entry.Hash)
            .ToList();
        if (missing.Count > 0)
        {
            throw new MissingContentException(
                $"The pack to version {pack.Header.To} neither brings {missing.Count} of the contents it needs nor are they in the tree here; the first is {missing[0]}. Ask for a fill.", missing);
        }
    }

    private async Task WriteAsync(TreeWriter writer, PackReader pack, Entry entry, CancellationToken cancellation)
    {
        var name = NextScratchName(entry.Path);
        if (entry is { Sparse: false, Size: <= HeldLength })
        {
            disk.Change("stage: write new file", () => writer.PutNew(entry with { Path = name }, Held(pack, entry)));
        }
        else
        {
            await disk.ChangeAsync("stage: write new file", () => StreamAsync(writer, pack, entry, name, cancellation));
        }

        preparedContents.TryAdd(entry.Hash, name);
    }

    /// <summary>A small content, checked.</summary>
    private ReadOnlySpan<byte> Held(PackReader pack, Entry entry)
    {
        if (held.Length == 0)
        {
            held = ArrayPool<byte>.Shared.Rent(HeldLength + 1);
        }

        // One byte more than it should have: so that too long a content shows.
        var room = held.AsSpan(0, (int)entry.Size + 1);
        var blob = entry.Size > 0 && !preparedContents.ContainsKey(entry.Hash) ? pack.Find(entry.Hash) : null;
        var length = 0;
        if (blob is not null)
        {
            using var basis = blob.Basis.IsNone ? Stream.Null : OpenOld(blob.Basis);
            using var delta = pack.OpenDelta(entry.Hash);
            length = FileDelta.ApplyHeld(basis, delta, room[..(int)entry.Size]);
        }
        else if (entry.Size > 0)
        {
            using var content = OpenNew(entry.Hash);
            length = content.ReadAtLeast(room, room.Length, throwOnEndOfStream: false);
        }

        var found = ContentHash.From(SHA256.HashData(room[..length]));
        if (length != entry.Size || found != entry.Hash)
        {
            throw blob is not null
                ? NotAsPromised(pack, entry, length, found)
                : new DamagedContentException($"{WhereNew(entry)} is not what the manifest says: it has the SHA-256 {found}, not {entry.Size} bytes with {entry.Hash}. Run verify.");
        }

        return room[..length];
    }

    private async Task StreamAsync(TreeWriter writer, PackReader pack, Entry entry, EntryPath name, CancellationToken cancellation)
    {
        using var file = writer.BeginFile(entry with { Path = name });
        if (entry.Size == 0)
        {
            await VerifiedCopy.RunAsync(Stream.Null, file.Content, entry.Hash, 0, WhereNew(entry), cancellation);
        }
        else if (!preparedContents.ContainsKey(entry.Hash) && pack.Find(entry.Hash) is { } blob)
        {
            await ApplyBlobAsync(pack, blob, entry, file.Content, cancellation);
        }
        else
        {
            await using var content = OpenNew(entry.Hash);
            await VerifiedCopy.RunAsync(content, file.Content, entry.Hash, entry.Size, WhereNew(entry), cancellation);
        }

        file.Commit();
    }

    /// <summary>Where <see cref="OpenNew"/> takes it from, for errors.</summary>
    private string WhereNew(Entry entry) => preparedContents.ContainsKey(entry.Hash) || entry.Size == 0
        ? $"the scratch copy of \"{entry.Path}\""
        : $"{baseTree}/{baseline.FindContent(entry.Hash)?.Path}";

    private async Task ApplyBlobAsync(PackReader pack, BlobInfo blob, Entry entry, Stream output, CancellationToken cancellation)
    {
        await using var basis = blob.Basis.IsNone ? Stream.Null : OpenOld(blob.Basis);
        await using var delta = pack.OpenDelta(entry.Hash);
        if (Read.TryGetValue(entry.Hash, out var signature) && signature.ContentLength == entry.Size)
        {
            if (!await FileDelta.ApplyAsync(basis, delta, output, signature, Key, cancellation))
            {
                throw new StoreException(
                    $"\"{entry.Path}\" of version {pack.Header.To} came out other than it was read a moment ago: what it builds on is damaged here, or this machine's memory or disk is. Run verify.");
            }

            return;
        }

        var (length, sha256) = await FileDelta.ApplyAsync(basis, delta, output, entry.Size, cancellation);
        if (length != entry.Size || ContentHash.From(sha256) != entry.Hash)
        {
            throw NotAsPromised(pack, entry, length, ContentHash.From(sha256));
        }
    }

    private static StoreException NotAsPromised(PackReader pack, Entry entry, long length, ContentHash found) => new(
        $"\"{entry.Path}\" of version {pack.Header.To} came out with {length} bytes and SHA-256 {found}; {entry.Size} and {entry.Hash} were promised. "
        + "Either the pack is wrong or the file it builds on is damaged here: run verify, then ask for a fill.");

    private void LinkShared(TreeWriter writer, PlannedFile file)
    {
        if (writer.StatSource(baseTree!, file.From) is not { } facts || facts.Size != file.Entry.Size || facts.Key.MtimeNs != file.Entry.MtimeUnixNs)
        {
            throw new StoreException($"\"{baseTree}/{file.From}\" is not the file this store put there. Run verify, then ask for a fill.");
        }

        // One link more than its group has: a path of this slot that stays has the inode already, and must not become one with this file.
        if (facts.Links > 1 && slot.Entries.Count > 0 && facts.Links > baseline.NamesOf(file.From))
        {
            using var copy = writer.BeginFile(file.Entry);
            using var content = TreeScanner.OpenRead(baseTree!, file.From);
            VerifiedCopy.Run(content, copy.Content, file.Entry.Hash, file.Entry.Size, $"{baseTree}/{file.From}");
            copy.Commit();
            return;
        }

        writer.LinkFrom(baseTree!, file.From, file.Entry.Path);
    }

    private EntryPath NextScratchName(EntryPath path)
    {
        var name = EntryPath.Parse(prepared.Count.ToString(CultureInfo.InvariantCulture));
        prepared.Add(path, name);
        return name;
    }
}
