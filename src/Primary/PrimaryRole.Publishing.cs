using Mirror.Leadership.Core;
using Mirror.Primary.Capture;
using Mirror.Primary.Publish;
using Mirror.Primary.Sweep;
using Mirror.Primary.Watch;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Primary;

// What those who follow take: the next pack, word that there is one, and everything at once for who can't go on from what he has.
public sealed partial class PrimaryRole
{
    private const int MostFillAttempts = 8;

    /// <summary>The next pack after a version, waiting for one; null when the chain does not pass there, and a fill is needed.</summary>
    /// <param name="version">What the replica has; none for an empty one.</param>
    /// <param name="root">Its root: the same name with another root is a divergence.</param>
    public OutboxPack? TryNext(VersionId version, ContentHash root, out bool upToDate)
    {
        var head = published;
        upToDate = head is not null && head.Id == version && head.Root == root;
        if (upToDate)
        {
            return null;
        }

        return outbox.After(version) is { } pack && pack.FromRoot == root ? pack : null;
    }

    /// <summary>Completes when a version newer than <paramref name="seen"/> is there.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the role was left.</exception>
    public Task NewerThanAsync(VersionId seen, CancellationToken cancellation) =>
        UntilAsync(() => published is { } head && head.Id > seen, cancellation);

    /// <summary>Completes when a version newer than <paramref name="seen"/> is there, when what a sweep found is no longer <paramref name="rotten"/>, or when more is consistent.</summary>
    /// <exception cref="OperationCanceledException">Cancelled, or the role was left.</exception>
    public Task NewsAsync(VersionId seen, IReadOnlyList<SweepFinding> rotten, Position consistent, CancellationToken cancellation) =>
        UntilAsync(() => (published is { } head && head.Id > seen) || sweep.Findings != rotten || Consistent > consistent, cancellation);

    /// <summary>Captures, then writes one pack from nothing to the new head with every content the receiver lacks. The caller deletes the file.</summary>
    /// <exception cref="CaptureException">The site changes faster than it can be read.</exception>
    public async Task<string> WriteFillAsync(IReadOnlySet<ContentHash> receiverHas, CancellationToken cancellation)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellation, leaving);
        var path = Path.Combine(store.OutboxDirectory, $"fill-{Guid.NewGuid():N}.tmp");
        await capturing.WaitAsync(linked.Token);
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                await Noted_NeedsTurn(() => TouchClaim.OfEverything(touches), false, linked.Token);
                var head = store.Head!;
                try
                {
                    var manifest = store.HeadManifest;
                    await GentlyAsync(async () =>
                    {
                        await FillPack.WriteAsync(
                            path, new PackHeader(site.Name, default, default, head.Id, Partial: true), head, manifest, new ManifestDelta(manifest.Entries, []),
                            new CaptureSource(live.Tree, dumps.Spool, filter, logs), receiverHas.Contains, store.BlockKey, linked.Token);
                        return true;
                    });
                    return path;
                }
                catch (ContentMovedOnException moved) when (attempt < MostFillAttempts)
                {
                    Log.FillRepeated(logger, site.Name, moved.Message);
                }
                catch (ContentMovedOnException moved)
                {
                    throw new CaptureException($"The site {site.Name} changes faster than it can be read ({moved.Message}). The replica tries again.", moved);
                }
            }
        }
        catch
        {
            File.Delete(path);
            throw;
        }
        finally
        {
            capturing.Release();
        }
    }

    // The next change is taken hold of before the condition is looked at, so that none slips between.
    private async Task UntilAsync(Func<bool> reached, CancellationToken cancellation)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, leaving);
        while (true)
        {
            var next = Volatile.Read(ref changed);
            if (reached())
            {
                return;
            }

            await next.Task.WaitAsync(either.Token);
        }
    }

    private void SignalChange() =>
        Interlocked.Exchange(ref changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
}
