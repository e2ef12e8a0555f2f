namespace Mirror.Leadership.Tests.Simulation;

/// <summary>Directed lines between machines: late, lossy, doubling, reordering, and cut one way or both.</summary>
internal sealed class Network(World world, int machines)
{
    // How many faults hold each line cut at the moment.
    private readonly int[,] cuts = new int[machines, machines];
    private double lateUntil;

    public void Cut(int from, int to, double seconds)
    {
        cuts[from, to]++;
        world.After(seconds, () => cuts[from, to]--);
    }

    /// <summary>For some time every message is late.</summary>
    public void Slow(double seconds) => lateUntil = world.Time + seconds;

    /// <summary>To whatever process runs there when it arrives.</summary>
    public void Send(Machine from, Machine to, Action<Process> arrive)
    {
        var disks = to.Disks;
        Carry(from, to, () =>
        {
            if (to.Disks == disks && to.Process is { } process)
            {
                process.Run(() => arrive(process));
            }
        });
    }

    /// <summary>Back to the very process that asked.</summary>
    public void Answer(Machine from, Process to, Action arrive) => Carry(from, to.Machine, () => to.Run(arrive));

    private void Carry(Machine from, Machine to, Action arrive)
    {
        if (from == to)
        {
            world.After(0.00005, arrive);
            return;
        }

        var climate = world.Climate;
        var troubled = world.Time < climate.Trouble;
        if (cuts[from.Index, to.Index] > 0 || (troubled && world.Random.NextDouble() < climate.Loss))
        {
            world.Tally.Lost++;
            return;
        }

        Once();
        if (troubled && world.Random.NextDouble() < climate.Duplication)
        {
            world.Tally.Doubled++;
            Once();
        }

        void Once() => world.After(Delay(troubled), () =>
        {
            if (cuts[from.Index, to.Index] == 0)
            {
                arrive();
            }
        });
    }

    private double Delay(bool troubled)
    {
        var climate = world.Climate;
        if (troubled && (world.Random.NextDouble() < climate.Lateness || world.Time < lateUntil))
        {
            world.Tally.Late++;
            return world.Random.NextDouble() * world.Random.NextDouble() * 6;
        }

        return climate.Latency * (0.5 + world.Random.NextDouble());
    }
}
