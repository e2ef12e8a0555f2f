using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;
using Mirror.Leadership.Voting;
using Mirror.Node.Consul;

namespace Mirror.Leadership.Consul;

/// <summary>What a node works with when it contends for locks in Consul.</summary>
/// <param name="Service">Id of the node's own service, on whose check its sessions hang.</param>
internal sealed record LockWays(IConsul Consul, string Node, string Service, ICatalogue Catalogue, IEpochGate Gate, TimeProvider Time, ILogger Log);

/// <summary>
/// A candidate for a site's lock. It waits at the key for a change; each turn <see cref="LockRules"/> say whether the lock may be taken, and <see cref="Candidacy"/> whether it is this node's
/// turn. The lock is taken in one step with its record, and only if nothing has changed since the record was read: so a version that was called consistent meanwhile is never passed over. Each
/// reign has a session of its own.
/// </summary>
/// <param name="place">The lock, but for its session.</param>
internal sealed class LockElection(SiteRules rules, HeldLock place, LockWays ways) : IElection
{
    private static readonly TimeSpan LeastTimeToLive = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestWatch = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(50);

    // Kept between elections: since when the lock is free.
    private LockSight? sight;

    private TimeSpan Now => ways.Time.GetElapsedTime(0);

    public Task<Lease> WinAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation) => ContendAsync(
        new Turn(decided, false), verified, cancellation);

    public Task<Lease> StandNowAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation)
    {
        var turn = new Turn(decided, true);
        Say(turn, $"{ways.Node} stands for site {rules.Site} on an operator's word.");
        return ContendAsync(turn, verified, cancellation);
    }

    private async Task<Lease> ContendAsync(Turn turn, Func<Position> verified, CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var watching = WatchAsync(turn, over.Token);
        try
        {
            while (true)
            {
                cancellation.ThrowIfCancellationRequested();
                if (watching.IsCompleted)
                {
                    See(await watching, turn);
                    watching = WatchAsync(turn, over.Token);
                }

                var seen = ways.Catalogue.Current;
                var version = verified();
                var verdict = Decide(turn, seen, version);
                Say(turn, verdict.Sentence);
                if (verdict.Stand != Stand.Now)
                {
                    // A version verified meanwhile is not announced to this loop, so it looks again now and then by itself.
                    var longest = Now + (rules.Lease / 2);
                    await WakeAsync(verdict.Stand == Stand.Wait && verdict.Until < longest ? verdict.Until : longest, watching, seen, over.Token);
                }
                else if (await StandAsync(turn, seen, version, cancellation) is { } lease)
                {
                    return lease;
                }
            }
        }
        finally
        {
            over.Cancel();
        }
    }

    private Verdict Decide(Turn turn, ClusterSnapshot seen, Position version)
    {
        if (sight is null || turn.Index is null)
        {
            return new(Stand.No, TimeSpan.Zero, turn.Trouble ?? $"Asks Consul for the lock of site {rules.Site}.");
        }

        var view = new CandidateView(
            ways.Node, version, sight.Ballot(rules), KnownEpoch(seen, version), TimeSpan.Zero,
            [.. seen.Of(rules.Site).Where(holding => holding.Node != ways.Node).Select(seen.ToNodeHolding)])
        {
            Behind = seen.BehindOf(rules.Site, ways.Node),
        };
        if (LockRules.Decide(sight, view, turn.Word, rules, Now) is { } verdict)
        {
            return verdict;
        }

        if (Now < turn.NotBefore)
        {
            return new(Stand.Wait, turn.NotBefore, turn.Trouble ?? $"Waits to ask for the lock of site {rules.Site} again.");
        }

        return turn.Word ? new(Stand.Now, TimeSpan.Zero, "") : Candidacy.Decide(view, rules, Now);
    }

    /// <summary>Null when the lock was not had after all.</summary>
    private async Task<Lease?> StandAsync(Turn turn, ClusterSnapshot seen, Position version, CancellationToken cancellation)
    {
        var known = sight!;
        var lockIndex = (known.Entry?.LockIndex ?? 0) + 1;
        var epoch = Math.Max((known.Record?.Offset ?? 0) + lockIndex, KnownEpoch(seen, version) + 1);
        var record = new LockRecord(ways.Node, epoch - lockIndex, known.Consistent.Epoch, known.Consistent.Sequence, false, null);
        string? session = null;
        LockedLease? lease = null;
        try
        {
            var timeToLive = rules.Lease > LeastTimeToLive ? rules.Lease : LeastTimeToLive;
            session = await ways.Consul.OpenSessionAsync(new($"{place.Key} of {ways.Node}", timeToLive, rules.Lease, ways.Service), cancellation);
            var asked = Now;
            var outcome = await ways.Consul.CommitAsync(Taking(known, record, session), cancellation);
            if (!outcome.Committed)
            {
                return Lose(turn, $"{ways.Node} did not get the lock of site {rules.Site}: {outcome.Why}.");
            }

            var taken = outcome.Entries is [.., var last] && last.LockIndex == lockIndex ? last : null;
            if (taken is null || Now >= asked + rules.Lease - rules.Margin)
            {
                return Lose(turn, $"{ways.Node} got the lock of site {rules.Site}, but not as it asked for it, or too late: it is given back.");
            }

            if (!ways.Gate.Admit(rules.Site, epoch))
            {
                return Lose(turn, $"Epoch {epoch} was won but epoch {ways.Gate.Highest(rules.Site)} has been seen: it is given back.");
            }

            Say(turn, $"{ways.Node} is primary of site {rules.Site} in epoch {epoch} from {version} on: it holds the lock in Consul.");
            lease = new LockedLease(rules, epoch, place with { Session = session }, new(record, taken.LockIndex, taken.ModifyIndex), asked, ways);
            return new Lease(rules.Site, epoch, lease);
        }
        catch (ConsulException failure)
        {
            return Lose(turn, failure.Message);
        }
        finally
        {
            if (lease is null && session is not null)
            {
                // Not waited for: whoever is cancelled ends at once, and what this does not reach ends with its session.
                _ = WithdrawAsync(session);
            }
        }
    }

    private List<KeyOperation> Taking(LockSight known, LockRecord record, string session)
    {
        var value = record.Write();
        List<KeyOperation> steps = known.Entry is { } entry
            ? [new(KeyVerb.CheckIndex, place.Key) { Index = entry.ModifyIndex }]
            : [new(KeyVerb.Cas, place.Key) { Index = 0, Value = value }];
        if (known.Entry?.Session is { } former)
        {
            // Of an earlier life of this node: freed by its session, so that there is no delay.
            steps.Add(new(KeyVerb.Unlock, place.Key) { Session = former, Value = value });
        }

        steps.Add(new(KeyVerb.Lock, place.Key) { Session = session, Value = value });
        return steps;
    }

    // Whether the lock was had is not known when an answer is missing; no app has run on it, so it is given back like any other.
    private async Task WithdrawAsync(string session)
    {
        using var limit = new CancellationTokenSource(rules.Lease / 4, ways.Time);
        try
        {
            await LockRelease.RunAsync(ways.Consul, place.Key, session, null, limit.Token);
            await ways.Consul.CloseSessionAsync(session, limit.Token);
        }
        catch (Exception failure) when (failure is ConsulException or OperationCanceledException)
        {
            Log.NotWithdrawn(ways.Log, rules.Site, failure.Message);
        }
    }

    private Lease? Lose(Turn turn, string sentence)
    {
        turn.NotBefore = Now + (rules.Lease / 8);
        turn.Trouble = sentence;
        Say(turn, sentence);
        return null;
    }

    /// <returns>Null when there was no answer.</returns>
    private async Task<KeyReading?> WatchAsync(Turn turn, CancellationToken cancellation)
    {
        var after = turn.Index ?? 0;
        try
        {
            var reading = await ways.Consul.WatchKeyAsync(place.Key, after, LongestWatch, cancellation);
            if (after > 0 && reading.Index == after)
            {
                // No change: a server that answers at once all the same is not asked without a pause.
                await Task.Delay(ShortestPause, ways.Time, cancellation);
            }

            return reading;
        }
        catch (ConsulException failure)
        {
            turn.Trouble = failure.Message;
            await Task.Delay(rules.Lease / 16 > ShortestPause ? rules.Lease / 16 : ShortestPause, ways.Time, cancellation);
            return null;
        }
    }

    private void See(KeyReading? reading, Turn turn)
    {
        if (reading is null)
        {
            // What comes next is asked for at once, whatever has happened meanwhile; what was seen last is still right or the step that takes the lock fails.
            turn.Index = turn.Index is null ? null : 0;
            return;
        }

        turn.Index = ConsulIndex.Next(turn.Index ?? 0, reading.Index);
        turn.Trouble = null;
        sight = sight is null ? LockSight.First(reading.Entry, Now) : sight.Next(reading.Entry, Now);
    }

    private async Task WakeAsync(TimeSpan at, Task watching, ClusterSnapshot seen, CancellationToken cancellation)
    {
        var pause = at - Now;
        if (pause <= TimeSpan.Zero || watching.IsCompleted)
        {
            return;
        }

        using var awake = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var nap = Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(pause.TotalMilliseconds)), ways.Time, awake.Token);
        await Task.WhenAny(nap, FollowAsync(watching), ways.Catalogue.ChangedSinceAsync(seen, awake.Token));
        awake.Cancel();
        cancellation.ThrowIfCancellationRequested();
    }

    // Awaited in a method of its own, a signal resumes in the context it is waited for in; WhenAny alone would take it over the thread pool.
    private static async Task FollowAsync(Task signal) => await signal.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

    private ulong KnownEpoch(ClusterSnapshot seen, Position version) => Math.Max(
        Math.Max(ways.Gate.Highest(rules.Site), version.Epoch), Math.Max(sight?.Epoch ?? 0, seen.Of(rules.Site).Select(static holding => holding.Epoch).DefaultIfEmpty().Max()));

    private void Say(Turn turn, string sentence)
    {
        if (sentence.Length > 0 && sentence != turn.Said)
        {
            turn.Said = sentence;
            Log.Turn(ways.Log, rules.Site, sentence);
            turn.Decided(sentence);
        }
    }

    /// <summary>What one call learned so far.</summary>
    /// <param name="word">An operator said so: nobody else is left the first try.</param>
    private sealed class Turn(Action<string> decided, bool word)
    {
        public bool Word => word;
        public Action<string> Decided { get; } = decided;
        public TimeSpan NotBefore { get; set; } = TimeSpan.MinValue;
        public string? Trouble { get; set; }
        public string? Said { get; set; }

        /// <summary>Where the key is waited at; null before the first answer.</summary>
        public ulong? Index { get; set; }
    }
}
