using Microsoft.Extensions.Logging;
using Mirror.Node.Configuration;
using Mirror.Store.Retention;
using Mirror.Store.Versions;

namespace Mirror.Cli.Hosting;

/// <summary>
/// Thins one site's history on this node, by this node's own configuration and clock, whatever its role: a primary can add versions to a replica and has no say in which it keeps.
/// Runs beside the role; only the exchange of packs at the end takes the store's turn. What a person gave up is dropped also where all versions are kept.
/// </summary>
internal sealed partial class SiteRetention(SiteConfig site, VersionStore store, TimeProvider time, ILogger logger)
{
    /// <summary>So many of the newest versions stay in any case: by them nodes that part and meet again find what they have in common.</summary>
    public const int Recent = 32;

    private const double Jitter = 0.1;
    private static readonly TimeSpan usually = TimeSpan.FromHours(1);

    public async Task RunAsync(CancellationToken stopping)
    {
        var every = site.Retention?.Every ?? usually;

        // Not every node at the same moment, and not at once after a start: others have more urgent things to do then.
        var pause = every * (Jitter * Random.Shared.NextDouble());
        try
        {
            while (true)
            {
                await Task.Delay(pause, time, stopping);
                await RunOnceAsync(site.Retention, stopping);
                pause = every * (1 + (Jitter * (Random.Shared.NextDouble() - 0.5)));
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node is stopping; what was not exchanged was only made.
        }
    }

    /// <summary>Null when the site's versions are all kept.</summary>
    public static RetentionPolicy? PolicyOf(SiteConfig site) => site.Retention is not { Drops: true } rules ? null : new RetentionPolicy
    {
        KeepLast = rules.KeepLast,
        KeepWithin = rules.KeepWithin,
        KeepHourly = rules.KeepHourly,
        KeepDaily = rules.KeepDaily,
        KeepWeekly = rules.KeepWeekly,
        KeepMonthly = rules.KeepMonthly,
        KeepYearly = rules.KeepYearly,
        Budget = rules.Budget,
    };

    public async Task RunOnceAsync(RetentionConfig? retention, CancellationToken stopping)
    {
        try
        {
            if (await store.SweepAsync(stopping) is var gone and > 0)
            {
                Log.Swept(logger, site.Name, gone);
            }

            if (retention is null)
            {
                return;
            }

            if (await store.MakeDueKeyFrameAsync(new KeyFramePolicy(retention.KeyFrameEvery, retention.KeyFrameWithin), retention.Budget, null, stopping) is { } frame)
            {
                Log.KeyFrame(logger, site.Name, frame.Version.ToString(), frame.Bytes);
            }

            if (PolicyOf(site) is { } policy && store.Head is not null)
            {
                var report = await store.ApplyRetentionAsync(policy, Recent, dryRun: false, null, stopping);
                if (report.Dropped > 0)
                {
                    Log.Thinned(logger, site.Name, report.Dropped, report.Lines.Count - report.Dropped, report.BytesBefore, report.BytesAfter);
                }

                foreach (var notice in report.Notices)
                {
                    Log.Notice(logger, site.Name, notice);
                }
            }
        }
        catch (Exception failure) when (failure is StoreException or IOException or UnauthorizedAccessException)
        {
            // A full disk, a damaged pack: nothing was lost, and the next time may do better.
            Log.Failed(logger, site.Name, failure.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(7060, LogLevel.Information, "{Site}: {Dropped} version(s) dropped by the retention policy, {Kept} kept; the history had {Before} bytes and has {After}")]
        public static partial void Thinned(ILogger logger, string site, int dropped, int kept, long before, long after);

        [LoggerMessage(7064, LogLevel.Information, "{Site}: {Gone} version(s) of diverged branches that were given up are gone")]
        public static partial void Swept(ILogger logger, string site, int gone);

        [LoggerMessage(7061, LogLevel.Information, "{Site}: {Version} has a key frame now, of {Bytes} bytes")]
        public static partial void KeyFrame(ILogger logger, string site, string version, long bytes);

        [LoggerMessage(7062, LogLevel.Warning, "{Site}: {Notice}")]
        public static partial void Notice(ILogger logger, string site, string notice);

        [LoggerMessage(7063, LogLevel.Error, "{Site}: the history could not be thinned, and nothing of it was lost: {Reason} It is tried again")]
        public static partial void Failed(ILogger logger, string site, string reason);
    }
}
