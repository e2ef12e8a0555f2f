using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;
using Mirror.Leadership.Membership;

namespace Mirror.Leadership.Voting;

/// <summary>The right to be primary of a site is won here.</summary>
public interface IElection
{
    /// <summary>Waits until this node should stand (lease of the last holder run out or given back, best candidate, rules met), stands, and returns when a majority granted the epoch.</summary>
    /// <param name="verified">Newest version this node holds applied, read at each turn.</param>
    /// <param name="decided">One sentence a turn: what was decided and why. The same sentence is not repeated.</param>
    Task<Lease> WinAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation);

    /// <summary>Stands now, on an operator's word: the usual wait for the best candidate is skipped, the votes are not.</summary>
    Task<Lease> StandNowAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation);
}

/// <summary>
/// A candidate at work. Each turn the pure <see cref="Candidacy"/> says whether to stand; if so, all voters are first asked whether they would (so that a
/// candidate without a chance disturbs nobody), and then for the epoch. What a lost attempt was granted is given back at once. Between turns it sleeps until
/// the earliest moment that can change the outcome: the end of the promise its own voter made, a change of that vote, or news in the catalogue.
/// </summary>
internal sealed class Election(
    SiteRules rules, string node, SiteVoter? own, IReadOnlyList<IVoterLink> voters, ICatalogue catalogue, IEpochGate gate, TimeProvider time, ILogger log) : IElection
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20);

    // The highest epoch it ever asked for. One that was given back is not asked for again: the word that it was may come late, and would end a reign won since.
    private ulong asked;

    private TimeSpan Now => time.GetElapsedTime(0);

    public async Task<Lease> WinAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation)
    {
        var turn = new Turn(Now, decided);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var seen = catalogue.Current;
            var changed = own?.Changed;
            var verdict = Candidacy.Decide(View(seen, verified(), turn), rules, Now);
            Say(turn, verdict.Sentence);
            if (verdict.Stand == Stand.Now)
            {
                if (await StandAsync(verified, turn, false, cancellation) is { } lease)
                {
                    return lease;
                }
            }
            else
            {
                // A version verified meanwhile is not announced to this loop, so it looks again now and then by itself.
                var longest = Now + (rules.Lease / 2);
                await WakeAsync(verdict.Stand == Stand.Wait && verdict.Until < longest ? verdict.Until : longest, changed, seen, cancellation);
            }
        }
    }

    public async Task<Lease> StandNowAsync(Func<Position> verified, Action<string> decided, CancellationToken cancellation)
    {
        var turn = new Turn(Now, decided);
        Say(turn, $"{node} stands for site {rules.Site} on an operator's word.");
        while (true)
        {
            var changed = own?.Changed;
            if (await StandAsync(verified, turn, true, cancellation) is { } lease)
            {
                return lease;
            }

            await WakeAsync(turn.NotBefore, changed, null, cancellation);
        }
    }

    private async Task<Lease?> StandAsync(Func<Position> verified, Turn turn, bool commanded, CancellationToken cancellation)
    {
        var version = verified();
        var epoch = Math.Max(Math.Max(KnownEpoch(catalogue.Current, version), own?.Ballot?.Epoch ?? 0), Math.Max(turn.HeardEpoch, asked)) + 1;
        var ask = new GrantAsk(epoch, node, version, rules.Lease, false) { Commanded = commanded, Order = Word(turn), Voters = rules.VoterSet };
        var probe = await Poll.TakeAsync(rules, ask, true, voters, time, cancellation);
        if (!probe.IsWon)
        {
            Lose(turn, probe);
            return null;
        }

        asked = epoch;
        Lease? lease = null;
        try
        {
            var poll = await Poll.TakeAsync(rules, ask, false, voters, time, cancellation);
            lease = Take(poll, verified, turn);
            return lease;
        }
        finally
        {
            if (lease is null)
            {
                await WithdrawAsync(epoch);
            }
        }
    }

    /// <summary>Null when the poll gave no right after all.</summary>
    private Lease? Take(Poll poll, Func<Position> verified, Turn turn)
    {
        var epoch = poll.Ask.Epoch;
        var granted = poll.Replies.Where(reply => reply.Answer is { Granted: true }).Select(reply => reply.Voter).ToList();
        var clock = granted.Aggregate(LeaseClock.Unheld(rules), (current, voter) => current.Promised(voter, poll.AskedAt, Now));
        if (!clock.IsHeld(Now) || poll.Later is not null || poll.IsBarred)
        {
            Lose(turn, poll);
            return null;
        }

        if (!gate.Admit(rules.Site, epoch))
        {
            Say(turn, $"Epoch {epoch} was granted but epoch {gate.Highest(rules.Site)} has been seen: it is given back.");
            return null;
        }

        Say(turn, $"{node} is primary of site {rules.Site} in epoch {epoch} from {poll.Ask.Verified} on: {string.Join(", ", granted)} of {rules.Voters.Count} voters granted it.");
        return new Lease(rules.Site, epoch, new VotedLease(rules, node, epoch, clock, poll.IsFailover, voters, verified, time, log));
    }

    private void Lose(Turn turn, Poll poll)
    {
        turn.HeardEpoch = Math.Max(turn.HeardEpoch, poll.HighestEpoch);
        turn.Order = poll.Later ?? turn.Order;
        var patience = poll.Patience(rules.Lease / 8);
        turn.NotBefore = Now + (patience > ShortestPause ? patience : ShortestPause);
        turn.Vote = VoteNow();
        turn.Asked = poll.Ask.Verified;
        Say(turn, $"{node} can't be appointed in epoch {poll.Ask.Epoch}: {poll.Granted} of {rules.Voters.Count} voters agree, {rules.Majority} are needed. {poll.Refusals}");
    }

    /// <summary>An epoch that was asked for and not won is given back to all: also to those whose answer was not waited for.</summary>
    private Task WithdrawAsync(ulong epoch) => VotedLease.GiveBackToAsync(voters, rules, new(epoch, node, null, Leaving.NotWon), time, CancellationToken.None);

    // What the voters said holds while nothing happens. When this node's own vote has changed since, or it holds more than it asked with, something did, and they are asked again.
    private TimeSpan NotBefore(Turn turn, Position version) => turn.Vote == VoteNow() && version <= turn.Asked ? turn.NotBefore : turn.Began;

    private (ulong Epoch, bool GivenBack)? VoteNow() => own?.Ballot is { } ballot ? (ballot.Epoch, ballot.GivenBack) : null;

    private FailoverOrder Word(Turn turn) => own?.Order is { } known && known.Number > turn.Order.Number ? known : turn.Order;

    private CandidateView View(ClusterSnapshot seen, Position version, Turn turn) => new(
        node, version, own?.Ballot, KnownEpoch(seen, version), NotBefore(turn, version),
        [.. seen.Of(rules.Site).Where(holding => holding.Node != node).Select(seen.ToNodeHolding)])
    {
        Behind = seen.BehindOf(rules.Site, node),
    };

    private ulong KnownEpoch(ClusterSnapshot seen, Position version) =>
        Math.Max(Math.Max(gate.Highest(rules.Site), version.Epoch), seen.Of(rules.Site).Select(holding => holding.Epoch).DefaultIfEmpty().Max());

    private async Task WakeAsync(TimeSpan at, Task? changed, ClusterSnapshot? seen, CancellationToken cancellation)
    {
        var pause = at - Now;
        if (pause <= TimeSpan.Zero)
        {
            return;
        }

        using var awake = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        List<Task> reasons = [Task.Delay(TimeSpan.FromMilliseconds(Math.Ceiling(pause.TotalMilliseconds)), time, awake.Token)];
        if (changed is not null)
        {
            reasons.Add(FollowAsync(changed));
        }

        if (seen is not null)
        {
            reasons.Add(catalogue.ChangedSinceAsync(seen, awake.Token));
        }

        await Task.WhenAny(reasons);
        awake.Cancel();
        cancellation.ThrowIfCancellationRequested();
    }

    // Awaited in a method of its own, a signal resumes in the context it is waited for in; WhenAny alone would take it over the thread pool.
    private static async Task FollowAsync(Task signal) => await signal;

    private void Say(Turn turn, string sentence)
    {
        if (sentence.Length > 0 && sentence != turn.Said)
        {
            turn.Said = sentence;
            Log.Turn(log, rules.Site, sentence);
            turn.Decided(sentence);
        }
    }

    /// <summary>What one call of Win or StandNow learned so far.</summary>
    private sealed class Turn(TimeSpan began, Action<string> decided)
    {
        public TimeSpan Began { get; } = began;
        public Action<string> Decided { get; } = decided;
        public TimeSpan NotBefore { get; set; } = began;
        public (ulong Epoch, bool GivenBack)? Vote { get; set; }
        public Position Asked { get; set; }
        public ulong HeardEpoch { get; set; }
        public FailoverOrder Order { get; set; } = FailoverOrder.None;
        public string? Said { get; set; }
    }
}
