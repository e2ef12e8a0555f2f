using Microsoft.Extensions.Logging;
using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Primary.Capture.Logs;
using Mirror.Primary.Publish;
using Mirror.Store.Logs;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Tree;
using Mirror.Store.Versions;

namespace Mirror.Primary.Retire;

/// <summary>What a retired primary had that the new one never saw.</summary>
/// <param name="Branch">Name of the kept branch; none when nothing differs.</param>
public sealed record Retirement(VersionId Common, VersionId Branch, int Differing)
{
    public string Sentence => Branch.IsNone
        ? $"nothing diverged from {Common}"
        : $"{Differing} path(s) differ from {Common}; they are kept as the diverged branch {Branch}";
}

/// <summary>
/// A primary of an earlier epoch turns into a replica: what its live tree holds beyond the newest version it shares with the new primary is saved as a diverged
/// branch, then the tree is handed to the store as a slot. Its apps must have been stopped.
/// </summary>
public static partial class FormerPrimary
{
    /// <param name="ancestry">Versions the new primary knows, with their roots.</param>
    /// <exception cref="CaptureException">The tree cannot be read: nothing was given up.</exception>
    public static async Task<Retirement> RetireAsync(
        SiteConfig site, string node, VersionStore store, LiveTree live, string spool, IReadOnlyDictionary<VersionId, ContentHash> ancestry,
        TimeProvider time, ILogger logger, CancellationToken cancellation)
    {
        var dumps = new SiteDumps(site, live.Tree, live.Slot, spool, time);
        var filter = PathFilter.For(site);
        using var logs = SiteLogs.For(site, spool, time, logger);
        logs?.TakeFrom(live.Tree);
        var common = store.Versions
            .Select(kept => kept.Record)
            .Where(record => ancestry.TryGetValue(record.Id, out var root) && root == record.Root)
            .Select(record => record.Id)
            .DefaultIfEmpty()
            .Max();

        // The rest of what was written here becomes one last version of the old epoch, so that head and live tree are the same.
        if (store.Head is not null)
        {
            var last = await new CaptureHooks(site, live.Tree, CaptureHooks.MarkOf(spool), time).AroundAsync(async () =>
            {
                var contents = await dumps.RunAsync(store, cancellation);
                var request = new CaptureRequest(live.Tree, dumps.Spool, filter, node, store.Head.Id.Epoch, dumps.Labels, AllowMassDelete: true) { Guards = CaptureGuards.For(site.Files), Logs = logs, Contents = contents };
                return await SiteCapture.CaptureAsync(store, request, store.OutboxDirectory, time, cancellation);
            }, cancellation);
            if (last.Version is not null)
            {
                await store.RecordCaptureAsync(last.Version, last.Delta, last.StatKeys, last.Signatures, CancellationToken.None);
            }
        }

        var manifest = store.HeadManifest;
        var shared = common.IsNone ? Manifest.Empty : store.ManifestOf(common);
        var changes = Manifest.Diff(shared, manifest);
        var differing = changes.Put.Count(entry => !OnlyTimesOfDirectory(shared, entry)) + changes.Removed.Count;
        string? branch = null;
        if (differing > 0)
        {
            branch = Path.Combine(store.OutboxDirectory, $"diverged-{store.Head!.Id}.tmp");
            var header = new PackHeader(site.Name, common, shared.Root, store.Head.Id, Partial: false);
            try
            {
                await FillPack.WriteAsync(
                    branch, header, store.Head, manifest, changes, new CaptureSource(live.Tree, dumps.Spool, filter, logs),
                    hash => shared.FindContent(hash) is not null, store.BlockKey, cancellation);
            }
            catch (ContentMovedOnException moved)
            {
                throw new CaptureException($"{moved.Message} Somebody still writes to {live.Tree}, which is to be given up; nothing was lost. Stop that; it is tried again.", moved);
            }
        }

        LayOverlays(live.Tree, dumps.Spool, logs, manifest);
        var retirement = new Retirement(common, branch is null ? default : store.Head!.Id, differing);
        await store.EndCapturingAsync(site.Files.Root, common, manifest, branch, retirement.Sentence, cancellation);
        new DumpBases(spool).Forget();
        Log.Retired(logger, site.Name, retirement.Sentence);
        return retirement;
    }

    // As a slot, the tree holds its version's dumps and logs as files, not as overlays.
    private static void LayOverlays(string tree, string? spool, SiteLogs? logs, Manifest manifest)
    {
        if (spool is null && logs is null)
        {
            return;
        }

        using var writer = new TreeWriter(tree);
        if (manifest.Find(EntryPath.Parse(SlotDatabases.Reserved)) is { } reserved)
        {
            writer.Put(reserved);
        }

        if (spool is not null)
        {
            LayDumps(writer, new CaptureSource(tree, spool, PathFilter.Nothing), manifest);
        }

        if (manifest.Find(LogSegment.Directory) is not null)
        {
            logs?.LayInto(tree);
        }

        // Laying them moved the times of the directories above.
        writer.FinishDirectories(manifest.Entries.Where(entry => entry.Type == EntryType.Directory && (entry.Path.IsRoot || entry.Path.IsWithin(EntryPath.Parse(SlotDatabases.Reserved)))));
        writer.Sync();
    }

    private static void LayDumps(TreeWriter writer, CaptureSource source, Manifest manifest)
    {
        writer.Remove(EntryPath.Parse(SlotDatabases.Dumps));
        foreach (var entry in manifest.Entries.Where(entry => entry.Path.IsWithin(EntryPath.Parse(SlotDatabases.Dumps))))
        {
            if (entry.Type != EntryType.File)
            {
                writer.Put(entry);
                continue;
            }

            using var content = source.OpenRead(entry.Path);
            using var file = writer.BeginFile(entry);
            content.CopyTo(file.Content);
            file.Commit();
        }
    }

    // Opening a database beside them is enough to change the times of directories: that is no divergence worth a person's time.
    private static bool OnlyTimesOfDirectory(Manifest shared, Entry entry) =>
        entry.Type == EntryType.Directory && shared.Find(entry.Path) is { } before && before with { MtimeUnixNs = entry.MtimeUnixNs } == entry;

    private static partial class Log
    {
        [LoggerMessage(3030, LogLevel.Warning, "{Site}: this node is no longer the primary: {Outcome}")]
        public static partial void Retired(ILogger logger, string site, string outcome);
    }
}
