using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Core;
using Mirror.Cli.Commands;
using Mirror.Cli.Output;
using Mirror.Node.Wire;

namespace Mirror.Cli.Demo;

/// <summary>
/// The disaster, played from beginning to end: users at work, the primary's machine melts, a replica takes over, the old primary comes back as a replica, is promoted
/// again as planned, and an old version is brought back. What is claimed in the end was compared, not assumed.
/// </summary>
internal sealed class DemoStory(LocalCluster cluster, string? mirrored, Shown shown)
{
    private static readonly TimeSpan atWork = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan afterwards = TimeSpan.FromSeconds(3);

    /// <summary>How long a busy machine may take for a step that takes seconds on a quiet one.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(90);

    private readonly TimeProvider time = TimeProvider.System;
    private readonly List<string> faults = [];

    private string First => DemoSetup.Nodes[0];

    public async Task<DemoReport> PlayAsync(CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        Say($"Starting three nodes, a proxy and the wiki in {cluster.Directory}");
        cluster.StartAll();
        await cluster.UntilAsync(First, "the cluster did not come up", IsSettled, patience, cancellation);
        Say($"Up after {time.GetElapsedTime(began).TotalSeconds:F1} s. The wiki is at {DemoSetup.SiteOf(cluster)}, its read-only mirror at {DemoSetup.MirrorOf(cluster)}");

        var files = mirrored is null ? null : await CheckMirroredAsync(cancellation);

        await using var load = new DemoLoad(DemoSetup.SiteOf(cluster));
        Say("Readers and writers are at work");
        await Task.Delay(atWork, time, cancellation);
        var (early, earlyHashes) = await RememberVersionAsync(cancellation);

        // The machine melts. What was reported as consistent just before is what must never be lost.
        var before = await StateAsync(First, cancellation);
        var consistent = before.Consistent;
        var consistentTime = await TimeOfAsync(First, consistent, cancellation);
        var oldEpoch = before.Epoch;
        Say($"kill -9 of {First}: its node, its guard and its apps. Consistent at this moment: {VersionText.Name(consistent)}");
        await cluster.MeltAsync(First, before.Holdings.First(holding => holding.Node == First).ProcessIds, cancellation);
        var after = await cluster.UntilAsync(
            DemoSetup.Proxy, "no replica took over", status => IsServed(status, DemoSetup.Wiki, oldEpoch), patience, cancellation);
        var heir = SiteOf(after, DemoSetup.Wiki).Primary;
        Say($"{heir} took over in epoch {SiteOf(after, DemoSetup.Wiki).Epoch}");
        await Task.Delay(afterwards, time, cancellation);

        // The old primary comes back, by itself, as a replica.
        cluster.Start(First);
        var returned = await cluster.UntilAsync(
            heir, $"{First} did not come back as a replica", status => IsSettled(status) && Sees(status, First), patience, cancellation);
        var sentence = SiteOf(returned, DemoSetup.Wiki).Holdings.First(holding => holding.Node == First).Sentence;
        Say($"{First} is back as a replica ({sentence})");

        // And is promoted again, this time as planned.
        var epoch = SiteOf(returned, DemoSetup.Wiki).Epoch;
        await PromoteAsync(heir, First, cancellation);
        await cluster.UntilAsync(DemoSetup.Proxy, $"{First} did not become primary again", status => IsServed(status, DemoSetup.Wiki, epoch), patience, cancellation);
        await Task.Delay(afterwards, time, cancellation);
        await load.StopAsync();
        var last = await cluster.UntilAsync(DemoSetup.Proxy, "the cluster did not settle", IsSettled, patience, cancellation);

        // What was acknowledged, and what is there.
        var present = await ReadPagesAsync(load.Pages, cancellation);
        var lost = load.Acknowledged.Where(line => !present.Contains(line.Line)).ToList();
        var keeper = DemoSetup.Nodes.First(node => node != First && node != heir);

        // Two proofs: what was acknowledged before the consistent version's capture began, and what an independent replica kept of it in its files.
        var kept = await NewestKeptAsync(keeper, consistent, cancellation);
        var lostConsistent = (await LinesOfAsync(keeper, kept.Id, load.Pages, cancellation)).Except(present).ToHashSet();
        lostConsistent.UnionWith(lost.Where(line => line.At < consistentTime).Select(line => line.Line));
        if (lost.Count > 0)
        {
            Say($"{lost.Count} acknowledged write(s) had not reached a replica when {First} died");
        }

        var restored = await RestoreAsync(keeper, early, earlyHashes, cancellation);
        Say($"{VersionText.Name(early.Id)} of {VersionText.TimeOf(early).UtcDateTime:HH:mm:ss} restored from {keeper}'s history and compared: {(restored ? "identical" : "DIFFERENT")}");

        var versions = 0;
        foreach (var site in cluster.Config.Sites.Keys)
        {
            versions += (await cluster.ControlOf(First).GetVersionsAsync(new VersionsRequest { Site = site }, deadline: Deadlines.Soon(), cancellationToken: cancellation)).Versions.Count;
        }

        Expect(load.FailedReads == 0, $"{load.FailedReads} read(s) failed: {string.Join("; ", load.Failures.Where(failure => failure.StartsWith("GET", StringComparison.Ordinal)).Take(3))}");
        Expect(lostConsistent.Count == 0, $"{lostConsistent.Count} write(s) of a consistent version are lost, the first: {lostConsistent.FirstOrDefault()}");
        Expect(restored, "the restored version differs from what it was");
        Expect(load.GapAfter(oldEpoch) is not null, "no answer after the failover was seen");
        Expect(load.GapAfter(epoch) is not null, "no answer after the switchover was seen");
        Expect(load.Acknowledged.Count > 0, "no write was acknowledged");
        return new DemoReport
        {
            Ok = faults.Count == 0,
            Versions = versions,
            Requests = load.Requests,
            FailedRequests = load.FailedReads,
            InterruptedWrites = load.FailedWrites,
            FailoverMs = load.GapAfter(oldEpoch),
            SwitchoverMs = load.GapAfter(epoch),
            AcknowledgedWrites = load.Acknowledged.Count,
            LostWrites = lost.Count,
            LostConsistentWrites = lostConsistent.Count,
            RestoreOk = restored,
            RestoredVersion = VersionText.Name(early.Id),
            ConsistentVersionAtKill = VersionText.Name(consistent),
            Epoch = SiteOf(last, DemoSetup.Wiki).Epoch,
            Site = files,
            TookSeconds = time.GetElapsedTime(began).TotalSeconds,
            Faults = faults,
        };
    }

    // Every site has a primary, every node of it knows its epoch and is warm at a version of the newest one's epoch (an unchanged site has none of its own yet).
    public static bool IsSettled(ClusterStatus status) => status.Sites.All(site =>
        site.Primary.Length > 0
        && site.Holdings.Count == DemoSetup.Nodes.Count
        && site.Holdings.Count(holding => holding.Role == "primary") == 1
        && site.Holdings.All(holding => holding.Role is "primary" or "replica" && holding.Epoch == site.Epoch
            && holding.Warm.Epoch > 0 && holding.Warm.Epoch == site.Newest.Epoch
            && (site.Site != DemoSetup.Wiki || holding.AppAddress.Length > 0)));

    private static bool Sees(ClusterStatus status, string node) => status.Sites.All(site => site.Holdings.Any(holding => holding.Node == node && holding.Reachable));

    private static bool IsServed(ClusterStatus status, string name, ulong after) =>
        SiteOf(status, name) is { Primary.Length: > 0 } site && site.Epoch > after && site.Holdings.Any(holding => holding.Node == site.Primary && holding.Role == "primary");

    private static SiteState SiteOf(ClusterStatus status, string name) => status.Sites.First(site => site.Site == name);

    private async Task<SiteState> StateAsync(string member, CancellationToken cancellation) =>
        SiteOf(await cluster.ControlOf(member).GetStatusAsync(new StatusRequest(), deadline: Deadlines.Soon(), cancellationToken: cancellation), DemoSetup.Wiki);

    private async Task<DateTimeOffset> TimeOfAsync(string node, VersionPosition version, CancellationToken cancellation)
    {
        var reply = await cluster.ControlOf(node).GetVersionsAsync(new VersionsRequest { Site = DemoSetup.Wiki }, deadline: Deadlines.Soon(), cancellationToken: cancellation);
        return VersionText.TimeOf(reply.Versions.First(found => found.Id.Equals(version)));
    }

    // A replica may be one version behind what is consistent, or have skipped one: what counts is what it can bring back.
    private async Task<VersionSummary> NewestKeptAsync(string node, VersionPosition limit, CancellationToken cancellation)
    {
        var reply = await cluster.ControlOf(node).GetVersionsAsync(new VersionsRequest { Site = DemoSetup.Wiki }, deadline: Deadlines.Soon(), cancellationToken: cancellation);
        return reply.Versions.LastOrDefault(version => version.Restorable && Asking.ToId(version.Id) <= Asking.ToId(limit))
            ?? throw new CommandException($"{node} can restore no version up to {VersionText.Name(limit)}.");
    }

    // A version with some pages in it, and the SHA-256 of each, noted long before it is restored.
    private async Task<(VersionSummary Version, Dictionary<string, string> Hashes)> RememberVersionAsync(CancellationToken cancellation)
    {
        var keeper = DemoSetup.Nodes[2];
        var chosen = await NewestKeptAsync(keeper, (await StateAsync(keeper, cancellation)).Consistent, cancellation);
        using var call = cluster.ControlOf(keeper).ShowVersion(new ShowRequest { Site = DemoSetup.Wiki, Version = chosen.Id }, cancellationToken: cancellation);
        VersionSummary? version = null;
        var hashes = new Dictionary<string, string>();
        await foreach (var reply in call.ResponseStream.ReadAllAsync(cancellation))
        {
            version ??= reply.Version;
            if (reply.Entry is { Sha256.IsEmpty: false } entry)
            {
                hashes[entry.Path.ToStringUtf8()] = Convert.ToHexStringLower(entry.Sha256.Span);
            }
        }

        return (version!, hashes);
    }

    private async Task<bool> RestoreAsync(string node, VersionSummary version, Dictionary<string, string> hashes, CancellationToken cancellation)
    {
        var target = Path.Combine(cluster.Directory, $"restored-{VersionText.Name(version.Id)}");
        await RestoreAsync(node, DemoSetup.Wiki, version.Id, target, cancellation);
        return hashes.Count > 0 && DemoFiles.Differences(target, hashes) == 0;
    }

    private async Task RestoreAsync(string node, string site, VersionPosition version, string target, CancellationToken cancellation)
    {
        var request = new RestoreRequest { Site = site, Version = version, Destination = target };
        using var call = cluster.ControlOf(node).Restore(request, cancellationToken: cancellation);
        await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
        {
            shown.Progress($"{progress.Step} {progress.Done}/{progress.Total}");
        }

        shown.EndProgress();
    }

    // Lines on the wiki's pages as they were in a version, read from its restored files.
    private async Task<HashSet<string>> LinesOfAsync(string node, VersionPosition version, IReadOnlyList<string> pages, CancellationToken cancellation)
    {
        var target = Path.Combine(cluster.Directory, $"consistent-{VersionText.Name(version)}");
        await RestoreAsync(node, DemoSetup.Wiki, version, target, cancellation);
        var lines = new HashSet<string>();
        foreach (var page in pages.Select(page => Path.Combine(target, "pages", page + ".md")).Where(File.Exists))
        {
            lines.UnionWith(await File.ReadAllLinesAsync(page, cancellation));
        }

        lines.RemoveWhere(string.IsNullOrWhiteSpace);
        return lines;
    }

    private async Task<HashSet<string>> ReadPagesAsync(IReadOnlyList<string> pages, CancellationToken cancellation)
    {
        using var client = new HttpClient { BaseAddress = DemoSetup.SiteOf(cluster) };
        var lines = new HashSet<string>();
        foreach (var page in pages)
        {
            var text = (await client.GetFromJsonAsync<JsonElement>(new Uri($"/api/pages/{page}", UriKind.Relative), cancellation)).GetProperty("text").GetString() ?? "";
            lines.UnionWith(text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        }

        return lines;
    }

    private async Task PromoteAsync(string askedNode, string to, CancellationToken cancellation)
    {
        Say($"mirror promote {to}");
        using var call = cluster.ControlOf(askedNode).Promote(new PromoteRequest { Site = DemoSetup.Wiki, To = to }, cancellationToken: cancellation);
        PromoteProgress? last = null;
        await foreach (var progress in call.ResponseStream.ReadAllAsync(cancellation))
        {
            last = progress;
            if (progress.Checks.Count == 0)
            {
                Say($"  {progress.Step}");
            }
        }

        Expect(last is { Done: true, Ok: true }, $"the promotion did not come about: {last?.Step}");
    }

    // The real directory: same files on every node, by an independent reading of all of them.
    private async Task<DemoSiteReport> CheckMirroredAsync(CancellationToken cancellation)
    {
        var keeper = DemoSetup.Nodes[1];
        var versions = await cluster.ControlOf(keeper).GetVersionsAsync(new VersionsRequest { Site = DemoSetup.Files }, deadline: Deadlines.Soon(), cancellationToken: cancellation);
        var version = versions.Versions[^1];
        var target = Path.Combine(cluster.Directory, "restored-files");
        await RestoreAsync(keeper, DemoSetup.Files, version.Id, target, cancellation);
        var same = DemoFiles.Differences(target, DemoFiles.HashesOf(DemoSetup.RootOf(cluster, First, DemoSetup.Files))) == 0;
        var status = await cluster.ControlOf(First).GetStatusAsync(new StatusRequest(), deadline: Deadlines.Soon(), cancellationToken: cancellation);
        var copies = SiteOf(status, DemoSetup.Files).Holdings.Count(holding => holding.Verified.Equals(version.Id));
        Expect(same, $"the restored copy of {mirrored} differs");
        Expect(copies == 3, $"only {copies} nodes hold {mirrored}");
        Say($"{mirrored}: {version.Entries} entries, {VersionText.Size((long)version.Bytes)}, on {copies} nodes; restored from {keeper} and compared: {(same ? "identical" : "DIFFERENT")}");
        return new DemoSiteReport(mirrored!, version.Entries, version.Bytes, Convert.ToHexStringLower(version.Root.Span), copies, same);
    }

    private void Expect(bool met, string fault)
    {
        if (!met)
        {
            faults.Add(fault);
        }
    }

    private void Say(string line) => shown.Say(line);
}
