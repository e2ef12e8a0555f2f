using Mirror.Leadership.Core;
using Mirror.Leadership.Voting;
using Xunit.Abstractions;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Consul;

/// <summary>
/// Three nodes, one lock, and a Consul that does everything it may: silences, faults, lost answers, ended sessions, forgotten services and delays, indexes that go back, killed and hung nodes. Every millisecond it
/// is asked whether two believe in the lock; at every reign whether its epoch is new, and whether its node has all that was ever called consistent.
/// </summary>
public sealed class LockChaosTests(ITestOutputHelper output)
{
    private const int Worlds = 12;
    private const double Trouble = 60;

    public static TheoryData<int> Seeds()
    {
        var seeds = new TheoryData<int>();
        foreach (var seed in Enumerable.Range(1, Worlds * (Environment.GetEnvironmentVariable("MIRROR_LONG") is null ? 1 : 20)))
        {
            seeds.Add(seed);
        }

        return seeds;
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Nobody_ever_shares_the_lock_and_nothing_consistent_is_passed_over(int seed)
    {
        using var world = new World(seed);
        world.Run(Trouble);
        output.WriteLine($"seed {seed}: {world.Reigns} reigns, {world.Raised} versions called consistent");
        Assert.True(world.Reigns > 1, $"seed {seed} has only {world.Reigns} reigns");
        Assert.True(world.Raised > 0, $"seed {seed} calls nothing consistent");
    }

    private sealed class World(int seed) : IDisposable
    {
        private static readonly string[] names = ["a", "b", "c"];
        private readonly Locks locks = new(Rules);
        private readonly Random random = new(seed);
        private readonly Dictionary<string, Lease?> reigns = names.ToDictionary(name => name, _ => (Lease?)null);
        private readonly Dictionary<string, bool> dead = names.ToDictionary(name => name, _ => false);
        private ulong lastEpoch;
        private Position consistent;

        public int Reigns { get; private set; }

        public int Raised { get; private set; }

        public void Run(double seconds)
        {
            foreach (var name in names)
            {
                Live(name);
            }

            var end = locks.Time.Now + TimeSpan.FromSeconds(seconds);
            var next = locks.Time.Now;
            locks.Time.Until(
                () =>
                {
                    var holders = reigns.Where(pair => pair.Value is { IsHeld: true }).Select(pair => pair.Key).ToList();
                    Assert.True(holders.Count < 2, $"seed {seed}, at {locks.Time.Now - locks.Time.Began}: {string.Join(" and ", holders)} hold the lock");
                    if (locks.Time.Now >= next)
                    {
                        next = locks.Time.Now + TimeSpan.FromMilliseconds(random.Next(50, 2500));
                        Disturb();
                    }

                    return locks.Time.Now >= end;
                },
                seconds + 1);
        }

        public void Dispose() => locks.Dispose();

        private void Live(string name) => _ = locks.Time.Begin(async () =>
        {
            while (!dead[name])
            {
                Lease lease;
                try
                {
                    lease = await locks.Stand(name);
                }
                catch (OperationCanceledException)
                {
                    return false; // Killed.
                }

                await ReignAsync(name, lease);
            }

            return true;
        });

        private async Task ReignAsync(string name, Lease lease)
        {
            Reigns++;
            Assert.True(lease.Epoch > lastEpoch, $"seed {seed}: epoch {lease.Epoch} after {lastEpoch}");
            Assert.True(locks.Verified[name] >= consistent, $"seed {seed}: {name} is primary with {locks.Verified[name]}, and {consistent} was called consistent");
            lastEpoch = lease.Epoch;
            reigns[name] = lease;
            for (ulong sequence = 1; lease.IsHeld && !dead[name]; sequence++)
            {
                var version = new Position(lease.Epoch, sequence);
                locks.Verified[name] = version;
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(20, 400)), locks.Time.Clock);
                if (dead[name])
                {
                    break;
                }

                // Some other has it too, and then it may be called consistent.
                var other = names[random.Next(3)];
                if (other != name && !dead[other] && locks.Verified[other] < version)
                {
                    locks.Verified[other] = version;
                    if (await lease.Mark!.RaiseAsync(version, CancellationToken.None))
                    {
                        Raised++;
                        consistent = consistent > version ? consistent : version;
                    }
                }

                if (random.Next(40) == 0)
                {
                    await lease.GiveBackAsync(random.Next(2) == 0 ? null : names[random.Next(3)], CancellationToken.None);
                }
            }

            if (!dead[name])
            {
                await lease.DisposeAsync();
                reigns[name] = null;
            }
        }

        private void Disturb()
        {
            var name = names[random.Next(3)];
            var agent = locks.Agents[name];
            switch (random.Next(12))
            {
                case 0 or 1:
                    agent.IsSilent = !agent.IsSilent;
                    break;
                case 2:
                    agent.LosesAnswers = !agent.LosesAnswers;
                    break;
                case 3:
                    agent.FailNext = random.Next(1, 6);
                    break;
                case 4:
                    agent.Slow = TimeSpan.FromMilliseconds(random.Next(0, 900));
                    break;
                case 5:
                    locks.Servers.EndSessions();
                    break;
                case 6:
                    locks.Servers.Restart();
                    break;
                case 7:
                    locks.Servers.GoBack();
                    break;
                case 8:
                    agent.Forget();
                    break;
                case 9 when !dead[name]:
                    // With a moment between, as a process takes to start; what it believed in died with it.
                    dead[name] = true;
                    reigns[name] = null;
                    locks.Kill(name);
                    break;
                case 9 or 10 when dead[name]:
                    dead[name] = false;
                    locks.Revive(name);
                    Live(name);
                    break;
                default:
                    // A while of peace for everybody, so that there are reigns.
                    foreach (var each in locks.Agents.Values)
                    {
                        (each.IsSilent, each.LosesAnswers, each.FailNext, each.Slow) = (false, false, 0, TimeSpan.Zero);
                    }

                    break;
            }
        }
    }
}
