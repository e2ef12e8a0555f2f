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

    /// <exception cref="StoreException">Unknown version.</exception>
    public Manifest ManifestOf(VersionId version)
    {
        while (true)
        {
            var at = state;
            var row = at.Find(version) ?? throw Unknown(version);
            if (at.Graph(catalogue).Find(version, row.Record.Root) is { } manifest)
            {
                return manifest;
            }

            // Packs that were exchanged for others meanwhile cannot be read any more; the others can.
            if (ReferenceEquals(at.Packs, state.Packs))
            {
                throw new StoreException($"The manifest of {version} cannot be had: no pack that can be read leads to it.{catalogue.DescribeDamage()}{Reachable(at)}");
            }
        }
    }

    /// <summary>Materialises a version in a new or empty directory: built beside it, verified by hash and root, then renamed. Nothing is left behind on failure.</summary>
    /// <exception cref="StoreException">Not empty, unknown version, or no path of packs left: says which versions are still reachable.</exception>
    public Task RestoreAsync(VersionId version, string destination, IProgress<StoreProgress>? progress, CancellationToken cancellation) => Task.Run(
        async () =>
        {
            CheckDestination(destination);
            var manifest = ManifestOf(version);
            var record = state.Find(version)!.Record;
            await new Restorer(catalogue, Sources, outside).RunAsync(record, manifest, destination, () => Reachable(state), progress, cancellation);
        },
        cancellation);

    /// <summary>What a restore asks of its destination before it begins: absent or empty, in a directory that is there, and outside the store.</summary>
    /// <exception cref="StoreException">It is none of that.</exception>
    public void CheckDestination(string destination)
    {
        var whole = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
        if ((whole + "/").StartsWith(Directory + "/", StringComparison.Ordinal))
        {
            throw new StoreException($"The destination {whole} lies inside the store {Directory}, which is the store's own. Name a directory outside.");
        }

        Restorer.RefuseDestination(whole);
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
