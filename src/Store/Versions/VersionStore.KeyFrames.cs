using Mirror.Delta;
using Mirror.Store.History;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Retention;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

// Key frames: packs from nothing, made of what is here. One in a while shortens the ways to old versions, and makes the history bear the loss of any pack before it.
public sealed partial class VersionStore
{
    /// <summary>Makes a key frame of a kept version from the head's tree and the packs. Each content is checked on the way.</summary>
    /// <returns>The key frame it has now; made before, if it had a sound one.</returns>
    /// <exception cref="StoreException">Unknown version, or a content of it is nowhere in this store.</exception>
    public Task<KeyFrameReport> MakeKeyFrameAsync(VersionId version, IProgress<StoreProgress>? progress, CancellationToken cancellation) => AloneOnHistoryAsync(
        () => KeyFrameAsync(version, progress, cancellation), cancellation);

    /// <summary>Makes a key frame of the newest version when the policy says that it is time.</summary>
    /// <param name="budget">Bytes the history may take, 0 for no limit: two key frames must fit, or none is made.</param>
    /// <returns>Null when none is due.</returns>
    public Task<KeyFrameReport?> MakeDueKeyFrameAsync(KeyFramePolicy policy, long budget, IProgress<StoreProgress>? progress, CancellationToken cancellation) => AloneOnHistoryAsync(
        async () => DueKeyFrame(policy, budget) is { } due ? await KeyFrameAsync(due, progress, cancellation) : null, cancellation);

    /// <summary>The newest version, when it is due for a key frame; else null.</summary>
    public VersionId? DueKeyFrame(KeyFramePolicy policy, long budget)
    {
        var at = state;
        if (at.Mode != StoreMode.Holding || at.Head is not { } head || at.Find(head.Id) is not { } newest || BranchNote.IsBranch(newest.Note))
        {
            return null;
        }

        var last = KeyFrames(at).LastOrDefault();
        var since = at.Versions.Where(row => last is null || row.Record.Id > last.To).ToList();
        if (since.Count == 0)
        {
            return null;
        }

        var from = last is null ? since[0].Received : at.Find(last.To)!.Received;
        var due = (policy.Every > 0 && since.Count >= policy.Every) || (policy.Within > TimeSpan.Zero && newest.Received - from >= policy.Within);

        // What it will take is not known before it is made; the last one tells best, and the tree itself is the most it can be.
        var size = last?.Bytes ?? at.HeadManifest.TotalBytes;
        return due && (budget == 0 || size <= budget / 2) && FreeBytes() > at.HeadManifest.TotalBytes ? head.Id : null;
    }

    private long FreeBytes() => new DriveInfo(Directory).AvailableFreeSpace;

    private async Task<KeyFrameReport> KeyFrameAsync(VersionId version, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        for (var plans = 0; plans < MostPlans; plans++)
        {
            var planned = state;
            var record = planned.Find(version)?.Record ?? throw Unknown(version);
            if (planned.Packs.FirstOrDefault(row => row.From.IsNone && row.To == version) is { } known && IsSound(planned, known, cancellation))
            {
                return new KeyFrameReport(version, known.Bytes);
            }

            var manifest = ManifestOf(version);
            var pack = await WritePendingAsync("key frame: write pack", default, version, output => WriteKeyFrameAsync(record, manifest, output, progress, cancellation));

            // One that is damaged has the same name: the new one takes its place.
            var damaged = planned.Packs.Where(row => row.From.IsNone && row.To == version).ToList();
            if (await ExchangeAsync("key frame", planned, new HashSet<VersionId>(), damaged, [pack], cancellation))
            {
                return new KeyFrameReport(version, pack.Row.Bytes);
            }
        }

        throw new StoreException($"The store {Directory} changed so often that no key frame of {version} could be made. Nothing was lost; try again.");
    }

    private bool IsSound(StoreState at, PackRow row, CancellationToken cancellation)
    {
        if (FaultOf(at, row, cancellation) is not { } fault)
        {
            return true;
        }

        catalogue.Report(row, fault);
        return false;
    }

    private async Task WriteKeyFrameAsync(VersionRecord record, Manifest manifest, Stream output, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        using var reader = new ContentReader(new ContentPlan(catalogue, Sources), ThinningDirectory);
        await using var writer = new PackWriter(output, new PackHeader(Site, default, default, record.Id, Partial: false));
        var done = 0L;
        foreach (var entry in manifest.Entries.Where(entry => entry is { Type: EntryType.File, HardlinkOf: null }))
        {
            cancellation.ThrowIfCancellationRequested();
            if (!writer.Contains(entry.Hash) && !await TryWriteFromTreeAsync(writer, entry, cancellation))
            {
                await WriteFromHistoryAsync(writer, reader, record.Id, entry, cancellation);
            }

            progress?.Report(new StoreProgress($"key frame of {record.Id}", done += entry.Size, manifest.TotalBytes));
        }

        await writer.CompleteAsync(record, Manifest.Diff(Manifest.Empty, manifest), cancellation);
    }

    /// <summary>Straight from the head's tree, read once. What is not what the manifest says there is looked for elsewhere.</summary>
    private async Task<bool> TryWriteFromTreeAsync(PackWriter writer, Entry entry, CancellationToken cancellation)
    {
        var at = state;
        if (entry.Size > 0 && (TreeOf(at) is null || at.HeadManifest.FindContent(entry.Hash) is null))
        {
            return false;
        }

        await using var blob = writer.BeginBlob();
        await using var content = entry.Size == 0 ? Stream.Null : TryOpen(TreeOf(at)!, at.HeadManifest.FindContent(entry.Hash)!.Path);
        if (content is null || await FileDelta.EncodeAsync(content, null, BlockKey, blob.Delta, cancellation) is var digest && (digest.Length != entry.Size || ContentHash.From(digest.Hash) != entry.Hash))
        {
            return false;
        }

        await blob.CompleteAsync(entry.Hash, default, entry.Size);
        return true;
    }

    private static FileStream? TryOpen(string tree, EntryPath path)
    {
        try
        {
            return TreeScanner.OpenRead(tree, path);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            // A stage moved the tree on, or somebody took the file away: the packs may have the content.
            return null;
        }
    }

    private async Task WriteFromHistoryAsync(PackWriter writer, ContentReader reader, VersionId version, Entry entry, CancellationToken cancellation)
    {
        await using var content = new FileStream(
            Path.Combine(ThinningDirectory, "content"), FileMode.Create, FileAccess.ReadWrite, FileShare.None, 64 * 1024, FileOptions.DeleteOnClose);
        if (!await reader.TryWriteAsync(entry.Hash, entry.Size, content, cancellation))
        {
            throw new StoreException(
                $"No key frame of {version} can be made: the content of \"{entry.Path}\" ({entry.Hash}) is nowhere in this store.{catalogue.DescribeDamage()} Make one on a node that has the version.");
        }

        content.Position = 0;
        await using var blob = writer.BeginBlob();
        await FileDelta.EncodeAsync(content, null, BlockKey, blob.Delta, cancellation);
        await blob.CompleteAsync(entry.Hash, default, entry.Size);
    }
}
