using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>The holder, as in <see cref="VotedLease"/>, and what a primary does: serve, capture, push, hand over, leave.</summary>
internal sealed partial class Process
{
    private ReignState? reign;
    private bool isLeaving;

    private sealed class ReignState(ulong epoch, LeaseClock clock, Dictionary<string, TimeSpan> asked)
    {
        public ulong Epoch => epoch;
        public LeaseClock Clock { get; set; } = clock;
        public Dictionary<string, TimeSpan> Asked => asked;
        public HashSet<string> Gone { get; } = [];
        public TimeSpan TellFailoverUntil { get; init; }
        public bool HasEntered { get; set; }

        /// <summary>The app is not to run: the site is being handed over, or the node leaves.</summary>
        public bool IsHolding { get; set; }
        public ulong Sequence { get; set; }
    }

    private TimeSpan DeadlineOf(ReignState state) => Book.Deadline(state.Clock, Rules, state.Asked) ?? TimeSpan.MinValue;

    private void Reign(ulong epoch, LeaseClock clock, Dictionary<string, TimeSpan> asked, bool failedOver)
    {
        var state = reign = new(epoch, clock, asked) { TellFailoverUntil = failedOver ? Now + Rules.Lease : TimeSpan.MinValue };
        foreach (var voter in Rules.Voters)
        {
            Renew(state, voter);
        }

        WatchDeadline(state);
        Later(Enter(), () => While(state, () =>
        {
            state.HasEntered = true;
            Serve(state);
            Spread();
            Later(0.01 + (Random.NextDouble() * 0.1), () => Capture(state, null));
            Push(state);
            if (!World.IsPeace && Random.NextDouble() < World.Climate.Handovers * 10)
            {
                Later(1 + (Random.NextDouble() * 20), () => Retreat(state));
            }
        }));
    }

    /// <summary>Seconds until it can serve: what is stored is applied, the tree becomes its own.</summary>
    private double Enter()
    {
        if (Book.AppliedIsWhatCounts && !Disk.IsLive && Disk.Stored is { } stored)
        {
            MoveHead(stored);
        }

        if (!Disk.IsLive)
        {
            Disk.IsLive = true;
            Disk.Uncaptured = 0;
        }

        return Random.NextDouble() < 0.7 ? 0.002 : Random.NextDouble();
    }

    private void Serve(ReignState state)
    {
        if (state is { HasEntered: true, IsHolding: false } && Guard.IsFree && Now < DeadlineOf(state))
        {
            Guard.Start(state.Epoch, DeadlineOf(state));
        }
    }

    private void While(ReignState state, Action action)
    {
        if (reign == state)
        {
            action();
        }
    }

    // Each voter on its own: six times a lease, and again soon after a failure.
    private void Renew(ReignState state, string voter)
    {
        var asked = Now;
        var ask = new GrantAsk(state.Epoch, Name, Verified?.Id ?? default, Rules.Lease, true) { FailedOver = asked < state.TellFailoverUntil };
        var isOver = false;
        Send(voter, other => other.OnAsk(ask, false, answer => other.Answer(this, () => While(state, () => Hear(answer)))));
        Later((Rules.Lease / 8).TotalSeconds, () => Again(Rules.Lease / 16));

        void Hear(GrantAnswer answer)
        {
            if (answer.Granted)
            {
                state.Gone.Remove(voter);
                state.Clock = Book.Promised(state.Clock, voter, asked, Now);
                state.Asked[voter] = asked;
                Guard.Prolong(DeadlineOf(state));
                Again((Rules.Lease / 6) - (Now - asked));
                return;
            }

            if (answer.HighestEpoch > state.Epoch)
            {
                state.Gone.Add(voter);
                if (Rules.Voters.Count - state.Gone.Count < Rules.Majority)
                {
                    Lose(state);
                }
            }

            Again(Rules.Lease / 16);
        }

        void Again(TimeSpan pause)
        {
            if (!isOver)
            {
                isOver = true;
                Later(Math.Max(0, pause.TotalSeconds), () => While(state, () => Renew(state, voter)));
            }
        }
    }

    private void WatchDeadline(ReignState state) => AtLocal(DeadlineOf(state), () => While(state, () =>
    {
        if (Now >= DeadlineOf(state))
        {
            Lose(state);
            return;
        }

        Serve(state);
        WatchDeadline(state);
    }));

    private void Lose(ReignState state)
    {
        if (reign == state)
        {
            reign = null;
            Guard.Stop();
            Spread();
            Later(0.06, Turn);
        }
    }

    /// <summary>A version of what is in the live tree: at once what is there now, a while later durable and announced.</summary>
    private void Capture(ReignState state, Action? then)
    {
        if (reign != state)
        {
            return;
        }

        var taken = Disk.Uncaptured;
        Later(0.01 + (Random.NextDouble() * 0.15), () => While(state, () =>
        {
            if (taken > 0 || state.Sequence == 0)
            {
                var version = new Version(new(state.Epoch, ++state.Sequence), Disk.Head, (Disk.Head?.Writes ?? 0) + taken);
                Disk.Uncaptured -= taken;
                Disk.Stored = version;
                Disk.Head = version;
                World.Tally.Versions++;
                Spread();
                PushTo(state, null);
            }

            if (then is not null)
            {
                then();
            }
            else
            {
                Serve(state);
                Later(0.3 + (Random.NextDouble() * 1.2), () => Capture(state, null));
            }
        }));
    }

    // Whoever is behind, or was not heard to have the newest, gets it again.
    private void Push(ReignState state) => While(state, () =>
    {
        PushTo(state, Disk.Head);
        Later(0.4, () => Push(state));
    });

    private void PushTo(ReignState state, Version? unlessHeld)
    {
        if (Disk.Head is not { } newest || newest.Id.Epoch != state.Epoch)
        {
            return;
        }

        foreach (var node in Rules.Nodes)
        {
            if (node != Name && (unlessHeld is null || catalogue[World.Of(node).Index]?.Verified != unlessHeld))
            {
                Send(node, other => other.OnPush(this, state.Epoch, newest));
            }
        }
    }

    /// <summary>A replica lacks what a version grew from: it gets the whole.</summary>
    private void OnFillWanted(Process replica, ulong epoch) => Later(0.05 + (Random.NextDouble() * 0.3), () =>
    {
        if (reign is { } state && state.Epoch == epoch && Disk.Head is { } newest && newest.Id.Epoch == epoch)
        {
            Send(replica.Name, other => other.OnFill(epoch, newest));
        }
    });

    // A planned switchover, or a node that is stopped in order: the app ends, its last state is captured, and only then the lease goes back.
    private void Retreat(ReignState state) => While(state, () =>
    {
        if (World.IsPeace)
        {
            return;
        }

        var successor = Random.Next(3) == 0 ? null : Rules.Nodes[Random.Next(Rules.Nodes.Count)];
        if (successor == Name)
        {
            return;
        }

        state.IsHolding = true;
        Guard.Stop(() => Run(() => Capture(state, () => AwaitCopy(state, successor, Now + TimeSpan.FromSeconds(4)))));
    });

    private void AwaitCopy(ReignState state, string? successor, TimeSpan until) => While(state, () =>
    {
        var hasIt = successor is null || catalogue[World.Of(successor).Index]?.Verified == Disk.Head;
        if (!hasIt && Now < until)
        {
            Later(0.02, () => AwaitCopy(state, successor, until));
            return;
        }

        if (!hasIt)
        {
            state.IsHolding = false;
            Serve(state);
            return;
        }

        reign = null;
        isLeaving = successor is null;
        World.Truth.Leaves(successor);
        Withdraw(state.Epoch, successor, Leaving.InOrder);
        Spread();
        if (successor is null)
        {
            World.Tally.CleanStops++;
            var machine = Machine;
            World.After(0.1, () =>
            {
                if (machine.Process == this)
                {
                    machine.Leave();
                }
            });
            World.After(World.Between(0.3, World.Climate.LongestRestart), machine.Start);
            return;
        }

        World.Tally.Handovers++;
        Later(0.06, Turn);
    });
}
