using Mirror.Node.Processes;
using Mirror.Primary.Capture;
using Mirror.Primary.Capture.Databases;
using Mirror.Primary.Publish;
using Mirror.Primary.Watch;
using Mirror.Store.Versions;

namespace Mirror.Primary;

// One capture: dumps, then the tree, then the record of it, then the pack for whoever follows.
public sealed partial class PrimaryRole
{
    private async Task<CaptureOutcome> Noted_NeedsTurn(Func<TouchClaim> claiming, bool allowMassDelete, CancellationToken cancellation)
    {
        // Before the first look at the tree: who calls from here on may have written what this capture does not see.
        var number = Interlocked.Increment(ref begun);
        var claim = claiming();
        var began = time.GetTimestamp();
        var at = time.GetUtcNow();
        underWay = true;
        try
        {
            var (made, changed) = await Capture_NeedsTurn(claim, allowMassDelete, cancellation);
            var newest = made ?? store.Head ?? throw new CaptureException($"The site {site.Name} has no version yet.");
            var outcome = new CaptureOutcome(newest, made, time.GetElapsedTime(began), claim.Touched.Everything);
            served = claim.IsWhole ? (number, outcome) : served;
            servedFully = claim.Touched.Everything ? (number, outcome) : servedFully;

            if (claim.IsWhole)
            {
                exposure.Captured(newest.Id, at, made is null ? null : outbox.LengthOf(newest.Id));
            }

            last = new LastCapture(time.GetUtcNow(), outcome.Took, made?.Id, null);
            HeapTrim.After(outcome.Everything ? store.HeadManifest.Entries.Count : changed);
            return outcome;
        }
        catch (Exception failure)
        {
            claim.GiveBack();
            last = failure is OperationCanceledException ? last : new LastCapture(time.GetUtcNow(), time.GetElapsedTime(began), null, failure.Message);
            throw;
        }
        finally
        {
            underWay = false;
        }
    }

    private async Task<(VersionRecord? Made, int Changed)> Capture_NeedsTurn(TouchClaim claim, bool allowMassDelete, CancellationToken cancellation)
    {
        // A row speaks of a file that was written before it: so the tree is looked at, or its snapshot made, when the dumps are there.
        var since = time.GetUtcNow();
        DumpContents? contents = null;
        if (site.Files.ReadFrom is not null)
        {
            contents = await DumpAsync(claim, cancellation);
            since = time.GetUtcNow();
        }

        var captured = await hooks.AroundAsync(async () =>
        {
            contents ??= await DumpAsync(claim, cancellation);
            var request = new CaptureRequest(live.Tree, dumps.Spool, filter, node, Epoch, dumps.Labels, allowMassDelete)
            {
                Guards = CaptureGuards.For(site.Files),
                Touched = claim.Touched.With(unsettled),
                Logs = logs,
                InAnyCase = LacksOwnVersion,
                Contents = contents,
                Snapshot = site.Files.ReadFrom is { } place ? TreeSnapshot.Open(place, live.Tree, since) : null,
            };
            return await GentlyAsync(() => SiteCapture.CaptureAsync(store, request, store.OutboxDirectory, time, cancellation));
        }, cancellation, claim);
        foreach (var mount in captured.MountPoints.Where(mountsSaid.Add))
        {
            Log.OtherFileSystem(logger, site.Name, mount.ToString());
        }

        if (captured.Version is not { } version)
        {
            if (captured.FilesRead > 0)
            {
                // Touched, read, and as before: once is enough.
                await store.NoteUnchangedAsync(captured.StatKeys, captured.Signatures, CancellationToken.None);
            }

            unsettled = captured.Unsettled;
            MarkLogs();
            return (null, 0);
        }

        var from = (Id: version.Parent, Root: store.Head?.Root ?? default);
        await store.RecordCaptureAsync(version, captured.Delta, captured.StatKeys, captured.Signatures, CancellationToken.None);
        unsettled = captured.Unsettled;
        var pack = new OutboxPack(from.Id, from.Root, version.Id, version.Root, captured.Pack!, new FileInfo(captured.Pack!).Length);
        outbox.Add(pack);
        published = version;
        Log.Captured(logger, site.Name, version.Id.ToString(), captured.Delta.Put.Count, captured.Delta.Removed.Count, pack.Length, captured.Took.TotalMilliseconds);
        foreach (var path in captured.Unstable)
        {
            Log.Unstable(logger, site.Name, path.ToString());
        }

        if (captured.Twins.Count > 0)
        {
            Log.Twins(logger, site.Name, captured.Twins.Count, captured.TwinsText);
        }

        MarkLogs();
        SignalChange();
        return (version, captured.Delta.Put.Count);
    }

    // As the site is to be captured: on threads that take what others leave, or on those of everybody.
    private Task<T> GentlyAsync<T>(Func<Task<T>> work) => gentle?.RunAsync(work) ?? work();

    private async Task<DumpContents> DumpAsync(TouchClaim claim, CancellationToken cancellation)
    {
        var contents = await dumps.RunAsync(store, cancellation);
        if (dumps.Spool is not null)
        {
            // What was written before a row of which a dump speaks is in the same version, also when it was written while the dumps were made.
            claim.TakeMore();
        }

        return contents;
    }
}
