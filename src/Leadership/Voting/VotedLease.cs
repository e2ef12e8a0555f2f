using Microsoft.Extensions.Logging;
using Mirror.Leadership.Core;

namespace Mirror.Leadership.Voting;

/// <summary>
/// Keeps a lease that the voters granted: asks each voter on its own, six times a lease, and again soon after a failure, for as long as it is held. It is
/// lost when the promises that are left are no majority (by the <see cref="LeaseClock"/>, a margin early), or as soon as so many voters have moved on to a
/// later epoch that no majority can renew it.
/// </summary>
internal sealed class VotedLease : ILeaseKeeper
{
    private readonly SiteRules rules;
    private readonly string holder;
    private readonly ulong epoch;
    private readonly IReadOnlyList<IVoterLink> voters;
    private readonly Func<Position> verified;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly Lock guard = new();
    private readonly HashSet<string> gone = [];
    private readonly LeaseEnd end;
    private readonly Task renewing;
    private readonly TimeSpan tellFailoverUntil;
    private LeaseClock clock;

    /// <param name="won">The clock as the election left it: held by a majority.</param>
    public VotedLease(
        SiteRules rules, string holder, ulong epoch, LeaseClock won, bool failedOver, IReadOnlyList<IVoterLink> voters, Func<Position> verified, TimeProvider time, ILogger log)
    {
        this.rules = rules;
        this.holder = holder;
        this.epoch = epoch;
        this.voters = voters;
        this.verified = verified;
        this.time = time;
        this.log = log;
        clock = won;
        tellFailoverUntil = failedOver ? Now + rules.Lease : TimeSpan.Zero;
        end = new LeaseEnd(rules, epoch, () => Span.Until, $"fewer than {rules.Majority} of {rules.Voters.Count} voters renewed it in time.", time, log);
        end.Watch();
        renewing = Task.WhenAll(voters.Select(voter => RenewAsync(voter, end.Stopping)));
    }

    public CancellationToken Lost => end.Lost;

    public bool IsHeld
    {
        get
        {
            lock (guard)
            {
                return !end.IsOver && clock.IsHeld(Now);
            }
        }
    }

    public LeaseSpan Span
    {
        get
        {
            lock (guard)
            {
                return new LeaseSpan(clock.Deadline!.Value, rules.Margin / 2);
            }
        }
    }

    private TimeSpan Now => time.GetElapsedTime(0);

    public async Task GiveBackAsync(string? successor, CancellationToken cancellation)
    {
        await end.ComeAsync(renewing);
        var answers = await GiveBackToAsync(voters, rules, new(epoch, holder, successor, Leaving.InOrder), time, cancellation);
        Log.GivenBack(log, rules.Site, epoch, answers.Count(answer => answer.Accepted), voters.Count, successor);
    }

    public async ValueTask DisposeAsync() => await end.ComeAsync(renewing);

    /// <summary>Tells voters that the epoch will not be used; those that don't hear it keep their promise to its end.</summary>
    internal static async Task<ReturnAnswer[]> GiveBackToAsync(
        IEnumerable<IVoterLink> voters, SiteRules rules, GiveBack back, TimeProvider time, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(rules.Lease / 4, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        return await Task.WhenAll(voters.Select(voter => voter.GiveBackAsync(back, both.Token)));
    }

    private async Task RenewAsync(IVoterLink voter, CancellationToken cancellation)
    {
        var answered = true;
        while (!cancellation.IsCancellationRequested)
        {
            var asked = Now;
            VoterReply reply;
            using (var limit = new CancellationTokenSource(rules.Lease / 8, time))
            using (var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation))
            {
                reply = await voter.AskAsync(new(epoch, holder, verified(), rules.Lease, true) { FailedOver = asked < tellFailoverUntil, Voters = rules.VoterSet }, false, both.Token);
            }

            if (cancellation.IsCancellationRequested)
            {
                return;
            }

            var granted = Hear(voter.Voter, asked, reply);
            if (granted != answered)
            {
                answered = granted;
                LogChange(voter.Voter, reply, granted);
            }

            var pause = (granted ? rules.Lease / 6 : rules.Lease / 16) - (granted ? Now - asked : TimeSpan.Zero);
            await Task.Delay(pause > TimeSpan.Zero ? pause : TimeSpan.Zero, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        }
    }

    private bool Hear(string voter, TimeSpan asked, VoterReply reply)
    {
        var superseded = false;
        lock (guard)
        {
            if (reply.Answer is { Granted: true })
            {
                gone.Remove(voter);
                clock = clock.Promised(voter, asked, Now);
                return true;
            }

            if (reply.Answer is { } refused && refused.HighestEpoch > epoch)
            {
                gone.Add(voter);
                superseded = rules.Voters.Count - gone.Count < rules.Majority;
            }
        }

        if (superseded)
        {
            end.Come($"voter {voter} and others have granted a later epoch. {reply.Sentence}");
        }

        return false;
    }

    private void LogChange(string voter, VoterReply reply, bool granted)
    {
        if (granted)
        {
            Log.RenewedAgain(log, voter, rules.Site, epoch);
        }
        else
        {
            Log.NotRenewed(log, voter, rules.Site, epoch, reply.Sentence);
        }
    }
}
