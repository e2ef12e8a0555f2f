using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>What goes wrong, and when. Each kind comes by chance, at its own rate, until the peace begins; then all that was broken is mended.</summary>
internal sealed class Faults(World world)
{
    // A blip begins when the one before is long over.
    private double nextBlip = 6;
    private ulong orders;
    private ulong acknowledged;
    private double lastDiskLoss = double.NegativeInfinity;

    public void Begin()
    {
        var climate = world.Climate;
        Repeat(climate.Cuts, Cut);
        Repeat(climate.Partitions, Part);
        Repeat(climate.Pauses, Pause);
        Repeat(climate.Kills, () => Down(machine => machine.Kill(), ref world.Tally.Kills));
        Repeat(climate.PowerLosses, () => Down(machine => machine.LosePower(), ref world.Tally.PowerLosses));
        Repeat(climate.DiskLosses, LoseDisk);
        Repeat(climate.Blackouts, BlackOut);
        Repeat(climate.Orders, () => Order(world.Random.Next(2) == 0));
        Repeat(climate.Lateness > 0 ? 0.02 : 0, () => world.Network.Slow(world.Between(0.3, 6)));
        world.After(climate.Trouble, EndTrouble);
    }

    private void Repeat(double rate, Action happen)
    {
        if (rate > 0)
        {
            Next();
        }

        void Next()
        {
            var pause = -Math.Log(1 - world.Random.NextDouble()) / rate;
            if (world.Time + pause < world.Climate.Trouble)
            {
                world.After(pause, () =>
                {
                    happen();
                    Next();
                });
            }
        }
    }

    private void Cut()
    {
        var from = Any();
        var to = Any();
        if (from != to && Lasts(out var seconds))
        {
            world.Tally.Cuts++;
            world.Network.Cut(from.Index, to.Index, seconds);
            if (world.Random.Next(2) == 0)
            {
                world.Network.Cut(to.Index, from.Index, seconds);
            }
        }
    }

    // Some on this side, some on that; now and then messages still get from one side to the other.
    private void Part()
    {
        if (!Lasts(out var seconds))
        {
            return;
        }

        world.Tally.Partitions++;
        var side = world.Random.Next(1 << world.Machines.Length);
        var oneWay = world.Random.Next(4) == 0;
        foreach (var from in world.Machines)
        {
            foreach (var to in world.Machines)
            {
                var isHere = (side >> from.Index & 1) == 1;
                var isThere = (side >> to.Index & 1) == 1;
                if (isHere != isThere && (isHere || !oneWay))
                {
                    world.Network.Cut(from.Index, to.Index, seconds);
                }
            }
        }
    }

    private void Pause()
    {
        if (Any().Process is { } process && Lasts(out var seconds))
        {
            world.Tally.Pauses++;
            process.Pause();
            world.After(seconds, process.Resume);
        }
    }

    private void Down(Action<Machine> down, ref long count)
    {
        count++;
        var machine = Any();
        down(machine);
        world.After(world.Between(0.15, world.Climate.LongestRestart), machine.Start);
    }

    // One at a time: of two that are lost together no majority could know anything. Where nothing may move, it takes a voter longer to know something again.
    private void LoseDisk()
    {
        if (world.Time - lastDiskLoss > 40 && world.Machines.All(static machine => machine.Disk.Vote is { Epoch: > 0 }))
        {
            lastDiskLoss = world.Time;
            Down(machine => machine.LoseDisk(), ref world.Tally.DiskLosses);
        }
    }

    private void BlackOut()
    {
        world.Tally.Blackouts++;
        var powerLoss = world.Random.Next(2) == 0;
        foreach (var machine in world.Machines)
        {
            if (powerLoss)
            {
                machine.LosePower();
            }
            else
            {
                machine.Kill();
            }

            world.After(world.Between(0.15, world.Climate.LongestRestart), machine.Start);
        }
    }

    // One operator, so the numbers are in order; whom the words reach, and when, is the lines' affair.
    private void Order(bool paused)
    {
        if (Any() is { Process: { } process } machine)
        {
            var order = new FailoverOrder(++orders, paused, paused ? acknowledged : acknowledged = process.HighestEpoch, "somebody", "");
            world.Truth.Says(order);
            world.Tally.Orders++;
            foreach (var voter in world.Machines)
            {
                world.Network.Send(machine, voter, other => other.OnOrder(order));
            }
        }
    }

    private void EndTrouble()
    {
        foreach (var machine in world.Machines)
        {
            machine.Process?.Resume();
            machine.Start();
        }

        // Whoever is not there yet hears of it from the others.
        world.After(2, () => Order(false));
    }

    /// <returns>False when it may not happen now.</returns>
    private bool Lasts(out double seconds)
    {
        var lease = world.Rules.Lease.TotalSeconds;
        var most = Math.Max(0.06, Math.Min(lease * 4, world.Climate.Trouble - world.Time));
        seconds = world.Between(0.05, most);
        if (!world.Climate.OnlyBlips)
        {
            return true;
        }

        seconds = Math.Min(seconds, lease / 4);
        if (world.Time < nextBlip)
        {
            return false;
        }

        nextBlip = world.Time + (lease * 2);
        return true;
    }

    private Machine Any() => world.Machines[world.Random.Next(world.Machines.Length)];
}
