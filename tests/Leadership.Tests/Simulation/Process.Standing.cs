using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>The candidate, as in <see cref="Election"/>: a turn, and if the rules say so a probe, a poll, and giving back what was not won.</summary>
internal sealed partial class Process
{
    private TimeSpan notBefore;
    private ulong heardEpoch;
    private FailoverOrder heardWord = FailoverOrder.None;
    private Poll? poll;
    private bool isProbing;
    private bool hasMoment;
    private int polls;
    private int turns;
    private string said = "";

    private ulong KnownEpoch
    {
        get
        {
            var known = Math.Max(gate, Verified?.Id.Epoch ?? 0);
            foreach (var entry in catalogue)
            {
                known = Math.Max(known, entry?.Epoch ?? 0);
            }

            return known;
        }
    }

    // A node that is primary or is entering on it, or that is retiring, does not stand.
    private bool Stands => reign is null && poll is null && !isRetiring && !isLeaving && Guard.IsFree && (Disk.IsLive || Verified is not null || Name == Rules.Primary);

    private void Turn()
    {
        turns++;
        if (!Stands)
        {
            return;
        }

        RetireIfSucceeded();
        if (isRetiring)
        {
            return;
        }

        var view = new CandidateView(Name, Verified?.Id ?? default, vote, KnownEpoch, notBefore, Others());
        var verdict = Book.Decide(view, Rules, Now);
        said = verdict.Sentence;
        if (verdict.Stand == Stand.Now)
        {
            StandNow();
            return;
        }

        var longest = Now + (Rules.Lease / 2);
        var mine = turns;
        AtLocal(verdict.Stand == Stand.Wait && verdict.Until < longest ? verdict.Until : longest, () =>
        {
            if (mine == turns)
            {
                Turn();
            }
        });
    }

    private void StandNow()
    {
        var epoch = Math.Max(Math.Max(KnownEpoch, vote.Epoch), heardEpoch) + 1;
        Take(new(epoch, Name, Verified?.Id ?? default, Rules.Lease, false) { Order = vote.Order.Number > heardWord.Number || !Book.WordsAreCarried ? vote.Order : heardWord }, true);
    }

    private void Take(GrantAsk ask, bool probe)
    {
        if (!probe && Book.AsksOncePerEpoch)
        {
            heardEpoch = Math.Max(heardEpoch, ask.Epoch);
        }

        var number = ++polls;
        poll = new(Rules, ask, Now, []);
        isProbing = probe;
        hasMoment = false;
        foreach (var voter in Rules.Voters)
        {
            Send(voter, other => other.OnAsk(ask, probe, answer => other.Answer(this, () =>
            {
                if (number == polls && poll is not null)
                {
                    Hear(new(voter, answer, null));
                }
            })));
        }

        AtLocal(Now + (Rules.Lease / 2), () => Close(number));
    }

    private void Hear(VoterReply reply)
    {
        foreach (var earlier in poll!.Replies)
        {
            if (earlier.Voter == reply.Voter)
            {
                return;
            }
        }

        poll = poll with { Replies = [.. poll.Replies, reply] };
        if (Book.IsWon(poll) || poll.Replies.Count == Rules.Voters.Count)
        {
            Close(polls);
        }
        else if (isProbing && !hasMoment && reply.Answer is { Granted: false, Wait: var wait } && wait > TimeSpan.Zero && wait < Rules.Lease)
        {
            hasMoment = true;
            var number = polls;
            AtLocal(Now + wait, () => Close(number));
        }
    }

    private void Close(int number)
    {
        if (number != polls || poll is not { } closed)
        {
            return;
        }

        poll = null;
        if (isProbing)
        {
            if (Book.IsWon(closed))
            {
                Take(closed.Ask, false);
            }
            else
            {
                Lose(closed);
            }
        }
        else if (!TryReign(closed))
        {
            Withdraw(closed.Ask.Epoch, null, Leaving.NotWon);
            Later(0, Turn);
        }
    }

    private void Lose(Poll lost)
    {
        heardEpoch = Math.Max(heardEpoch, lost.Replies.Count == 0 ? 0 : lost.HighestEpoch);
        heardWord = lost.Later ?? heardWord;
        var patience = lost.Patience(Rules.Lease / 8);
        notBefore = Now + (patience > TimeSpan.FromMilliseconds(20) ? patience : TimeSpan.FromMilliseconds(20));
        Later(0, Turn);
    }

    private bool TryReign(Poll closed)
    {
        var granted = new Dictionary<string, TimeSpan>();
        var clock = LeaseClock.Unheld(Rules);
        foreach (var reply in closed.Replies)
        {
            if (reply.Answer is { Granted: true })
            {
                granted[reply.Voter] = closed.AskedAt;
                clock = Book.Promised(clock, reply.Voter, closed.AskedAt, Now);
            }
        }

        if (Book.Deadline(clock, Rules, granted) is not { } deadline || Now >= deadline || (Book.WordsAreCarried && closed.Later is not null))
        {
            Lose(closed);
            return false;
        }

        if (!Admit(closed.Ask.Epoch))
        {
            return false;
        }

        World.Truth.Won(this, closed.Ask.Epoch, Machine.TimeOf(closed.AskedAt));
        Reign(closed.Ask.Epoch, clock, granted, closed.IsFailover);
        return true;
    }

    private void Withdraw(ulong epoch, string? successor, Leaving how)
    {
        foreach (var voter in Rules.Voters)
        {
            Send(voter, other => other.OnGiveBack(epoch, Name, successor, how));
        }
    }
}
