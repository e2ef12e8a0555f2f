using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>The voter: what it says is on disk before it is said, and while that is written nobody else is answered.</summary>
internal sealed partial class Process
{
    private readonly Queue<Action> waiting = new();
    private VoterState vote;
    private bool isWriting;

    private Position Held => Machine.IsNode ? Verified?.Id ?? default : default;

    public void OnAsk(GrantAsk ask, bool probe, Action<GrantAnswer> reply)
    {
        if (isWriting)
        {
            waiting.Enqueue(() => OnAsk(ask, probe, reply));
            return;
        }

        var step = Book.Ask(vote, Rules, ask, Held, Now);
        if (probe || !step.Answer.Granted)
        {
            reply(step.Answer);
            return;
        }

        Adopt(step.State, step.MustPersist, () =>
        {
            World.Truth.Granted(Machine, ask.Epoch, ask.Candidate, Machine.TimeOf(step.State.Until));
            reply(step.Answer);
        });
    }

    public ulong HighestEpoch => vote.Epoch;

    public void OnOrder(FailoverOrder order)
    {
        if (isWriting)
        {
            waiting.Enqueue(() => OnOrder(order));
            return;
        }

        var step = Book.Hear(vote, Rules, order);
        if (step.MustPersist)
        {
            Adopt(step.State, true, () => World.Truth.Ordered(Machine, order));
        }
    }

    public void OnGiveBack(ulong epoch, string holder, string? successor, Leaving how)
    {
        if (isWriting)
        {
            waiting.Enqueue(() => OnGiveBack(epoch, holder, successor, how));
            return;
        }

        var step = Book.GiveBack(vote, Rules, epoch, holder, successor, Now, how);
        if (step.MustPersist)
        {
            Adopt(step.State, true, () => World.Truth.GivenBack(Machine, epoch, successor, Machine.TimeOf(step.State.Until)));
        }
    }

    private void Adopt(VoterState next, bool mustPersist, Action then)
    {
        if (!mustPersist)
        {
            vote = next;
            then();
            return;
        }

        switch (Book.Vote)
        {
            case VoteDurability.Cached:
                Disk.WriteVote(next);
                Done();
                break;
            case VoteDurability.AfterTheAnswer:
                Later(0.02 + (Random.NextDouble() * 0.2), () => Disk.EndVote(next));
                Done();
                break;
            default:
                isWriting = true;
                Disk.BeginVote(next);
                var slow = Random.NextDouble() < World.Climate.SlowDisks && !World.IsPeace;
                Later(slow ? Random.NextDouble() * 1.5 : 0.0002 + (Random.NextDouble() * 0.004), () =>
                {
                    Disk.EndVote(next);
                    isWriting = false;
                    Done();
                    while (!isWriting && waiting.TryDequeue(out var request))
                    {
                        request();
                    }
                });
                break;
        }

        void Done()
        {
            notBefore = (vote.Epoch, vote.GivenBack) == (next.Epoch, next.GivenBack) ? notBefore : TimeSpan.Zero;
            vote = next;
            then();
            if (Machine.IsNode)
            {
                Later(0, Turn);
            }
        }
    }
}
