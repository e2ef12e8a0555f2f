using System.Collections.Concurrent;
using Mirror.Delta;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;

namespace Mirror.Store.Versions;

/// <summary>The version is known, and no pack that can be read leads to its manifest.</summary>
internal sealed class UnreachableManifestException(VersionRecord version, string message) : StoreException(message)
{
    public VersionRecord Version => version;
}

// Lending contents to peers, and borrowing what this store lacks. What is borrowed is used and not kept.
public sealed partial class VersionStore
{
    /// <summary>Manifests are large: a few are remembered, for a diff and what is looked at after it.</summary>
    private const int MostLentManifests = 4;

    private readonly ConcurrentDictionary<VersionId, Manifest> lentManifests = new();
    private readonly WeakReference<ContentPlan?> lending = new(null);
    private volatile IContentPeers? peers;

    /// <summary>From now on these are asked for what restoring and reading lack here.</summary>
    public void BorrowFrom(IContentPeers lenders) => peers = lenders;

    /// <summary>Reads old versions, and borrows the manifests it turns out to lack.</summary>
    /// <exception cref="StoreException"/>
    public async Task<T> ReadAsync<T>(Func<VersionStore, T> read, CancellationToken cancellation)
    {
        var borrowed = new HashSet<VersionId>();
        while (true)
        {
            try
            {
                return read(this);
            }
            catch (UnreachableManifestException lacking)
            {
                if (peers is null || !borrowed.Add(lacking.Version.Id))
                {
                    throw new StoreException(lacking.Message, lacking);
                }

                if (await BorrowManifestAsync(lacking.Version, cancellation) is { } reason)
                {
                    throw new StoreException($"{lacking.Message} No other node lent it.{reason}", lacking);
                }
            }
        }
    }

    /// <summary>Which of these contents this store has, as far as is known without reading them. Peers are not asked.</summary>
    public Task<IReadOnlySet<ContentHash>> FindContentsAsync(IReadOnlyCollection<ContentHash> wanted, CancellationToken cancellation) => Task.Run<IReadOnlySet<ContentHash>>(
        () =>
        {
            var plan = Lending();
            return wanted.Where(plan.Has).ToHashSet();
        },
        cancellation);

    /// <summary>Writes a pack from nothing with those of the contents that this store has, each whole and checked. Peers are not asked.</summary>
    /// <param name="manifestOf">The version the pack leads to, with its manifest; none: the head, without one.</param>
    /// <returns>How many contents there are in it.</returns>
    /// <exception cref="StoreException">Nothing is held, or the version's manifest cannot be had.</exception>
    public Task<int> LendAsync(VersionId manifestOf, IReadOnlyCollection<ContentHash> wanted, Stream output, CancellationToken cancellation) => Task.Run(
        async () =>
        {
            var (record, changes) = manifestOf.IsNone
                ? (state.Head ?? throw NothingHeld(), new ManifestDelta([], []))
                : Lookup(manifestOf) is var found ? (found.Record, Manifest.Diff(Manifest.Empty, found.Manifest)) : default;
            var scratch = System.IO.Directory.CreateTempSubdirectory("mirror-").FullName;
            try
            {
                var plan = Lending();
                using var reader = new ContentReader(plan, Path.Combine(scratch, "deltas"));
                await using var writer = new PackWriter(output, new PackHeader(Site, default, default, record.Id, Partial: true));
                var lent = 0;
                foreach (var hash in wanted)
                {
                    cancellation.ThrowIfCancellationRequested();
                    if (!writer.Contains(hash) && plan.Find(hash) is { } way)
                    {
                        lent += await TryLendAsync(writer, reader, hash, way.Size, Path.Combine(scratch, "content"), cancellation) ? 1 : 0;
                    }
                }

                await writer.CompleteAsync(record, changes, cancellation);
                return lent;
            }
            finally
            {
                System.IO.Directory.Delete(scratch, recursive: true);
            }
        },
        cancellation);

    private async Task<bool> TryLendAsync(PackWriter writer, ContentReader reader, ContentHash hash, long size, string path, CancellationToken cancellation)
    {
        const long InMemory = 1 << 20;
        await using Stream content = size <= InMemory
            ? new MemoryStream()
            : new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 0, FileOptions.DeleteOnClose);
        if (!await reader.TryWriteAsync(hash, size, content, cancellation))
        {
            return false;
        }

        content.Position = 0;
        await using var blob = writer.BeginBlob();
        await FileDelta.EncodeAsync(content, null, BlockKey, blob.Delta, cancellation);
        await blob.CompleteAsync(hash, default, size);
        return true;
    }

    // A plan is made from the indexes of all packs: who asks for many contents asks several times.
    private ContentPlan Lending()
    {
        if (!lending.TryGetTarget(out var plan))
        {
            lending.SetTarget(plan = new ContentPlan(catalogue, Sources));
        }

        return plan;
    }

    private PeerContents? NewLenders() => peers is { } lenders ? new PeerContents(lenders, Site) : null;

    private Task<RestoreVersion> LookupAsync(VersionId version, CancellationToken cancellation) => ReadAsync(store => store.Lookup(version), cancellation);

    /// <summary>Null when it was lent; else why not, as far as there is more to say than that nobody has it.</summary>
    private async Task<string?> BorrowManifestAsync(VersionRecord version, CancellationToken cancellation)
    {
        var scratch = System.IO.Directory.CreateTempSubdirectory("mirror-").FullName;
        try
        {
            using var lenders = NewLenders();
            lenders!.Scratch = scratch;
            if (await lenders.FindManifestAsync(version, cancellation) is not { } manifest)
            {
                return lenders.DescribeLost();
            }

            if (lentManifests.Count >= MostLentManifests)
            {
                lentManifests.Clear();
            }

            lentManifests[version.Id] = manifest;
            return null;
        }
        finally
        {
            System.IO.Directory.Delete(scratch, recursive: true);
        }
    }
}
