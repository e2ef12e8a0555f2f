using System.Security.Cryptography;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Slots;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Store.History;

/// <summary>A version to restore: its record, its manifest, and the packs that led to that.</summary>
internal sealed record RestoreVersion(VersionRecord Record, Manifest Manifest, IReadOnlyList<PackRow> Way)
{
    /// <summary>Only what differs from this; null for everything.</summary>
    public Manifest? Since { get; init; }
}

/// <summary>
/// Materialises a version, or a part of one, beside its destination and renames it there when every file was written with the right hash: a destination is whole or was never
/// there. What is at the destination already is exchanged with it, when that is asked for, and kept.
/// </summary>
/// <param name="isLive">The head's tree is written to by others: nothing of it is linked.</param>
/// <param name="peers">Lend what this store lacks; null when there are none.</param>
internal sealed class Restorer(
    PackCatalogue catalogue, Func<ContentSources> current, IStoreDisk disk, string storeDirectory, bool isLive, Func<PeerContents?> peers, Func<string> explain)
{
    public async Task<RestorePlan> PlanAsync(RestoreVersion version, string destination, RestoreOptions options, CancellationToken cancellation)
    {
        destination = RestoreTarget.Check(destination, options.InPlace, storeDirectory);
        var part = RestorePart.Of(version, options.Path);
        RestoreTarget.CheckPaths(destination, part);
        using var lenders = peers();
        var plan = new ContentPlan(catalogue, current, lenders);
        var missing = await FindMissingAsync(plan, part, version, cancellation);
        var links = LinksFor(options, destination);
        var sources = new Dictionary<string, (long Contents, long Bytes)>();
        long linked = 0, read = 0, written = 0;
        var seen = new HashSet<ContentHash>();
        var lent = new Dictionary<string, PeerShare>();
        foreach (var entry in part.Contents)
        {
            var isLink = links?.Take(entry, part.OriginalOf(entry)) is not null;
            linked += isLink ? 1 : 0;
            written += isLink ? 0 : entry.Size;
            if (entry.Size == 0 || !seen.Add(entry.Hash))
            {
                continue;
            }

            if (missing.TryGetValue(entry.Hash, out var lender))
            {
                read += entry.Size;
                var share = lent.GetValueOrDefault(lender) ?? new PeerShare(lender, 0, 0);
                lent[lender] = share with { Contents = share.Contents + 1, Bytes = share.Bytes + entry.Size };
                continue;
            }

            var way = plan.Find(entry.Hash)!;
            read += way.Cost;
            if (way.Tree is { } tree && way.File is not null)
            {
                Add(tree.Directory, way.File.Size);
            }

            foreach (var step in way.Steps)
            {
                Add(step.Pack.File, step.Blob.StoredBytes);
            }
        }

        return new RestorePlan(
            version.Record, destination, part.Entries.Count, part.Contents.LongCount(), linked, [.. version.Way.Select(row => row.File)],
            [.. sources.Select(pair => new RestoreSource(pair.Key, pair.Value.Contents, pair.Value.Bytes)).OrderByDescending(source => source.Bytes)],
            read, written, NeededFor(part, options, missing), RestoreTarget.FreeAt(destination), RestoreTarget.IsTaken(destination), catalogue.DamageLines(current().Packs),
            [.. lent.Values]);

        void Add(string name, long bytes)
        {
            var known = sources.GetValueOrDefault(name);
            sources[name] = (known.Contents + 1, known.Bytes + bytes);
        }
    }

    public async Task<RestoreReport> RunAsync(RestoreVersion version, string destination, RestoreOptions options, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        destination = RestoreTarget.Check(destination, options.InPlace, storeDirectory);
        var part = RestorePart.Of(version, options.Path);
        RestoreTarget.CheckPaths(destination, part);
        using var lenders = peers();
        var plan = new ContentPlan(catalogue, current, lenders);
        var missing = await FindMissingAsync(plan, part, version, cancellation);
        RestoreTarget.CheckRoom(destination, NeededFor(part, options, missing), RestoreTarget.FreeAt(destination));
        var work = new Work(version, part, plan, LinksFor(options, destination), destination, progress);
        var inPlace = options.InPlace && (RestoreTarget.IsTaken(destination) || new InPlaceRestore(destination, disk).Find() is not null);
        try
        {
            return inPlace ? await RunInPlaceAsync(work, options, cancellation) : await RunBesideAsync(work, cancellation);
        }
        catch (IOException error)
        {
            var left = inPlace ? $"Run the same again to go on, or `mirror restore --undo {destination}`." : "Nothing was left there.";
            throw new StoreException($"Version {version.Record.Id} could not be restored to {destination}: {error.Message} {left}", error);
        }
    }

    private sealed record Work(RestoreVersion Version, RestorePart Part, ContentPlan Plan, RestoreLinks? Links, string Destination, IProgress<StoreProgress>? Progress);

    private async Task<RestoreReport> RunBesideAsync(Work work, CancellationToken cancellation)
    {
        var parent = Path.GetDirectoryName(work.Destination)!;
        var suffix = $".partial-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
        var name = Path.GetFileName(work.Destination);
        var partial = Path.Combine(parent, (Encoding.UTF8.GetByteCount(name) + suffix.Length <= EntryPath.MaxNameLength ? name : "") + suffix);
        try
        {
            var scratch = Path.Combine(partial, "scratch");
            disk.CreateDirectory("restore: create", partial);
            disk.CreateDirectory("restore: create scratch", scratch);
            var writer = await WriteAsync(work, partial, scratch, cancellation);
            cancellation.ThrowIfCancellationRequested();
            disk.Rename("restore: rename", Path.Combine(partial, RestorePart.SingleName.ToString()), work.Destination);
            disk.SyncDirectory("restore: sync directory", parent);
            return Report(work, writer, previous: null);
        }
        finally
        {
            disk.DeleteTree("restore: clean up", partial);
        }
    }

    private async Task<RestoreReport> RunInPlaceAsync(Work work, RestoreOptions options, CancellationToken cancellation)
    {
        var (record, inPlace) = (work.Version.Record, new InPlaceRestore(work.Destination, disk));
        using var own = inPlace.Lock();
        var wanted = new InPlaceState(InPlacePhase.Staging, record.Id.ToString(), record.Root.ToString(), Convert.ToBase64String(options.Path.Bytes), null, null);
        var interrupted = inPlace.Find()?.Phase == InPlacePhase.Swapping;
        if (inPlace.Settle() is { Phase: InPlacePhase.Swapped } pending)
        {
            if (interrupted && (pending.Version, pending.Root, pending.Path) == (wanted.Version, wanted.Root, wanted.Path))
            {
                return Report(work, null, pending.Previous is null ? null : inPlace.Previous);
            }

            throw new StoreException(
                $"{work.Destination} was restored to {pending.Version}, and that waits to be confirmed: `mirror restore --confirm {work.Destination}` deletes the state from before, `mirror restore --undo {work.Destination}` brings it back.");
        }

        PartWriter? writer = null;
        try
        {
            await inPlace.RunAsync(wanted, async (directory, scratch) =>
            {
                writer = await WriteAsync(work, directory, scratch, cancellation);
                cancellation.ThrowIfCancellationRequested();
            });
        }
        catch when (inPlace.Find() is null or { Phase: InPlacePhase.Staging })
        {
            GiveUp(inPlace);
            throw;
        }

        return Report(work, writer, inPlace.Find()?.Previous is null ? null : inPlace.Previous);
    }

    private static void GiveUp(InPlaceRestore inPlace)
    {
        try
        {
            inPlace.GiveUp();
        }
        catch (IOException)
        {
            // The disk refuses more than the restore, and that failure is the one to tell of. What is left beside the destination is begun anew, or undone, later.
        }
    }

    private async Task<PartWriter> WriteAsync(Work work, string directory, string scratch, CancellationToken cancellation)
    {
        // A single entry is made in the directory itself.
        var root = directory;
        if (work.Part.IsDirectory)
        {
            root = Path.Combine(directory, RestorePart.SingleName.ToString());
            disk.CreateDirectory("restore: create tree", root);
        }

        if (work.Plan.Peers is { } lenders)
        {
            lenders.Scratch = Path.Combine(scratch, "lent");
        }

        var writer = new PartWriter(work.Plan, work.Part, work.Version.Record.Id, root, scratch, work.Links, work.Progress);
        await disk.ChangeAsync("restore: write", () => writer.RunAsync(entry => Unreachable(work.Plan, work.Version.Record, work.Part.OriginalOf(entry), entry.Hash, 1), cancellation));
        disk.Change("restore: sync", () =>
        {
            using var tree = new TreeWriter(root);
            tree.Sync();
        });
        return writer;
    }

    private RestoreReport Report(Work work, PartWriter? writer, string? previous) => new(
        work.Version.Record, work.Part.Entries.Count, work.Part.Contents.LongCount(), work.Part.Contents.Sum(entry => entry.Size), writer?.Linked ?? 0,
        work.Plan.Detours, catalogue.DamageLines(current().Packs), writer?.Unset ?? [], previous, work.Plan.Peers?.Shares ?? []);

    /// <summary>What is fetched from peers lies beside it, a pack at a time.</summary>
    private static long NeededFor(RestorePart part, RestoreOptions options, IReadOnlyDictionary<ContentHash, string> lent) =>
        (options.Link ? 0 : part.RoomNeeded)
        + (lent.Count == 0 ? 0 : PeerContents.RoomFor(part.Contents.Where(entry => lent.ContainsKey(entry.Hash)).Select(entry => new WantedContent(entry.Hash, entry.Size))));

    private RestoreLinks? LinksFor(RestoreOptions options, string destination)
    {
        if (!options.Link)
        {
            return null;
        }

        var now = current();
        if (now.HeadTree is null || isLive)
        {
            throw new StoreException($"Nothing can be linked: {(isLive ? $"the newest tree, {now.HeadTree}, is written to by its app" : "the store holds no tree")}. Leave --link out.");
        }

        return RestoreTarget.FileSystemOf(now.HeadTree) == RestoreTarget.FileSystemOf(Path.GetDirectoryName(destination)!)
            ? new RestoreLinks(new SourceTree(now.Head, now.HeadTree), now.HeadManifest)
            : throw new StoreException($"{destination} is on another file system than {now.HeadTree}, so nothing can be linked. Leave --link out, or name a destination beside the store.");
    }

    /// <summary>What no local way leads to, and from whom each of it would come.</summary>
    /// <exception cref="StoreException">Some of it is nowhere.</exception>
    private async Task<IReadOnlyDictionary<ContentHash, string>> FindMissingAsync(ContentPlan plan, RestorePart part, RestoreVersion version, CancellationToken cancellation)
    {
        var missing = part.Contents.Where(entry => entry.Size > 0 && !plan.Has(entry.Hash)).ToList();
        if (missing.Count == 0)
        {
            return new Dictionary<ContentHash, string>();
        }

        var lent = plan.Peers is null ? new Dictionary<ContentHash, string>()
            : await plan.Peers.LocateAsync([.. missing.Select(entry => new WantedContent(entry.Hash, entry.Size))], cancellation);
        var nowhere = missing.Where(entry => !lent.ContainsKey(entry.Hash)).ToList();
        return nowhere.Count == 0 ? lent : throw Unreachable(plan, version.Record, part.OriginalOf(nowhere[0]), nowhere[0].Hash, nowhere.Count);
    }

    private StoreException Unreachable(ContentPlan plan, VersionRecord version, EntryPath path, ContentHash hash, int count) => new(
        $"Version {version.Id} cannot be restored: {count} of its contents {(count == 1 ? "is" : "are")} nowhere in this store{(plan.Peers is null ? "" : ", nor on a node that could be asked")}, such as \"{path}\" ({hash})."
        + plan.Peers?.DescribeLost() + catalogue.DescribeDamage() + explain());
}
