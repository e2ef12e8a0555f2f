using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Core;

/// <summary>
/// A small world with one seed: nodes that stand at random, voters on clocks that run at different speeds, messages that are late, lost, doubled and
/// reordered, processes that die and come back with what was on disk. After every event it is checked that nobody shares a right. Candidates here are
/// ruder than ours: they ask whenever they like, without probing and without waiting for anyone.
/// </summary>
internal sealed class PromisesSimulation
{
    private readonly Random random;
    private readonly SiteRules rules;
    private readonly PriorityQueue<Action, (double Time, long Order)> events = new();
    private readonly List<Process> processes = [];
    private readonly Dictionary<ulong, string> winners = [];
    private readonly double slowness;
    private double time;
    private long order;

    public PromisesSimulation(int seed, int nodes, int witnesses)
    {
        random = new Random(seed);
        slowness = random.NextDouble() * 0.4;
        string[] names = [.. Enumerable.Range(0, nodes).Select(number => $"n{number}")];
        string[] voters = [.. names, .. Enumerable.Range(0, witnesses).Select(number => $"w{number}")];
        rules = new("wiki", "n0", names, voters, true, TimeSpan.FromSeconds(2));
        processes.AddRange(voters.Select(name => new Process(this, name, names.Contains(name))));
    }

    public int Reigns => winners.Count;

    public void Run(int steps)
    {
        foreach (var process in processes)
        {
            process.Start();
        }

        for (var step = 0; step < steps && events.TryDequeue(out var happening, out var at); step++)
        {
            time = at.Time;
            happening();
            CheckThatOneAtMostHolds();
        }
    }

    private void CheckThatOneAtMostHolds()
    {
        var holders = processes.Where(process => process.Holds).ToList();
        Assert.True(holders.Count <= 1, $"at {time:0.000}: {string.Join(" and ", holders.Select(holder => holder.ToString()))} hold a lease");
    }

    private void After(double seconds, Action happening) => events.Enqueue(happening, (time + seconds, order++));

    /// <summary>Mostly quick, sometimes far later than any lease, sometimes never, sometimes twice.</summary>
    private void Send(Action arrives)
    {
        var fate = random.NextDouble();
        if (fate < 0.1)
        {
            return;
        }

        After(Delay(), arrives);
        if (fate > 0.95)
        {
            After(Delay(), arrives);
        }

        double Delay() => random.NextDouble() < slowness ? random.NextDouble() * 6 : random.NextDouble() * 0.05;
    }

    private sealed class Process(PromisesSimulation world, string name, bool isNode)
    {
        // Within three percent of each other, and started at any time: monotonic clocks have no common zero.
        private readonly double speed = 0.985 + (world.random.NextDouble() * 0.03);
        private readonly double offset = world.random.NextDouble() * 1000;
        private VoterState? disk;
        private VoterState? voter;
        private LeaseClock? lease;
        private ulong epoch;
        private int life;

        public string Name => name;

        public bool Holds => lease is not null && lease.IsHeld(Now);

        private TimeSpan Now => TimeSpan.FromSeconds(offset + (world.time * speed));

        public void Start()
        {
            voter = disk is null ? VoterState.Fresh(world.rules, Now) : disk.Restarted(world.rules, Now);
            lease = null;
            Later(world.random.NextDouble() * 40, Die);
            if (isNode)
            {
                Later(world.random.NextDouble() * 2, Turn);
            }
        }

        public override string ToString() => $"{name} (epoch {epoch}, until {lease?.Deadline}, now {Now})";

        private void Later(double seconds, Action happening)
        {
            var mine = life;
            world.After(seconds, () =>
            {
                if (mine == life)
                {
                    happening();
                }
            });
        }

        private void Die()
        {
            life++;
            voter = null;
            lease = null;
            world.After(world.random.NextDouble() * 5, Start);
        }

        private void Turn()
        {
            if (lease is null || lease.Deadline is null || lease.HasEnded(Now))
            {
                Stand();
                Later(0.1 + (world.random.NextDouble() * world.random.NextDouble() * 8), Turn);
            }
            else if (world.random.NextDouble() < 0.03)
            {
                GiveBack();
                Later(1 + world.random.NextDouble(), Turn);
            }
            else
            {
                AskAll(renewal: true);
                Later(world.random.NextDouble() * 0.8, Turn);
            }
        }

        private void Stand()
        {
            epoch = Math.Max(epoch, voter!.Epoch) + 1;
            lease = LeaseClock.Unheld(world.rules);
            AskAll(renewal: false);
        }

        private void AskAll(bool renewal)
        {
            foreach (var other in world.processes)
            {
                var asked = Now;
                var ask = new GrantAsk(epoch, name, default, world.rules.Lease, renewal);
                world.Send(() => other.Answer(ask, answer => Heard(other.Name, ask, asked, answer), life, this));
            }
        }

        private void Answer(GrantAsk ask, Action<GrantAnswer> reply, int askersLife, Process asker)
        {
            if (voter is null)
            {
                return;
            }

            var before = voter.Epoch;
            var step = Voter.Ask(voter, world.rules, ask, default, Now);
            voter = step.State;
            disk = step.MustPersist ? step.State : disk;
            Assert.True(voter.Epoch >= before && (disk?.Epoch ?? 0) == voter.Epoch, "an epoch went back, or was not on disk");
            world.Send(() =>
            {
                if (asker.life == askersLife)
                {
                    reply(step.Answer);
                }
            });
        }

        private void Heard(string from, GrantAsk ask, TimeSpan asked, GrantAnswer answer)
        {
            if (lease is null || ask.Epoch != epoch)
            {
                return;
            }

            if (!answer.Granted)
            {
                epoch = lease.Deadline is null ? Math.Max(epoch, answer.HighestEpoch) : epoch;
                return;
            }

            lease = lease.Promised(from, asked, Now);
            if (lease.IsHeld(Now))
            {
                Assert.True(world.winners.TryAdd(epoch, name) || world.winners[epoch] == name, $"epoch {epoch} has two holders: {world.winners[epoch]} and {name}");
            }
        }

        private void GiveBack()
        {
            lease = null;
            var given = epoch;
            var successor = world.random.NextDouble() < 0.5 ? null : world.rules.Nodes[world.random.Next(world.rules.Nodes.Count)];
            foreach (var other in world.processes)
            {
                world.Send(() => other.TakeBack(given, name, successor));
            }
        }

        private void TakeBack(ulong given, string holder, string? successor)
        {
            if (voter is not null)
            {
                var step = Voter.GiveBack(voter, world.rules, given, holder, successor, Now);
                voter = step.State;
                disk = step.MustPersist ? step.State : disk;
            }
        }
    }
}
