using Mirror.Delta;
using Mirror.Primary.Capture.Databases;
using Mirror.Primary.Capture.Logs;
using Mirror.Primary.Capture.Twins;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Primary.Capture;

/// <param name="Version">The new version; null when nothing changed.</param>
/// <param name="Pack">Its forward pack, durable; null when nothing changed.</param>
/// <param name="StatKeys">What the next comparison goes by, and <paramref name="Signatures"/> of contents that were read.</param>
public sealed record CaptureResult(
    VersionRecord? Version, string? Pack, ManifestDelta Delta,
    IReadOnlyDictionary<EntryPath, StatKey> StatKeys, IReadOnlyDictionary<ContentHash, BlockSignature> Signatures,
    int FilesRead, IReadOnlyList<EntryPath> Unstable, TimeSpan Took)
{
    /// <summary>Files whose stat cannot be believed yet: a capture that looks at what was touched has to look at them too.</summary>
    public IReadOnlyList<EntryPath> Unsettled { get; init; } = [];

    /// <summary>Groups of names that this version brought, in one directory and alike but for case or Unicode form.</summary>
    public IReadOnlyList<IReadOnlyList<EntryPath>> Twins { get; init; } = [];

    /// <summary>For people: the first few of them.</summary>
    public string TwinsText => NameTwins.Text(Twins);

    /// <summary>Where other file systems are mounted below the root: no part of the version.</summary>
    public IReadOnlyList<EntryPath> MountPoints { get; init; } = [];

    /// <summary>The whole scan; null when databases or logs were laid over it, and when only what was touched was looked at.</summary>
    internal IReadOnlyList<ScannedEntry>? Scanned { get; init; }

    /// <summary>Entries touched (ctime) at this instant or later may have changed once more without a trace.</summary>
    internal long SettledBefore { get; init; }

    /// <summary>What the tree looked like, for <see cref="UnchangedTree"/>; null when something in it was still being written, and with databases.</summary>
    public SeenTree? See(string name) => Scanned is null ? null : SeenTree.From(Scanned, SeenStat, name);

    private StatKey? SeenStat(ScannedEntry found) => found.Entry.Type == EntryType.File
        ? StatKeys.TryGetValue(found.Entry.HardlinkOf ?? found.Entry.Path, out var read) ? read : null
        : found.Stat.CtimeNs < SettledBefore ? found.Stat : null;
}

/// <summary>What is to be captured, and under which name.</summary>
/// <param name="Tree">The live tree.</param>
/// <param name="Spool">Directory with the dumps made for this capture; null when the site has no databases.</param>
/// <param name="Epoch">Epoch of the new version.</param>
public sealed record CaptureRequest(
    string Tree, string? Spool, PathFilter Filter, string Origin, ulong Epoch, IReadOnlyList<string> Dumps, bool AllowMassDelete)
{
    /// <summary>What to look at; all else is taken to be as it was captured last.</summary>
    public TouchedPaths Touched { get; init; } = TouchedPaths.All;

    /// <summary>The site's append-only logs; null when it has none.</summary>
    public SiteLogs? Logs { get; init; }

    /// <summary>What is read instead of the tree; null: the tree.</summary>
    internal TreeSnapshot? Snapshot { get; init; }

    /// <summary>What was found out about the dumps when they were made; null: they are read.</summary>
    public DumpContents? Contents { get; init; }

    /// <summary>A version is made also when nothing has changed.</summary>
    public bool InAnyCase { get; init; }

    /// <summary>What stops it.</summary>
    public CaptureGuards Guards { get; init; } = CaptureGuards.Usual;
}

/// <summary>
/// Captures one version: compares the tree with the store's head and writes the forward pack in the same pass. Whoever calls decides what becomes of it:
/// a primary records it and pushes the pack; the embedded form stages the pack in the same store. Never two at once on one store.
/// </summary>
public static class SiteCapture
{
    /// <summary>Where files come and go all the time, some are always missed; the next capture has them.</summary>
    private const int mostLooks = 3;

    /// <param name="packDirectory">Where the pack is put, as <c>FROM-TO.pack</c>, by a rename after fsync.</param>
    /// <param name="begun">A walk of the request's tree under way; null: it is walked now.</param>
    /// <exception cref="CaptureException"/>
    public static async Task<CaptureResult> CaptureAsync(
        VersionStore store, CaptureRequest request, string packDirectory, TimeProvider time, CancellationToken cancellation, BegunScan? begun = null)
    {
        var began = time.GetTimestamp();
        var source = new CaptureSource(request.Tree, request.Spool, request.Filter, request.Logs, request.Epoch, request.Snapshot, request.Contents);
        request.Guards.RequireMounted(source.Tree, request.Filter);
        var head = store.Head;
        var scan = begun ?? Look(request.Touched);
        var id = NextId(head, request.Epoch);
        var bases = request.Spool is null ? null : new DumpBases(request.Spool);
        var known = new KnownTree(store.HeadManifest, store.StatKeys, store.FindSignature, hash => bases?.Open(hash), store.BlockKey);
        var header = new PackHeader(store.Site, head?.Id ?? default, head?.Root ?? default, id, Partial: false);
        var pending = Path.Combine(packDirectory, $"{id}.pack.tmp");
        try
        {
            TreeChanges changes;
            VersionRecord version;
            SourceScan scanned;
            for (var look = 1; ; look++)
            {
                scanned = await scan.FoundAsync();
                request.Guards.RequireMounted(source.Tree, request.Filter);
                await using var output = new FileStream(pending, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16);
                await using var writer = new PackWriter(new FileBeside(output), header);
                try
                {
                    changes = await TreeCapture.CompareAsync(source, scanned, known, writer, request.AllowMassDelete ? null : request.Guards, scan.At, cancellation);
                }
                catch (InvalidDataException) when (look < mostLooks)
                {
                    // What was found at one time and another makes no tree: the tree changed under the look.
                    scan = Look(TouchedPaths.All);
                    continue;
                }

                if (changes.Vanished.Count > 0 && look < mostLooks)
                {
                    // Perhaps it was renamed to where the walk had been already, and would be in this version under neither name.
                    scan = Look(request.Touched.WithBeside(changes.Vanished));
                    continue;
                }

                if (head is not null && changes.Delta.IsEmpty && !request.InAnyCase)
                {
                    File.Delete(pending);
                    return Result(null, null, changes, scanned);
                }

                version = VersionOf(store, head, id, scan.At, request, changes.Manifest);
                await writer.CompleteAsync(version, PackChanges.Between(known.Manifest, changes.Delta), cancellation);
                output.Flush(flushToDisk: true);
                break;
            }

            var pack = Path.Combine(packDirectory, PackName(header.From, id));
            PackFile.Publish(pending, pack);
            bases?.Keep(changes.Manifest, changes.StatKeys);
            return Result(version, pack, changes, scanned);
        }
        catch (InvalidDataException failure)
        {
            File.Delete(pending);
            throw new CaptureException($"The tree {request.Tree} changed so fast that nothing whole was seen of it ({failure.Message}). Nothing was recorded; the next capture looks again.", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            File.Delete(pending);
            throw new CaptureException(
                $"The capture of {request.Tree} failed: {failure.Message} Nothing was recorded; make the path readable to this process or exclude it, or see to the disk.", failure);
        }
        catch
        {
            File.Delete(pending);
            throw;
        }

        BegunScan Look(TouchedPaths touched) => head is null ? BegunScan.Of(source, time, cancellation) : BegunScan.Of(source, touched, store, time, cancellation);

        CaptureResult Result(VersionRecord? version, string? pack, TreeChanges changes, SourceScan scanned) => new(
            version, pack, changes.Delta, changes.StatKeys, changes.Signatures, changes.FilesRead, changes.Unstable, time.GetElapsedTime(began))
        {
            Unsettled = changes.Unsettled,
            Scanned = request is { Spool: null, Logs: null } && scanned.Replaced is null ? scanned.Entries : null,
            SettledBefore = TreeCapture.SettledBefore(scan.At),
            Twins = version is null ? [] : NameTwins.Brought(changes.Manifest, changes.Delta, known.Manifest),
            MountPoints = scanned.MountPoints,
        };
    }

    public static string PackName(VersionId from, VersionId to) => $"{from}-{to}.pack";

    private static VersionId NextId(VersionRecord? head, ulong epoch)
    {
        if (head is not null && head.Id.Epoch > epoch)
        {
            throw new CaptureException($"The store holds {head.Id}, which is of a later epoch than {epoch}: this node is no longer the primary, and captures nothing.");
        }

        return head is not null && head.Id.Epoch == epoch ? head.Id.Next : new VersionId(epoch, 1);
    }

    private static VersionRecord VersionOf(
        VersionStore store, VersionRecord? head, VersionId id, DateTimeOffset time, CaptureRequest request, Manifest manifest)
    {
        var record = new VersionRecord(
            store.Site, id, head?.Id ?? default, time, request.Origin, manifest.Root, manifest.Entries.Count, manifest.TotalBytes, request.Dumps, default);
        return record with { Chain = VersionRecord.ChainOf(head?.Chain ?? default, record) };
    }
}
