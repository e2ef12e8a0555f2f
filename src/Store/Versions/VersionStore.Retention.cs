using Mirror.Store.Packs;
using Mirror.Store.Retention;

namespace Mirror.Store.Versions;

// Retention: which versions are dropped, by a policy or by name. By this machine's clock and word alone: nothing a pack says of itself counts.
public sealed partial class VersionStore
{
    private const int MostBudgetRounds = 100;
    private const string LastKeyFrames = "has one of the last two key frames";

    /// <summary>Applies a policy, its budget too. Two at once are safe: the second waits, and finds less to do.</summary>
    /// <param name="recent">So many of the newest versions are kept whatever the policy says, and the version from which the present epoch went on: by them nodes find out what they have in common. 0 outside a cluster.</param>
    /// <exception cref="StoreException">The policy is empty, or it is unknown what is protected.</exception>
    public Task<RetentionReport> ApplyRetentionAsync(RetentionPolicy policy, int recent, bool dryRun, IProgress<StoreProgress>? progress, CancellationToken cancellation) => AloneOnHistoryAsync(
        async () =>
        {
            if (policy.IsEmpty)
            {
                throw new StoreException("The retention policy is empty: it would drop every version. Say what to keep, such as keep-last or keep-daily.");
            }

            var before = state;
            var lines = Judge(before, policy, recent);
            var notices = new List<string>();
            if (dryRun)
            {
                return Estimate(before, lines, policy.Budget, recent);
            }

            var stay = await ThinAsync(lines.Where(line => !line.Kept).Select(line => line.Id), progress, cancellation);
            lines = [.. lines.Select(line => stay.TryGetValue(line.Id, out var reason) ? line with { Kept = true, Reason = reason } : line)];
            notices.AddRange(stay.Select(pair => $"{pair.Key} could not be dropped: {pair.Value}"));
            if (policy.Budget > 0)
            {
                lines = await KeepToBudgetAsync(lines, policy.Budget, recent, notices, progress, cancellation);
            }

            return new RetentionReport(lines, BytesOf(before), BytesOf(state), notices);
        },
        cancellation,
        onlyLooks: dryRun);

    /// <summary>Drops the versions that are named, and no others.</summary>
    /// <exception cref="StoreException">One is unknown, or must stay: says which and why. Then none is dropped.</exception>
    public Task<RetentionReport> ForgetAsync(IReadOnlyCollection<VersionId> versions, bool dryRun, IProgress<StoreProgress>? progress, CancellationToken cancellation) => AloneOnHistoryAsync(
        async () =>
        {
            var before = state;
            var pins = Pins(before, recent: 0);
            foreach (var version in versions)
            {
                _ = before.Find(version) ?? throw Unknown(version);
                if (pins.TryGetValue(version, out var reason))
                {
                    throw new StoreException($"Version {version} cannot be dropped: {reason}. {Remedy(reason)}Nothing was changed.");
                }
            }

            var named = versions.ToHashSet();
            var lines = before.Versions.Select(row => new RetentionLine(
                row.Record.Id, row.Received, !named.Contains(row.Record.Id), named.Contains(row.Record.Id) ? "named" : pins.GetValueOrDefault(row.Record.Id, "not named"))).ToList();
            if (dryRun)
            {
                return new RetentionReport(lines, BytesOf(before), BytesOf(before), []);
            }

            var stay = await ThinAsync(named, progress, cancellation);
            lines = [.. lines.Select(line => stay.TryGetValue(line.Id, out var reason) ? line with { Kept = true, Reason = reason } : line)];
            return new RetentionReport(lines, BytesOf(before), BytesOf(state), [.. stay.Select(pair => $"{pair.Key} could not be dropped: {pair.Value}")]);
        },
        cancellation,
        onlyLooks: dryRun);

    private static string Remedy(string reason) =>
        reason == LastKeyFrames ? "Make another key frame first (`mirror keyframe`). "
        : reason.StartsWith("protected", StringComparison.Ordinal) ? "Lift that first (`mirror protect --lift`). "
        : reason == KeptBranch ? "`mirror diverged drop` gives it up. "
        : reason == "newest" ? "To go back to the version before, see `mirror forget --newest`. "
        : "";

    private List<RetentionLine> Judge(StoreState at, RetentionPolicy policy, int recent)
    {
        var pins = Pins(at, recent);

        // A branch that diverged is kept until somebody gives it up, and is no part of the row of versions: it must not use up what a rule may keep.
        var row = at.Versions.Where(version => !BranchNote.IsBranch(version.Note)).Select(version => new DatedVersion(version.Record.Id, version.Received)).ToList();
        var verdicts = RetentionCalendar.Judge(policy, row, time.GetUtcNow()).ToDictionary(verdict => verdict.Id);
        return [.. at.Versions.Select(version =>
        {
            var id = version.Record.Id;
            var judged = verdicts.TryGetValue(id, out var verdict);
            return judged && verdict.Kept ? new RetentionLine(id, version.Received, true, pins.TryGetValue(id, out var also) ? $"{also}; {verdict.Reason}" : verdict.Reason)
                : pins.TryGetValue(id, out var pin) ? new RetentionLine(id, version.Received, true, pin)
                : BranchNote.IsGivenUp(version.Note) ? new RetentionLine(id, version.Received, false, "a diverged branch that was given up")
                : new RetentionLine(id, version.Received, !judged, judged ? verdict.Reason : "not judged");
        })];
    }

    /// <summary>What stays whatever a policy says.</summary>
    private Dictionary<VersionId, string> Pins(StoreState at, int recent)
    {
        var pins = HardPins(at);
        foreach (var frame in KeyFrames(at).TakeLast(2))
        {
            pins.TryAdd(frame.To, LastKeyFrames);
        }

        if (recent > 0 && at.Head is { } head)
        {
            foreach (var row in at.Versions.TakeLast(recent))
            {
                pins.TryAdd(row.Record.Id, $"one of the newest {recent}, by which nodes compare");
            }

            if (at.Versions.FirstOrDefault(row => row.Record.Id.Epoch == head.Id.Epoch)?.Record is { } first)
            {
                pins.TryAdd(first.Id, $"the first of epoch {first.Id.Epoch}");
                pins.TryAdd(first.Parent, $"the version from which epoch {first.Id.Epoch} went on");
            }
        }

        return pins;
    }

    /// <summary>Of versions in the row, oldest first; a branch that diverged may lead from nothing as well.</summary>
    private static IEnumerable<PackRow> KeyFrames(StoreState at) => at.Packs
        .Where(row => row.From.IsNone && !row.Partial && at.Find(row.To) is { } version && !BranchNote.IsBranch(version.Note))
        .OrderBy(row => row.To);

    private static long BytesOf(StoreState at) => at.Packs.Sum(row => row.Bytes);

    private RetentionReport Estimate(StoreState at, List<RetentionLine> lines, long budget, int recent)
    {
        var bytes = BytesOf(at);
        if (budget == 0)
        {
            return new RetentionReport(lines, bytes, bytes, []);
        }

        var plan = ThinningPlan.Make(at.Packs, lines.Where(line => !line.Kept).Select(line => line.Id).ToHashSet());
        var left = bytes - plan.Removed.Sum(row => row.Bytes) + plan.Runs.Sum(run => run.Packs.Max(row => row.Bytes)) - SurplusKeyFrames(at).Sum(row => row.Bytes);
        var gone = BudgetOrder.Choose(Weighed(at, lines, recent), left - budget, time.GetUtcNow()).ToHashSet();
        return new RetentionReport(
            [.. lines.Select(line => gone.Contains(line.Id) ? line with { Kept = false, Reason = "over the budget (estimated)" } : line)],
            bytes, bytes, left > budget ? ["What each version takes is known only when its packs are joined: the budget may cost more versions than these, or fewer."] : []);
    }

    /// <summary>Key frames beyond two go first, then versions, a few at a time: only afterwards it is known what was freed.</summary>
    private async Task<List<RetentionLine>> KeepToBudgetAsync(
        List<RetentionLine> lines, long budget, int recent, List<string> notices, IProgress<StoreProgress>? progress, CancellationToken cancellation)
    {
        await DropSurplusKeyFramesAsync(budget, cancellation);
        var refused = new HashSet<VersionId>();
        for (var round = 0; BytesOf(state) > budget && round < MostBudgetRounds; round++)
        {
            var weighed = Weighed(state, lines, recent).Select(version => refused.Contains(version.Id) ? version with { Pinned = true } : version).ToList();
            var chosen = BudgetOrder.Choose(weighed, BytesOf(state) - budget, time.GetUtcNow());
            if (chosen.Count == 0)
            {
                break;
            }

            var stay = await ThinAsync(chosen, progress, cancellation);
            refused.UnionWith(stay.Keys);
            var gone = chosen.Except(stay.Keys).ToHashSet();
            lines = [.. lines.Select(line => gone.Contains(line.Id) ? line with { Kept = false, Reason = "over the budget" } : line)];
        }

        if (BytesOf(state) is var bytes && bytes > budget)
        {
            notices.Add($"The history takes {bytes} bytes, more than the budget of {budget}: what is left is protected, in a slot, one of the newest, or has one of the last two key frames.");
        }

        return lines;
    }

    private List<WeighedVersion> Weighed(StoreState at, IEnumerable<RetentionLine> lines, int recent)
    {
        var pins = Pins(at, recent);
        var bytes = at.Packs.Where(row => !row.From.IsNone).GroupBy(row => row.To).ToDictionary(rows => rows.Key, rows => rows.Sum(row => row.Bytes));
        return [.. lines.Where(line => line.Kept && at.Find(line.Id) is { } row && !BranchNote.IsBranch(row.Note))
            .Select(line => new WeighedVersion(line.Id, line.Received, bytes.GetValueOrDefault(line.Id), pins.ContainsKey(line.Id)))];
    }

    private static List<PackRow> SurplusKeyFrames(StoreState at) => [.. KeyFrames(at).SkipLast(2)];

    private async Task DropSurplusKeyFramesAsync(long budget, CancellationToken cancellation)
    {
        var verified = false;
        foreach (var frame in SurplusKeyFrames(state))
        {
            var planned = state;
            if (BytesOf(planned) <= budget || !planned.Packs.Contains(frame))
            {
                continue;
            }

            // It may be the last good copy of something: every other pack is read before it goes.
            if (!verified)
            {
                VerifyPacks([], null, cancellation);
                verified = true;
            }

            try
            {
                RequireNothingLost(planned, new HashSet<VersionId>(), [frame], []);
            }
            catch (UnreadableRunException)
            {
                // Something can be reached by it alone. It stays, and the budget has to be kept otherwise.
                continue;
            }

            await ExchangeAsync("drop key frame", planned, new HashSet<VersionId>(), [frame], [], cancellation);
        }
    }
}
