using Mirror.Store.History;
using Mirror.Store.Manifests;

namespace Mirror.Store.Versions;

// Reading old versions: manifests and contents from the head's tree and the packs.
public sealed partial class VersionStore
{
    private volatile RestorableVersions? restorable;

    /// <summary>Newest last; diverged branches included, marked by their note.</summary>
    public IReadOnlyList<KeptVersion> Versions
    {
        get
        {
            var at = state;
            var known = restorable;
            if (known is null || !known.Fits(at, catalogue))
            {
                restorable = known = RestorableVersions.Find(at, catalogue, known);
            }

            var kept = protections;
            return [.. at.Versions.Select(row => new KeptVersion(row.Record, known.Contains(row.Record.Id), kept.Noted(row)))];
        }
    }

    /// <summary>A version by its number; null when the store does not know it. Does not look at packs.</summary>
    public VersionRecord? Find(VersionId version) => state.Find(version)?.Record;

    /// <exception cref="StoreException">Unknown version.</exception>
    public Manifest ManifestOf(VersionId version) => Lookup(version).Manifest;

    /// <summary>Materialises a version in a new or empty directory: built beside it, verified by hash and root, then renamed. Nothing is left behind on failure.</summary>
    /// <exception cref="StoreException">Not empty, unknown version, or no path of packs left: says which versions are still reachable.</exception>
    public Task<RestoreReport> RestoreAsync(VersionId version, string destination, IProgress<StoreProgress>? progress, CancellationToken cancellation) =>
        RestoreAsync(version, destination, RestoreOptions.Everything, progress, cancellation);

    /// <summary>The same for a part of a version, in place, or with links.</summary>
    /// <exception cref="StoreException"/>
    public Task<RestoreReport> RestoreAsync(
        VersionId version, string destination, RestoreOptions options, IProgress<StoreProgress>? progress, CancellationToken cancellation) => Task.Run(
        async () => await NewRestorer().RunAsync(await LookupAsync(version, options, cancellation), destination, options, progress, cancellation), cancellation);

    /// <summary>What a restore would read and write, and from where. Refuses what the restore would refuse, but for too little room.</summary>
    /// <exception cref="StoreException"/>
    public Task<RestorePlan> PlanRestoreAsync(VersionId version, string destination, RestoreOptions options, CancellationToken cancellation) =>
        Task.Run(async () => await NewRestorer().PlanAsync(await LookupAsync(version, options, cancellation), destination, options, cancellation), cancellation);

    private async Task<RestoreVersion> LookupAsync(VersionId version, RestoreOptions options, CancellationToken cancellation)
    {
        if (options is { Since: not null, InPlace: true })
        {
            throw new StoreException("What differs between two versions is not the whole of one: it cannot take the place of what is there. Name a new directory.");
        }

        var found = await LookupAsync(version, cancellation);
        return options.Since is { } since ? found with { Since = (await LookupAsync(since, cancellation)).Manifest } : found;
    }

    /// <summary>Writes one file's content, whole and checked before the first byte of it.</summary>
    /// <exception cref="StoreException">No such file in the version, or its content is nowhere.</exception>
    public Task CopyContentAsync(VersionId version, EntryPath path, Stream output, CancellationToken cancellation) => Task.Run(
        async () =>
        {
            var found = await LookupAsync(version, cancellation);
            var entry = found.Manifest.Find(path)
                ?? throw new StoreException($"Version {version} has no \"{path}\". `mirror show` lists what it has, `mirror find` in which versions a path is.");
            if (entry.Type != EntryType.File)
            {
                throw new StoreException($"\"{path}\" of version {version} is a {entry.Type.ToString().ToLowerInvariant()}, which has no content. `mirror show` lists what the version has.");
            }

            if (!await TryCopyContentAsync(entry.Hash, entry.Size, output, cancellation))
            {
                throw new StoreException($"The content of \"{path}\" of version {version} ({entry.Hash}) is nowhere in this store{(peers is null ? "" : ", nor on a node that could be asked")}.{catalogue.DescribeDamage()}{Reachable(state)}");
            }
        },
        cancellation);

    /// <summary>Writes a content, whole and checked before the first byte of it. False when it is nowhere.</summary>
    public async Task<bool> TryCopyContentAsync(ContentHash hash, long size, Stream output, CancellationToken cancellation)
    {
        if (size == 0)
        {
            return true;
        }

        // Not in the store: that may be full, or read-only.
        var scratch = System.IO.Directory.CreateTempSubdirectory("mirror-").FullName;
        try
        {
            using var lenders = NewLenders();
            _ = lenders?.Scratch = scratch;
            using var reader = new ContentReader(new ContentPlan(catalogue, Sources, lenders), Path.Combine(scratch, "deltas"));
            await using var whole = new FileStream(Path.Combine(scratch, "content"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 0);
            if (!await reader.TryWriteAsync(hash, size, whole, cancellation))
            {
                return false;
            }

            whole.Position = 0;
            await whole.CopyToAsync(output, cancellation);
            return true;
        }
        finally
        {
            System.IO.Directory.Delete(scratch, recursive: true);
        }
    }

    /// <summary>What differs between two versions, by path.</summary>
    /// <exception cref="StoreException"/>
    public IReadOnlyList<PathChange> Diff(VersionId before, VersionId after) => PathChange.Between(ManifestOf(before), ManifestOf(after));

    /// <summary>In which versions paths came, changed and went, oldest first.</summary>
    public PathHistory HistoryOf(Func<EntryPath, bool> matches) => PathHistories.Find(state, catalogue, matches);

    private Restorer NewRestorer()
    {
        var at = state;
        return new Restorer(catalogue, Sources, outside, Directory, isLive: at.Mode != StoreMode.Holding, NewLenders, () => Reachable(state));
    }

    private RestoreVersion Lookup(VersionId version)
    {
        while (true)
        {
            var at = state;
            var row = at.Find(version) ?? throw Unknown(version);
            if (at.Graph(catalogue).FindWay(version, row.Record.Root) is var (manifest, way))
            {
                return new RestoreVersion(row.Record, manifest, way);
            }

            if (lentManifests.TryGetValue(version, out var lent) && lent.Root == row.Record.Root)
            {
                return new RestoreVersion(row.Record, lent, []);
            }

            // Packs that were exchanged for others meanwhile cannot be read any more; the others can.
            if (ReferenceEquals(at.Packs, state.Packs))
            {
                throw new UnreachableManifestException(row.Record, $"The manifest of {version} cannot be had: no pack that can be read leads to it.{catalogue.DescribeDamage()}{Reachable(at)}");
            }
        }
    }

    /// <summary>Path of a kept pack, for a peer that asks; null when there is none.</summary>
    public string? FindPack(VersionId from, VersionId to)
    {
        var name = PackCatalogue.FileName(from, to);
        var paths = state.Packs.Where(row => row.From == from && row.To == to && !catalogue.IsDamaged(row)).Select(catalogue.PathOf)
            .Append(Path.Combine(OutboxDirectory, name))
            .Append(Path.Combine(InboxDirectory, name));
        return paths.FirstOrDefault(File.Exists);
    }

    private ContentSources Sources()
    {
        var at = state;
        return new ContentSources(at.Head?.Id ?? default, at.HeadManifest, TreeOf(at), at.Packs);
    }

    private string Reachable(StoreState at)
    {
        var can = RestorableVersions.Find(at, catalogue, null);
        var ids = at.Versions.Select(row => row.Record.Id).Where(can.Contains).ToList();
        return ids.Count == 0
            ? " No version is restorable from this store: ask a peer."
            : $" Restorable from here: {string.Join(", ", ids.TakeLast(10))}{(ids.Count > 10 ? $" and {ids.Count - 10} older" : "")}.";
    }
}
